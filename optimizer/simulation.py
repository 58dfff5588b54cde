"""The design of an answer under simulated requests, beside what the laws of the evaluation predict."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from statistics import NormalDist

from optimizer.answers import Answer
from optimizer.evaluate import Laws, Question, mean_state
from optimizer.question import POINT_PREDICTION
from optimizer.search.columns import candidates_of, rate_of
from optimizer.traffic.simulate import (
    Estimate,
    Fleet,
    Plan,
    Router,
    Sample,
    estimate,
    run,
)
from optimizer.verification import design_fleet
from requirements_specs.requirement import Metric, Statistic
from requirements_specs.serving import ServingSpec

# Before the first counted request, and after the last, the fleet is loaded for as many mean E2E times, or by this share
# of the counted requests if that is longer.
MARGIN_STAYS = 5.0
MARGIN_SHARE = 0.1


@dataclass(frozen=True)
class Runs:
    """What is simulated: `requests` counted of each of the seeds 1 … `seeds`, and how they come and are spread."""

    seeds: int
    requests: int
    router: Router
    burstiness: float


@dataclass(frozen=True)
class Compared:
    """A statistic as the laws of the evaluation predict it, seconds, and as the requests had it."""

    predicted_s: float
    simulated: Estimate


@dataclass(frozen=True)
class ScenarioRun:
    """A design in the scenario of a risk."""

    risk: float
    statistics: dict[tuple[Metric, Statistic], Compared]
    unfinished_share: float
    preemptions: int


@dataclass(frozen=True)
class Simulation:
    """Scenarios of a design: the point prediction, then that of the specification's risk if it is another."""

    runs: Runs
    working_replicas: int
    rate_per_s: float
    scenarios: tuple[ScenarioRun, ...]


def simulate(spec: ServingSpec, found: Answer, runs: Runs) -> Simulation:
    """Serve random requests of the specification on the design of its answer, spare replicas left out."""
    risks = sorted({POINT_PREDICTION, spec.risk}, reverse=True)
    return Simulation(
        runs=runs,
        working_replicas=_working_replicas(found),
        rate_per_s=found.problem.demand.rate_per_s,
        scenarios=tuple(_scenario(spec, found, runs, risk) for risk in risks),
    )


def _working_replicas(found: Answer) -> int:
    return found.design.replicas - found.problem.demand.spare_replicas


def _scenario(spec: ServingSpec, found: Answer, runs: Runs, risk: float) -> ScenarioRun:
    deviations = NormalDist().inv_cdf(1.0 - risk)
    question, demand = found.problem.question, found.problem.demand
    candidate = candidates_of(found.problem.physics, found.design)
    state = mean_state(
        candidate, rate_of(demand, found.design), Question(question.limits, question.load_cap, deviations)
    )
    laws = Laws(candidate, state)

    def predicted(metric: Metric, statistic: Statistic) -> float:
        return float(laws.statistic(metric, statistic)[0])

    fleet = fleet_of(found, deviations, runs.router)
    in_system = demand.rate_per_s * predicted(Metric.E2E, Statistic.MEAN)
    plan = Plan(
        seeds=tuple(range(1, runs.seeds + 1)),
        requests=runs.requests,
        margin=ceil(max(MARGIN_SHARE * runs.requests, MARGIN_STAYS * in_system)),
        burstiness=runs.burstiness,
    )
    sample = run(fleet, spec.workload, demand.rate_per_s, plan)
    return ScenarioRun(
        risk=risk,
        statistics={
            (metric, statistic): Compared(predicted(metric, statistic), _simulated(sample, metric, statistic))
            for metric in Metric
            for statistic in Statistic
        },
        unfinished_share=sample.unfinished / sample.e2e_s.size,
        preemptions=sample.preemptions,
    )


def _simulated(sample: Sample, metric: Metric, statistic: Statistic) -> Estimate:
    return estimate(sample.of(metric), statistic.probability)


def fleet_of(found: Answer, deviations: float, router: Router) -> Fleet:
    """The pipelines of an answer's design in a scenario."""
    return design_fleet(found.problem, found.design, deviations, router)
