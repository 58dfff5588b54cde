"""An answer without a design: the wall, the least number that any admitted design reaches, and the ways out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from catalog.read import Snapshot
from catalog.walls import WallFamily
from optimizer.answers import NoAnswer
from optimizer.arithmetic.money import MICRO_DOLLARS, usd_per_hour, usd_per_million_tokens_of_job
from optimizer.bottleneck.infeasible import Impossible
from optimizer.bottleneck.job_walls import WINDOW
from optimizer.bottleneck.walls import HEADLINE_WALLS
from optimizer.errors import VerificationError
from optimizer.outcome import Change, Floor, Relaxation, SpecValue, WallOut
from optimizer.question import Nothing
from optimizer.search.columns import Column, JobCost
from optimizer.search.jobs import Job
from requirements_specs.requirement import BudgetMetric, Metric
from requirements_specs.serving import IntegerChoice, ServingSpec

if TYPE_CHECKING:
    from optimizer.ways_out import WaysOut

# What the wall's resource does while it is the wall, and the unit of its figure.
_WORK = {
    WallFamily.MEMORY_BANDWIDTH: ("reading weights and cache", "TB/s", 1e12),
    WallFamily.COMPUTE: ("multiplying", "TFLOP/s", 1e12),
    WallFamily.NETWORK: ("moving data between accelerators", "GB/s", 1e9),
}


def relaxations(ways_out: WaysOut) -> tuple[Relaxation, ...]:
    """The relaxations as they are printed; each was solved once more."""
    return tuple(
        Relaxation(
            changes=tuple(
                Change(requirement=each.requirement, stated=_written(each.stated), to=_written(each.allowed))
                for each in relaxation.changes
            ),
            usd_per_hour=usd_per_hour(relaxation.usd_micro_per_hour),
            verified=True,
        )
        for relaxation in ways_out.relaxations
    )


def _written(value: Any) -> SpecValue:
    """A value as a specification writes it."""
    if not isinstance(value, IntegerChoice):
        written: SpecValue = value
        return written
    if value.values is not None:
        return value.values[0] if len(value.values) == 1 else value.values
    ends = {"min": value.least, "max": value.greatest}
    return {name: end for name, end in ends.items() if end is not None}


OWNED_MACHINES = "inventory.owned.machines"


def bare_walls(binding: WallFamily | None, snapshot: Snapshot) -> tuple[WallOut, ...]:
    """The headline walls of an answer without a design, which fills none of them."""
    numbers = {wall.id: wall.number for wall in snapshot.walls}
    return tuple(
        WallOut(
            id=wall,
            number=numbers[wall],
            utilization=None,
            binding=family is binding,
            gain_of_10_percent=None,
            cost_falls_at_factor=None,
        )
        for family, wall in HEADLINE_WALLS.items()
    )


def wall_and_floor(spec: ServingSpec, found: NoAnswer) -> tuple[WallFamily | None, Floor | None]:
    """The wall and the least number that any admitted design reaches."""
    if found.impossible is not None:
        return found.impossible.wall, _physical_floor(spec, found.impossible)
    if found.uncapped is None:
        return None, None
    return WallFamily.DOLLARS, _cap_floor(spec, found, found.uncapped)


def _physical_floor(spec: ServingSpec, impossible: Impossible) -> Floor:
    replica = f"{impossible.accelerators_per_replica} × {impossible.accelerator}"
    if impossible.requirement == WINDOW:
        explanation = (
            f"the longest request alone takes {impossible.least:.3g} s on {replica}, the fastest of all, against a "
            f"window of {impossible.limit:,g} s; no number of replicas changes that"
        )
    elif impossible.wall is WallFamily.MEMORY_CAPACITY:
        explanation = (
            f"weights, overhead and one longest request need {impossible.least / 1e9:.1f} GB on each of {replica}, "
            f"which has {impossible.limit / 1e9:.1f} GB"
        )
    else:
        explanation = (
            f"one request alone takes {impossible.least * 1e3:.1f} ms at risk {spec.risk:g} on {replica}, the closest "
            f"of all, against {impossible.limit * 1e3:.1f} ms: {_napkin(spec, impossible)}; "
            "no number of replicas changes that"
        )
    return Floor(
        requirement=impossible.requirement,
        limit=impossible.limit,
        least=impossible.least,
        accelerator=impossible.accelerator,
        explanation=explanation,
    )


def _job_cap_floor(spec: ServingSpec, job: Job, uncapped: Column, cost: JobCost, part: str) -> Floor:
    """The first cap that the best design without caps exceeds, in the unit of the cap."""
    per_million = spec.budget.usd_per_million_output_tokens
    output_tokens = job.requests * spec.workload.output_tokens.mean
    hourly = job.most_usd_micro_per_hour
    caps = (
        (
            "budget.usd_per_million_output_tokens",
            per_million,
            usd_per_million_tokens_of_job(cost.usd_micro, output_tokens),
            "costs ${:,.4g} per M output tokens",
        ),
        (
            "budget.usd_per_hour",
            None if hourly is None else usd_per_hour(hourly),
            usd_per_hour(uncapped.usd_micro_per_hour),
            "costs ${:,.4g} an hour",
        ),
        (
            "inventory.max_accelerators",
            job.most_accelerators,
            float(uncapped.accelerators),
            "rents {:,.0f} accelerators",
        ),
    )
    for requirement, limit, least, words in caps:
        if limit is not None and least > limit:
            best = "smallest fleet" if job.smallest_fleet else "cheapest design"
            return Floor(
                requirement=requirement,
                limit=limit,
                least=least,
                accelerator=part,
                explanation=f"the {best} that ends in the window {words.format(least)}, {limit:,.4g} are allowed",
            )
    raise VerificationError("a design within every cap was not found")


def _napkin(spec: ServingSpec, impossible: Impossible) -> str:
    """What the wall alone takes of that time, at the rate of the data sheet, and what no resource shortens."""
    share = impossible.share
    if share is None:
        raise VerificationError("a latency is over its limit, and nothing is known of its parts")
    fixed = f"launches, hops and host take {share.fixed_s * 1e3:.1f} ms"
    if share.per_s is None:
        return f"{fixed} on any hardware"
    work, unit, size = _WORK[impossible.wall]
    is_tpot = any(limit.id == impossible.requirement and limit.metric is Metric.TPOT for limit in spec.slo)
    alone = f"{share.resource_s * 1e3:.1f} ms{' per token' if is_tpot else ''} at {share.per_s / size:,.3g} {unit}"
    return f"{work} alone takes {alone}, {fixed}"


def _cap_floor(spec: ServingSpec, found: NoAnswer, uncapped: Column) -> Floor:
    """A budget, an accelerator cap or a number of owned machines below the cheapest design."""
    if isinstance(found.problem, Nothing):
        raise VerificationError("a design was found in a space without candidates")
    space, demand = found.problem.space, found.problem.demand
    part = space.keys[uncapped.key].accelerator.id
    if uncapped.job is not None and found.problem.job is not None:
        return _job_cap_floor(spec, found.problem.job, uncapped, uncapped.job, part)
    most_usd = demand.most_usd_micro_per_hour
    if most_usd is not None and uncapped.usd_micro_per_hour > most_usd:
        least, limit = usd_per_hour(uncapped.usd_micro_per_hour), most_usd / MICRO_DOLLARS
        return Floor(
            requirement=next(each.id for each in spec.requirements if isinstance(each.metric, BudgetMetric)),
            limit=limit,
            least=least,
            accelerator=part,
            explanation=f"the cheapest design costs ${least:,.2f}/h, the budget is ${limit:,.2f}/h",
        )
    offer = space.offers[uncapped.offer]
    within_cap = demand.most_accelerators is None or uncapped.accelerators <= demand.most_accelerators
    if within_cap and offer.most_instances is not None:
        return Floor(
            requirement=OWNED_MACHINES,
            limit=float(offer.most_instances),
            least=float(uncapped.instances),
            accelerator=part,
            explanation=(
                f"the cheapest design takes {uncapped.instances} × {offer.instance}, and {offer.most_instances} "
                f"{'is' if offer.most_instances == 1 else 'are'} owned"
            ),
        )
    limit_accelerators = float(demand.most_accelerators or 0)
    return Floor(
        requirement="inventory.max_accelerators",
        limit=limit_accelerators,
        least=float(uncapped.accelerators),
        accelerator=part,
        explanation=(
            f"the cheapest design rents {uncapped.accelerators} accelerators, the inventory allows "
            f"{limit_accelerators:.0f}"
        ),
    )
