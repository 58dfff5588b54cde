"""The design of an answer, and what else would cost less."""

from __future__ import annotations

from datetime import date

from catalog.offers import Offer, Tier
from catalog.parts import Evidence
from catalog.read import Snapshot
from optimizer.answers import Answer
from optimizer.arithmetic.money import usd_per_hour
from optimizer.confidence import STEP_FACTOR, correction_of, measured_spread
from optimizer.outcome import Allowance, EngineOut, FormatsOut, LayoutOut, Pool
from optimizer.question import POINT_PREDICTION
from optimizer.search.columns import Column
from optimizer.topology.layouts import CandidateSpace
from requirements_specs.serving import ServingSpec

# Spot prices move daily, list prices within a quarter.
STALE_DAYS = 90
STALE_SPOT_DAYS = 1


def layout_of(space: CandidateSpace, key: int) -> LayoutOut:
    """The layout of a physics key."""
    layout = space.layouts[key]
    return LayoutOut(tp=layout.tp, pp=layout.pp, ep=layout.ep, dp_attention=layout.dp_attention)


def formats_of(space: CandidateSpace, key: int) -> FormatsOut:
    """The formats of a physics key."""
    formats = space.formats[key]
    return FormatsOut(weights=formats.weights, activations=formats.activations, kv=formats.kv)


def pool(space: CandidateSpace, column: Column) -> Pool:
    """The replicas of a design and what they run on."""
    offer, row = space.offers[column.offer], space.keys[column.key]
    return Pool(
        accelerator=row.accelerator.id,
        evidence=row.accelerator.evidence.value,
        offer=offer.id,
        price_kind=offer.price_kind.value,
        price_date=price_date_of(offer),
        price_source=offer.price_source,
        usd_per_hour_per_instance=usd_per_hour(offer.usd_micro_per_hour),
        available_instances=offer.most_instances,
        instances=column.instances,
        replicas=column.replicas,
        accelerators=column.accelerators,
        accelerators_per_replica=space.layouts[column.key].accelerators,
        layout=layout_of(space, column.key),
        formats=formats_of(space, column.key),
        engine=EngineOut(
            name=row.engine.id,
            max_num_seqs=column.max_num_seqs,
            max_num_batched_tokens=column.token_budget,
        ),
    )


def price_date_of(offer: Offer) -> str | None:
    """The date of a price, None where it has none."""
    return None if offer.price_date is None else offer.price_date.isoformat()


def price_label(offer: Offer) -> str:
    """`list 2026-05-20`: where a price comes from and when."""
    date = "undated" if offer.is_undated else price_date_of(offer)
    return offer.price_kind.value if date is None else f"{offer.price_kind} {date}"


def allowances(spec: ServingSpec, found: Answer) -> tuple[Allowance, ...]:
    """What the answer would cost without bursts, at the point prediction, and with more parts and prices allowed."""
    allowances = []
    if found.poisson_usd_micro is not None:
        allowances.append(
            Allowance(
                change=f"arrivals: Poisson instead of dispersion {spec.workload.index_of_dispersion:.3g}",
                usd_per_hour=usd_per_hour(found.poisson_usd_micro),
            )
        )
    if found.point_usd_micro is not None:
        allowances.append(
            Allowance(
                change=f"risk: {POINT_PREDICTION} (point prediction) instead of {spec.risk:g}",
                usd_per_hour=usd_per_hour(found.point_usd_micro),
            )
        )
    if found.allowed_usd_micro is not None:
        allowances.append(
            Allowance(
                change="inventory.estimated_parts and inventory.undated: true",
                usd_per_hour=usd_per_hour(found.allowed_usd_micro),
            )
        )
    return tuple(allowances)


def doubts(
    spec: ServingSpec, space: CandidateSpace, design: Column, snapshot: Snapshot, today: date
) -> tuple[str, ...]:
    """What to doubt about the price and the steps of a design."""
    warnings = []
    offer, row = space.offers[design.offer], space.keys[design.key]
    correction = correction_of(snapshot.models[spec.model], row, snapshot)
    part = row.accelerator
    if offer.tier is Tier.SPOT and design.job is None:
        warnings.append("spot: interruptions are not in the percentiles; availability.spare_replicas covers them")
    if offer.is_undated:
        warnings.append(f"the price of {offer.id} has no date")
    elif offer.price_date is not None:
        age = (today - offer.price_date).days
        stale = STALE_SPOT_DAYS if offer.tier is Tier.SPOT else STALE_DAYS
        if age > stale:
            warnings.append(f"the price of {offer.id} is {age} days old")
        elif age < 0:
            warnings.append(f"the price of {offer.id} is of a day to come, {offer.price_date}")
    stack = None if correction is None else correction.stack_of(row.weights.id, row.engine_version)
    if correction is not None and stack is not None:
        release = f" of {row.engine.library} {stack.engine_version}" if stack.engine_version else ""
        warnings.append(
            f"step times of {part.id} are calibrated, × {stack.step:.2f}{release}, by "
            f"{correction.results} results of {correction.as_of}"
        )
    elif part.evidence is not Evidence.MEASURED:
        warnings.append(f"{part.id} is not measured itself ({part.evidence.value}); its interval is wider")
    elif measured_spread(part.evidence, row.engine.id, row.weights.id, snapshot) is None:
        warnings.append(
            f"no run of {row.engine.id} with {row.weights.id} weights was measured: the interval of its steps is "
            f"assumed, ×/÷ {STEP_FACTOR[part.evidence]:g}"
        )
    return tuple(warnings)
