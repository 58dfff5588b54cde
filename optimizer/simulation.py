"""The design of an answer under simulated requests, beside what the laws of the evaluation predict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil, inf, isfinite
from statistics import NormalDist

import numpy as np

from catalog.read import Snapshot
from optimizer.answers import Answer
from optimizer.arithmetic.speculative import Speculation, speculating
from optimizer.confidence import replicas_of
from optimizer.evaluate import FleetArrivals, Laws, mean_state, prepare
from optimizer.question import POINT_PREDICTION
from optimizer.search.columns import candidates_of, rate_of
from optimizer.topology.layouts import MAX_NUM_SEQS
from optimizer.traffic.simulate import Estimate, Fleet, Plan, Router, Sample, estimate, run
from optimizer.traffic.speculative_bins import in_steps
from optimizer.verification import design_fleet
from requirements_specs.requirement import Metric, Statistic
from requirements_specs.serving import ServingSpec
from requirements_specs.traces.facts import Window
from requirements_specs.traces.trace import Trace

# Before the first counted request, and after the last, the fleet is loaded for as many mean E2E times, or by this share
# of the counted requests if that is longer.
MARGIN_STAYS = 5.0
MARGIN_SHARE = 0.1


@dataclass(frozen=True)
class Runs:
    """What is simulated: `requests` counted of each of the seeds 1 … `seeds`, and how they come and are spread.

    burstiness: squared coefficient of variation of the gaps between arrivals. A trace is one sample, without a seed.
    """

    seeds: int
    requests: int
    router: Router
    burstiness: float


@dataclass(frozen=True)
class Compared:
    """A statistic as the laws of the evaluation predict it, seconds, and as the requests had it.

    The prediction is infinite where more comes than the design carries by the laws: from a trace, or with drafts.
    """

    predicted_s: float
    simulated: Estimate


@dataclass(frozen=True)
class ScenarioRun:
    """A design in the scenario of a risk; prefix_hit: share of prompt tokens that a simulated prefix cache held."""

    risk: float
    statistics: dict[tuple[Metric, Statistic], Compared]
    unfinished_share: float
    preemptions: int
    prefix_hit: float | None = None


@dataclass(frozen=True)
class Recording:
    """A trace, its file as the user named it, and the window of it whose requests count."""

    file: str
    trace: Trace
    window: Window


@dataclass(frozen=True)
class Replayed:
    """What was replayed on a design, and the rate that the design carries."""

    recording: Recording
    design_rate_per_s: float


@dataclass(frozen=True)
class Simulation:
    """Scenarios of a design: the point prediction, then that of the specification's risk if it is another.

    rate_per_s: of the requests. speculation: where the design drafts. replayed: where requests are those of a trace.
    """

    runs: Runs
    working_replicas: int
    rate_per_s: float
    scenarios: tuple[ScenarioRun, ...]
    speculation: Speculation | None = None
    replayed: Replayed | None = None


def with_drafts(spec: ServingSpec, found: Answer, snapshot: Snapshot, speculation: Speculation) -> Answer:
    """The answer with its design alone, whose every step drafts and verifies.

    Slots are no limit: where drafts lengthen steps, more sequences are in flight than the design has been given.
    """
    problem, design = found.problem, found.design
    replicas = replicas_of(snapshot.models[spec.model], [problem.space.keys[design.key]], snapshot)
    physics = prepare(
        speculating(replicas, speculation),
        in_steps(problem.physics.bins, speculation.kept),
        problem.physics.spread.take(np.array([design.key])),
    )
    return replace(
        found,
        problem=replace(problem, physics=physics, speculation=speculation),
        design=replace(design, key=0, max_num_seqs=int(MAX_NUM_SEQS[-1])),
    )


def simulate(spec: ServingSpec, found: Answer, runs: Runs, after_run: Callable[[], None] = lambda: None) -> Simulation:
    """Serve random requests of the specification on the design of its answer, spare replicas left out.

    `after_run` is called after each seed of each risk.
    """
    rate_per_s, scenarios = found.problem.demand.rate_per_s, []
    for risk in risks_of(spec):
        law, planned = Law(_in_bursts(found, runs.burstiness), risk), Law(found, risk)
        in_flight = rate_per_s * planned.mean_e2e_s
        # drafts may overload it, and then it never ends to load
        stays = MARGIN_STAYS * in_flight if isfinite(in_flight) else 0.0
        plan = Plan(
            seeds=tuple(range(1, runs.seeds + 1)),
            requests=runs.requests,
            margin=ceil(max(MARGIN_SHARE * runs.requests, stays)),
            burstiness=runs.burstiness,
        )
        fleet = fleet_of(found, deviations_of(risk), runs.router)
        scenarios.append(compared(law, run(fleet, spec.workload, rate_per_s, plan, after_run)))
    return Simulation(runs, working_replicas(found), rate_per_s, tuple(scenarios), found.problem.speculation)


def _in_bursts(found: Answer, dispersion: float) -> Answer:
    """The answer whose laws know of so bursty arrivals."""
    problem = found.problem
    question = replace(problem.question, arrivals=FleetArrivals(problem.demand.rate_per_s, dispersion))
    return replace(found, problem=replace(problem, question=question))


def risks_of(spec: ServingSpec) -> tuple[float, ...]:
    """The risks whose scenarios are simulated, the slowest last."""
    return tuple(sorted({POINT_PREDICTION, spec.risk}, reverse=True))


def deviations_of(risk: float) -> float:
    """The scenario of a risk, in standard deviations of the logarithm of the step time."""
    return NormalDist().inv_cdf(1.0 - risk)


def working_replicas(found: Answer) -> int:
    """Replicas without the spares."""
    return found.design.replicas - found.problem.demand.spare_replicas


class Law:
    """What the laws predict of a design in the scenario of a risk, at the rate that it carries."""

    def __init__(self, found: Answer, risk: float) -> None:
        question, design = found.problem.question, found.design
        candidate = candidates_of(found.problem.physics, design)
        asked = replace(question, deviations=deviations_of(risk))
        state = mean_state(candidate, rate_of(found.problem.demand, design), asked)
        fits = (state.sequences_needed <= design.max_num_seqs) & (state.kv_tokens_needed <= state.kv_tokens)
        self.risk = risk
        self._tokens_per_step = found.problem.tokens_per_step
        self._laws = Laws(candidate, state) if (state.steady & fits)[0] else None

    def predicted_s(self, metric: Metric, statistic: Statistic) -> float:
        """A statistic, infinite if the design does not carry the rate."""
        if self._laws is None:
            return inf
        value_s = float(self._laws.statistic(metric, statistic)[0])
        return value_s / self._tokens_per_step if metric is Metric.TPOT else value_s

    @property
    def mean_e2e_s(self) -> float:
        """Mean time of a request in the system."""
        return self.predicted_s(Metric.E2E, Statistic.MEAN)


def compared(law: Law, sample: Sample) -> ScenarioRun:
    """A sample beside the law of its scenario."""
    return ScenarioRun(
        risk=law.risk,
        statistics={
            (metric, statistic): Compared(
                law.predicted_s(metric, statistic), estimate(sample.of(metric), statistic.probability)
            )
            for metric in Metric
            for statistic in Statistic
        },
        unfinished_share=sample.unfinished / sample.e2e_s.size,
        preemptions=sample.preemptions,
        prefix_hit=sample.prefix_hit,
    )


def fleet_of(found: Answer, deviations: float, router: Router) -> Fleet:
    """The pipelines of an answer's design in a scenario."""
    return design_fleet(found.problem, found.design, deviations, router)
