"""An answer without a design: the wall, the least number that any admitted design reaches, and the ways out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalog.read import Snapshot
from catalog.walls import WallFamily
from optimizer.answers import NoAnswer
from optimizer.arithmetic.money import (
    usd_per_hour,
    usd_per_million_tokens,
    usd_per_million_tokens_of_job,
    usd_per_month,
)
from optimizer.bottleneck.infeasible import Impossible
from optimizer.bottleneck.job_walls import WINDOW
from optimizer.bottleneck.walls import HEADLINE_WALLS
from optimizer.errors import VerificationError
from optimizer.outcome import Change, Floor, Relaxation, SpecValue, WallOut
from optimizer.question import Nothing
from optimizer.search.columns import Column
from requirements_specs.requirement import BudgetMetric, Metric
from requirements_specs.serving import IntegerChoice, Objective, ServingSpec

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
            f"on however many replicas, the job takes {impossible.least:.3g} s on {replica}, the fastest of all, since "
            f"its longest request must run to its end; the window is {impossible.limit:,g} s"
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


@dataclass(frozen=True)
class _Cap:
    """A cap, None where it is not stated, what the best design without caps takes of it, and that in words."""

    requirement: str
    limit: float | None
    least: float
    words: str


def _caps(spec: ServingSpec, uncapped: Column) -> tuple[_Cap, ...]:
    """The caps that a specification may state, each in its own unit."""
    budget, job = spec.budget, spec.workload.offline
    output = spec.workload.output_tokens.mean
    hourly = uncapped.usd_micro_per_hour
    if job is None or uncapped.job is None:
        per_million = usd_per_million_tokens(hourly, spec.workload.mean_request_rate_per_s * output)
    else:
        per_million = usd_per_million_tokens_of_job(uncapped.job.usd_micro, job.requests * output)
    most = spec.inventory.max_accelerators
    per_hour, per_month = usd_per_hour(hourly), usd_per_month(hourly)
    return (
        _Cap(
            f"budget.{BudgetMetric.USD_PER_MILLION_OUTPUT_TOKENS}",
            budget.usd_per_million_output_tokens,
            per_million,
            f"costs ${per_million:,.4g} per M output tokens",
        ),
        _Cap(f"budget.{BudgetMetric.USD_PER_HOUR}", budget.usd_per_hour, per_hour, f"costs ${per_hour:,.2f}/h"),
        _Cap(f"budget.{BudgetMetric.USD_PER_MONTH}", budget.usd_per_month, per_month, f"costs ${per_month:,.2f}/month"),
        _Cap(
            "inventory.max_accelerators",
            None if most is None else float(most),
            float(uncapped.accelerators),
            f"rents {uncapped.accelerators:,} accelerators",
        ),
    )


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
    space = found.problem.space
    part = space.keys[uncapped.key].accelerator.id
    best = "smallest fleet" if spec.objective is Objective.SMALLEST_FLEET else "cheapest design"
    if spec.workload.offline is not None:
        best += " that ends in the window"
    for cap in _caps(spec, uncapped):
        if cap.limit is not None and cap.least > cap.limit:
            return Floor(
                requirement=cap.requirement,
                limit=cap.limit,
                least=cap.least,
                accelerator=part,
                explanation=f"the {best} {cap.words}, {cap.limit:,.4g} is allowed",
            )
    offer = space.offers[uncapped.offer]
    if offer.most_instances is not None and uncapped.instances > offer.most_instances:
        return Floor(
            requirement=OWNED_MACHINES,
            limit=float(offer.most_instances),
            least=float(uncapped.instances),
            accelerator=part,
            explanation=(
                f"the {best} takes {uncapped.instances} × {offer.instance}, and {offer.most_instances} "
                f"{'is' if offer.most_instances == 1 else 'are'} owned"
            ),
        )
    raise VerificationError("a design within every cap was not found")
