"""Small offline jobs, and the best design for one by trying every row at every number of units.

Physics come from `evaluate.full_batch` alone; duration, interruptions, cost, caps and the order of ties are said here
once more in other words.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, inf
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from catalog.offers import Offer, Tier
from catalog.read import load
from optimizer.evaluate import full_batch, tabulate
from optimizer.question import Nothing, pose
from optimizer.search.columns import Column
from optimizer.topology.layouts import CandidateSpace
from requirements_specs.serving import Budget, Formats, Inventory, Objective, ServingSpec, Spot
from requirements_specs.workload import Offline, Workload
from tests.property.brute_force import MAX_NUM_SEQS, TOKEN_BUDGETS, TieKey, tie_key
from tests.property.small_spaces import Case, layouts, lengths, offers, with_offers
from tests.property.solved import changed

# Every number of units up to this is tried, those beyond the fewest too.
MOST_TRIED = 24


class Tried(NamedTuple):
    """A row of the space at a number of units."""

    accelerators: int
    usd_micro: int
    key: TieKey


@st.composite
def job_cases(draw: st.DrawFn, *, objective: Objective | None = None, capped: bool = True) -> Case:
    """A job, on demand, on spot or both; half of the time a few units of the first offer just end it, or just not."""
    case = draw(_any_jobs(objective=objective, capped=capped))
    if draw(st.booleans()):
        return case
    rows = rows_of(case, case.snapshot.offers[0])
    if rows is None:
        return case
    requests = draw(st.sampled_from((5_000, 400_000)))
    units, factor = draw(st.integers(1, 6)), draw(st.sampled_from((0.97, 0.9999, 1.0, 1.0001, 1.03)))
    window_s = float(rows.seconds(requests, units).min()) * factor
    return in_window(case, window_s, requests) if 0.01 < window_s < 1e7 else case


def in_window(case: Case, window_s: float, requests: int | None = None) -> Case:
    """The same job with another window, and perhaps another volume."""
    requests = requests or job_of(case.spec).requests
    job = Offline(requests=requests, window_s=window_s)
    return changed(case, "workload", offline=job, request_rate_per_s=requests / window_s)


@st.composite
def _any_jobs(draw: st.DrawFn, *, objective: Objective | None, capped: bool) -> Case:
    model = draw(st.sampled_from(("llama-3.1-8b", "qwen3-30b-a3b", "llama-3.1-70b")))
    spread = draw(st.integers(0, 4)) == 4
    requests = draw(st.sampled_from((1, 7, 100, 2_000, 50_000, 400_000)))
    window_s = draw(st.sampled_from((1.5, 20.0, 240.0, 1800.0, 7200.0, 43_200.0)))
    chosen = draw(offers(most=4))
    spot = None
    tiers: tuple[str, ...] = ("on_demand",)
    if draw(st.booleans()):
        tiers = ("on_demand", "spot")
        chosen = tuple(as_spot(offer) if draw(st.booleans()) else offer for offer in chosen)
        spot = Spot(
            interruptions_per_hour=draw(st.sampled_from((0.0, 0.05, 1.0, 20.0))),
            restart_s=draw(st.sampled_from((0.0, 60.0, 600.0))),
        )
    spec = ServingSpec(
        name="job",
        model=model,
        objective=objective or draw(st.sampled_from((Objective.CHEAPEST, Objective.SMALLEST_FLEET))),
        risk=draw(st.sampled_from((0.1, 0.5))),
        workload=Workload(
            request_rate_per_s=requests / window_s,
            offline=Offline(requests=requests, window_s=window_s),
            prompt_tokens=draw(lengths((100, 500, 1500, 4000), spread=spread)),
            output_tokens=draw(lengths((100, 1, 20, 400), spread=spread)),
            prefix_cache_hit=draw(st.sampled_from((0.0, 0.0, 0.5))),
        ),
        budget=draw(job_budgets) if capped else Budget(),
        inventory=Inventory(
            tiers=tiers,
            spot=spot,
            max_accelerators=draw(st.sampled_from((None, None, 8, 16))) if capped else None,
            estimated_parts=True,
            undated=True,
        ),
        formats=draw(st.sampled_from((Formats(), Formats(weights=("bf16",))))),
        layout=draw(layouts(experts=load().models[model].experts > 0)),
    )
    return Case(with_offers(chosen), spec)


job_budgets = st.one_of(
    st.just(Budget()),
    st.builds(Budget, usd_per_hour=st.sampled_from((4.0, 8.0, 16.0, 64.0))),
    st.builds(Budget, usd_per_million_output_tokens=st.sampled_from((0.05, 1.0, 10.0))),
)


def as_spot(offer: Offer) -> Offer:
    """The same machine as a spot offer at six tenths of the price."""
    return offer.model_copy(
        update={
            "id": offer.id.replace("on_demand", "spot"),
            "tier": Tier.SPOT,
            "usd_micro_per_hour": offer.usd_micro_per_hour * 6 // 10,
        }
    )


def job_of(spec: ServingSpec) -> Offline:
    """The job of a specification that has one."""
    assert spec.workload.offline is not None
    return spec.workload.offline


@dataclass(frozen=True)
class Rows:
    """The rows of one offer alone, (R,): what a replica does, and how many there are on what is rented together."""

    offer: Offer
    space: CandidateSpace
    keys: NDArray[np.int64]
    token_budget: NDArray[np.float64]
    max_num_seqs: NDArray[np.float64]
    rate_per_s: NDArray[np.float64]
    drain_s: NDArray[np.float64]
    instances: NDArray[np.int64]
    replicas: NDArray[np.int64]

    def seconds(self, requests: int, units: int) -> NDArray[np.float64]:
        """The fullest replica's share at its rate, and the drain."""
        share = requests / (units * self.replicas) + 1.0
        with np.errstate(divide="ignore"):
            seconds: NDArray[np.float64] = share / self.rate_per_s + self.drain_s
        return seconds


def rows_of(case: Case, offer: Offer) -> Rows | None:
    """Every candidate on an offer, evaluated with its own slots; interruptions take their share of the rate."""
    problem = pose(case.spec, with_offers((offer,), case.snapshot))
    if isinstance(problem, Nothing):
        return None
    space = problem.space
    grid = np.meshgrid(np.arange(len(space.keys)), TOKEN_BUDGETS, MAX_NUM_SEQS, indexing="ij")
    keys, budgets, slots = (axis.ravel() for axis in grid)
    budgets, slots = budgets.astype(np.float64), slots.astype(np.float64)
    candidates = tabulate(problem.physics, keys.astype(np.int64), budgets, slots)
    batch = full_batch(candidates, problem.question, slots[:, None])
    ranks = np.array([layout.tp * layout.pp for layout in space.layouts], dtype=np.int64)[keys]
    instances = np.maximum(ranks // offer.accelerators, 1)
    rate, longest, redone = (each[:, 0] for each in (batch.rate_per_s, batch.longest_s, batch.redone_s))
    drain = longest
    spot = case.spec.inventory.spot
    if offer.tier is Tier.SPOT and spot is not None and spot.interruptions_per_hour > 0.0:
        lost = spot.interruptions_per_hour / 3600 * instances * (spot.restart_s + redone)
        rate = rate * np.clip(1.0 - lost, 0.0, None)
        drain = longest + (spot.restart_s + longest)
    return Rows(
        offer=offer,
        space=space,
        keys=keys.astype(np.int64),
        token_budget=budgets,
        max_num_seqs=slots,
        rate_per_s=np.where(batch.fits[:, 0], rate, 0.0),
        drain_s=drain,
        instances=instances,
        replicas=np.maximum(offer.accelerators // ranks, 1),
    )


def tried(case: Case) -> Iterator[Tried]:
    """Rows at every number of units up to MOST_TRIED that end the job in time and within the caps.

    Of the rows at one number of units only those with the fewest dollars and accelerators are built.
    """
    spec, job = case.spec, job_of(case.spec)
    for offer in case.snapshot.offers:
        rows = rows_of(case, offer)
        if rows is None:
            continue
        for units in range(1, MOST_TRIED + 1):
            seconds = rows.seconds(job.requests, units)
            for instances in np.unique(rows.instances).tolist():
                here = np.flatnonzero((rows.instances == instances) & (seconds <= job.window_s))
                hourly, accelerators = (
                    offer.usd_micro_per_hour * instances * units,
                    offer.accelerators * instances * units,
                )
                dollars = np.ceil(hourly * seconds[here] / 3600)
                for row in here[dollars <= dollars.min(initial=inf) + 1.0].tolist():
                    cost = ceil(Fraction(hourly) * Fraction(float(seconds[row])) / 3600)
                    if _affordable(spec, hourly, accelerators, cost):
                        yield Tried(accelerators, cost, _key(rows, spec, row, cost, accelerators))


def _key(rows: Rows, spec: ServingSpec, row: int, cost: int, accelerators: int) -> TieKey:
    key = int(rows.keys[row])
    return tie_key(
        rows.offer,
        spec.engines[0],
        rows.space.layouts[key],
        rows.space.formats[key],
        usd_micro_per_hour=cost,
        ratio=0.0,
        accelerators=accelerators,
        token_budget=int(rows.token_budget[row]),
        max_num_seqs=int(rows.max_num_seqs[row]),
    )


def _affordable(spec: ServingSpec, hourly: int, accelerators: int, usd_micro: int) -> bool:
    job, budget = job_of(spec), spec.budget
    if spec.inventory.max_accelerators is not None and accelerators > spec.inventory.max_accelerators:
        return False
    if budget.usd_per_hour is not None and Fraction(hourly, 10**6) > Fraction(repr(budget.usd_per_hour)):
        return False
    if budget.usd_per_million_output_tokens is None:
        return True
    tokens = Fraction(job.requests) * Fraction(repr(spec.workload.output_tokens.mean))
    return usd_micro <= Fraction(repr(budget.usd_per_million_output_tokens)) * tokens


def best_by_trying(case: Case) -> Tried | None:
    """The optimum; None where nothing that was tried will do."""
    smallest = case.spec.objective is Objective.SMALLEST_FLEET
    return min(tried(case), key=lambda each: (each.accelerators if smallest else 0, each.key), default=None)


def key_of(space: CandidateSpace, column: Column) -> TieKey:
    """The same key for what the search returned."""
    return tie_key(
        space.offers[column.offer],
        space.keys[column.key].engine.id,
        space.layouts[column.key],
        space.formats[column.key],
        usd_micro_per_hour=column.cost_usd_micro,
        ratio=0.0,
        accelerators=column.accelerators,
        token_budget=column.token_budget,
        max_num_seqs=column.max_num_seqs,
    )
