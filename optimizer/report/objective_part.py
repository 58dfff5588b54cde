"""The objective of an answer, in its own unit."""

from __future__ import annotations

from optimizer.answers import Answer
from optimizer.arithmetic.money import usd_per_hour
from optimizer.outcome import Objective as ObjectiveOut
from optimizer.outcome import ObjectiveMetric, VerifiedBy
from optimizer.search.aims import MICRO_REQUESTS, MILLISECONDS
from optimizer.search.columns import Column
from requirements_specs.serving import Objective, ServingSpec

_METRICS = {
    Objective.CHEAPEST: ObjectiveMetric.USD_PER_HOUR,
    Objective.FASTEST: ObjectiveMetric.E2E_MEAN_S,
    Objective.MOST_REQUESTS: ObjectiveMetric.REQUESTS_PER_S,
    Objective.SMALLEST_FLEET: ObjectiveMetric.ACCELERATORS,
}


def metric_of(spec: ServingSpec) -> ObjectiveMetric:
    """The unit in which the answer to a spec is the best; the cost of a job is of all of it."""
    if spec.workload.offline is not None and spec.objective is Objective.CHEAPEST:
        return ObjectiveMetric.USD
    return _METRICS[spec.objective]


def objective(spec: ServingSpec, found: Answer) -> ObjectiveOut:
    """What was optimised, the value of the design and the bound of the solver."""
    solution = found.solution
    bound = (solution.value or solution.cost).bound
    value, verification = value_of(spec.objective, found.design), found.verification
    confirmed = verification is not None and verification.judgement is not None
    return ObjectiveOut(
        metric=metric_of(spec),
        value=value,
        bound=None if bound is None else in_unit(spec.objective, bound),
        analytic_bound=value if verification is None else value_of(spec.objective, verification.analytic),
        verified_by=VerifiedBy.SIMULATION if confirmed else VerifiedBy.NONE,
    )


def value_of(sought: Objective, column: Column) -> float:
    """The objective of a column: dollars per hour, seconds or requests per second."""
    return in_unit(sought, column.usd_micro_per_hour if sought is Objective.CHEAPEST else column.value)


def in_unit(sought: Objective, integer: int) -> float:
    """The solver's integer in the unit of the metric."""
    match sought:
        case Objective.FASTEST:
            return integer / MILLISECONDS
        case Objective.MOST_REQUESTS:
            return -integer / MICRO_REQUESTS
    return usd_per_hour(integer)


def as_served(spec: ServingSpec, found: Answer) -> ServingSpec:
    """The specification with the request rate that the design carries, which is the stated one unless it was sought."""
    if spec.objective is not Objective.MOST_REQUESTS:
        return spec
    rate = value_of(spec.objective, found.design)
    return spec.model_copy(update={"workload": spec.workload.model_copy(update={"request_rate_per_s": rate})})
