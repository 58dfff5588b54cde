"""Small but real problems: a few offers of real parts, one real model, a workload and its limits.

Prices come from a small set per accelerator, so that machines of different sizes, providers and layouts tie often.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from hypothesis import strategies as st

from catalog.offers import Offer, PriceKind, Tier
from catalog.parts import Accelerator, LinkKind
from catalog.read import Snapshot, load
from optimizer.evaluate import highest_rate, tabulate
from optimizer.question import Nothing, pose
from optimizer.topology.layouts import MAX_NUM_SEQS, TOKEN_BUDGETS
from requirements_specs.lengths import LengthDistribution
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from requirements_specs.serving import (
    Availability,
    Budget,
    Formats,
    IntegerChoice,
    Inventory,
    Layout,
    ServingSpec,
)
from requirements_specs.workload import Workload

PARTS = (
    "h100-sxm-80gb",
    "a100-sxm-80gb",
    "h200-sxm-141gb",
    "b200-sxm-180gb",
    "l40s-48gb",
    "h100-nvl-94gb",
    "a100-pcie-80gb",
    "mi300x-192gb",
)
MODELS = ("llama-3.1-8b", "qwen3-32b", "llama-3.1-70b", "qwen3-30b-a3b", "mixtral-8x7b")
PROVIDERS = ("north", "south")
REGIONS = ("east", "west")
# Dollars per accelerator; three of the four are whole multiples of each other.
USD_MICRO_PER_ACCELERATOR = (1_000_000, 2_000_000, 4_000_000, 2_999_999)
LIMITS_S = {
    Metric.TTFT: (5.0, 2.0, 1.0, 0.6, 0.4, 0.25, 0.1),
    Metric.TPOT: (0.2, 0.1, 0.08, 0.06, 0.04, 0.03, 0.02, 0.01),
    Metric.E2E: (60.0, 30.0, 15.0, 8.0, 4.0, 2.0),
}


@dataclass(frozen=True)
class Case:
    """A specification and the catalog that it is put to."""

    snapshot: Snapshot
    spec: ServingSpec

    def __repr__(self) -> str:
        """What a person needs to rebuild the case; the catalog beside the offers is the packaged one."""
        machines = ", ".join(
            f"{offer.id} {offer.usd_micro_per_hour} {offer.scale_up}:{offer.scale_up_domain} p2p={offer.p2p:d} "
            f"network={offer.network_bytes_per_s} {offer.price_date} of {offer.most_instances}"
            for offer in self.snapshot.offers
        )
        return f"Case([{machines}], {self.spec.model_dump_json(exclude_defaults=True)})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002
        """Hypothesis would print every field of the whole catalog."""
        printer.text(repr(self))


def with_offers(offers: tuple[Offer, ...], snapshot: Snapshot | None = None) -> Snapshot:
    """The packaged catalog, or another, with these offers only, in the order of ids as the catalog keeps them."""
    ordered = tuple(sorted(offers, key=lambda offer: offer.id))
    return (snapshot or load()).model_copy(update={"offers": ordered})


def with_parts(snapshot: Snapshot, parts: dict[str, Accelerator]) -> Snapshot:
    """The same catalog with other parts under the same ids."""
    return snapshot.model_copy(update={"accelerators": snapshot.accelerators | parts})


def offer_of(
    part: Accelerator,
    accelerators: int,
    usd_micro_per_accelerator: int,
    *,
    provider: str = "north",
    region: str = "east",
    bridged: bool = True,
    p2p: bool = False,
    network_bytes_per_s: float | None = None,
    dated: bool = True,
) -> Offer:
    """A machine of real parts, wired as such machines are."""
    kind, domain = _wiring(part, accelerators, bridged=bridged)
    instance = f"{accelerators}x-{part.id}" + ("" if kind is not LinkKind.PCIE else "-pcie")
    return Offer(
        id=f"{provider}/{instance}/{region}/on_demand",
        provider=provider,
        instance=instance,
        region=region,
        tier=Tier.ON_DEMAND,
        accelerator=part.id,
        accelerators=accelerators,
        scale_up=kind,
        scale_up_domain=domain,
        p2p=p2p or kind not in (LinkKind.PCIE, LinkKind.NVLINK_BRIDGE, LinkKind.NONE),
        network_bytes_per_s=network_bytes_per_s,
        usd_micro_per_hour=usd_micro_per_accelerator * accelerators,
        price_kind=PriceKind.LIST,
        price_date=date(2026, 5, 20) if dated else None,
        source="test",
    )


def _wiring(part: Accelerator, accelerators: int, *, bridged: bool) -> tuple[LinkKind, int]:
    if accelerators == 1:
        return LinkKind.NONE, 1
    if part.link.kind is LinkKind.NVLINK_BRIDGE:
        return (LinkKind.NVLINK_BRIDGE, 2) if bridged else (LinkKind.PCIE, 1)
    if part.link.kind is LinkKind.PCIE:
        return LinkKind.PCIE, 1
    return part.link.kind, accelerators


@st.composite
def offers(draw: st.DrawFn, most: int = 6) -> tuple[Offer, ...]:
    """One to `most` offers of one to four parts; ids are distinct."""
    catalog = load()
    parts = draw(st.lists(st.sampled_from(PARTS), min_size=1, max_size=4, unique=True))
    found: dict[str, Offer] = {}
    for _ in range(draw(st.integers(1, most))):
        offer = offer_of(
            catalog.accelerators[draw(st.sampled_from(parts))],
            draw(st.sampled_from((1, 8, 4, 2, 8, 4))),
            draw(st.sampled_from(USD_MICRO_PER_ACCELERATOR)),
            provider=draw(st.sampled_from(PROVIDERS)),
            region=draw(st.sampled_from(REGIONS)),
            bridged=draw(st.booleans()),
            p2p=draw(st.booleans()),
            network_bytes_per_s=draw(st.sampled_from((None, 12.5e9, 400e9))),
            dated=draw(st.integers(0, 9)) != 9,
        )
        found[offer.id] = offer
    return tuple(found.values())


@st.composite
def lengths(draw: st.DrawFn, tokens: tuple[int, ...], *, spread: bool) -> LengthDistribution:
    """A constant length, or one given by two statistics."""
    middle = float(draw(st.sampled_from(tokens)))
    if not spread:
        return LengthDistribution.constant(middle)
    return LengthDistribution.from_statistics(p50=middle, p99=middle * draw(st.sampled_from((1.5, 3.0))))


@st.composite
def workloads(draw: st.DrawFn) -> Workload:
    """Rates from 0.2 to 100 requests per second; one in ten has spread lengths, which cost many times as much."""
    spread = draw(st.integers(0, 9)) == 9
    return Workload(
        request_rate_per_s=draw(st.one_of(st.integers(2, 40), st.integers(2, 200), st.integers(200, 1000))) / 10.0,
        prompt_tokens=draw(lengths((100, 500, 1500, 4000), spread=spread)),
        output_tokens=draw(lengths((100, 1, 20, 400), spread=spread)),
        prefix_cache_hit=draw(st.sampled_from((0.0, 0.0, 0.5))),
        peak_factor=draw(st.sampled_from((1.0, 1.0, 1.5))),
    )


@st.composite
def latency_limits(draw: st.DrawFn) -> tuple[LatencyLimit, ...]:
    """Any subset of the latency metrics, each by its mean or a percentile, loose to tight; now and then by two."""
    found: dict[str, LatencyLimit] = {}
    for metric in draw(st.lists(st.sampled_from(tuple(Metric)), max_size=3)):
        limit = LatencyLimit(
            metric=metric,
            statistic=draw(st.sampled_from(tuple(Statistic))),
            limit_s=draw(st.sampled_from(LIMITS_S[metric])),
        )
        found[limit.id] = limit
    return tuple(found.values())


@st.composite
def layouts(draw: st.DrawFn, *, experts: bool) -> Layout:
    """Pins that leave a handful of layouts."""
    few = ((1,), (1, 2), (2, 4), (1, 4), (4, 8))
    tp = draw(st.sampled_from(few if experts else (*few, (1, 2, 4), (1, 2, 4, 8))))
    pp = draw(st.sampled_from(((1,), (1, 2), (2,))))
    attention = draw(st.sampled_from(((1,), (1, 2)))) if experts else (1,)
    ranks = IntegerChoice(values=(1,)) if experts and draw(st.booleans()) else None
    return Layout(
        tp=IntegerChoice(values=tp),
        pp=IntegerChoice(values=pp),
        ep=ranks,
        dp_attention=IntegerChoice(values=attention),
    )


budgets = st.one_of(
    st.just(Budget()),
    st.builds(Budget, usd_per_hour=st.sampled_from((4.0, 8.0, 16.0, 64.0))),
    st.builds(Budget, usd_per_month=st.sampled_from((2920.0, 5840.0, 23360.0))),
    st.builds(Budget, usd_per_million_output_tokens=st.sampled_from((1.0, 10.0, 100.0))),
)


@st.composite
def cases(draw: st.DrawFn, *, capped: bool = True) -> Case:
    """A whole problem; `capped`: with a budget or an accelerator cap in some."""
    model = draw(st.sampled_from(MODELS))
    chosen = draw(offers())
    spec = ServingSpec(
        name="property",
        model=model,
        risk=draw(st.sampled_from((0.1, 0.5, 0.02))),
        workload=draw(workloads()),
        slo=draw(latency_limits()),
        budget=draw(budgets) if capped else Budget(),
        inventory=Inventory(
            max_accelerators=draw(st.sampled_from((None, None, 8, 16))) if capped else None,
            estimated_parts=draw(st.booleans()),
            undated=draw(st.booleans()),
        ),
        formats=draw(
            st.sampled_from(
                (Formats(), Formats(), Formats(weights=("bf16",)), Formats(weights=("fp8",), kv=("bf16", "fp8")))
            )
        ),
        layout=draw(layouts(experts=load().models[model].experts > 0)),
        availability=Availability(
            spare_replicas=draw(st.sampled_from((0, 0, 1, 3))), load_cap=draw(st.sampled_from((0.8, 0.5, 1.0)))
        ),
    )
    return Case(with_offers(chosen), spec)


@st.composite
def wide_cases(draw: st.DrawFn) -> Case:
    """A problem with enough layouts and formats to choose from."""
    case = draw(cases(capped=draw(st.booleans())))
    layout = Layout(tp=IntegerChoice(values=(1, 2, 4)), pp=IntegerChoice(values=(1, 2)), ep=IntegerChoice(values=(1,)))
    formats = Formats(weights=("bf16", "fp8"))
    return Case(case.snapshot, case.spec.model_copy(update={"layout": layout, "formats": formats}))


@st.composite
def split_cases(draw: st.DrawFn) -> Case:
    """A problem without caps in which every replica spans links."""
    case = draw(cases())
    layout = Layout(tp=IntegerChoice(values=draw(st.sampled_from(((2,), (4,), (2, 4), (4, 8))))))
    return Case(case.snapshot, case.spec.model_copy(update={"layout": layout}))


@st.composite
def critical_cases(draw: st.DrawFn, of: st.SearchStrategy[Case] | None = None) -> Case:
    """A problem whose rate is, half of the time, within 3 % of what a few units of one candidate carry."""
    case = draw(cases() if of is None else of)
    if draw(st.booleans()):
        return case
    problem = pose(case.spec, case.snapshot)
    if isinstance(problem, Nothing):
        return case
    placement = draw(st.integers(0, len(problem.space.placement_key) - 1))
    one = tabulate(
        problem.physics,
        problem.space.placement_key[[placement]],
        TOKEN_BUDGETS[[draw(st.integers(0, len(TOKEN_BUDGETS) - 1))]],
        MAX_NUM_SEQS[-1:],
    )
    replicas = int(problem.space.replicas_per_unit[placement]) * draw(st.integers(1, 4))
    working = max(replicas - case.spec.availability.spare_replicas, 1)
    carried = float(highest_rate(one, problem.question.among(float(working)))[0])
    rate = carried * working * draw(st.sampled_from((0.97, 0.999, 1.001, 1.03))) / case.spec.workload.peak_factor
    if not rate > 0.0:
        return case
    workload = case.spec.workload.model_copy(update={"request_rate_per_s": float(np.clip(rate, 1e-3, 1e3))})
    return Case(case.snapshot, case.spec.model_copy(update={"workload": workload}))


@st.composite
def stocked_cases(draw: st.DrawFn) -> Case:
    """A critical problem in which there are only so many of most machines, as of owned ones."""
    case = draw(critical_cases())
    stocked = tuple(
        offer.model_copy(update={"most_instances": draw(st.sampled_from((1, 2, 3, 6, None)))})
        for offer in case.snapshot.offers
    )
    return Case(with_offers(stocked, case.snapshot), case.spec)


def unlimited(case: Case) -> Case:
    """The case with any number of every machine."""
    offers = tuple(offer.model_copy(update={"most_instances": None}) for offer in case.snapshot.offers)
    return Case(with_offers(offers, case.snapshot), case.spec)
