"""A simulation as an answer prints it."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from optimizer.outcome import (
    Outcome,
    SimulatedDrafts,
    SimulatedLimit,
    SimulatedScenario,
    SimulatedStatistic,
    SimulatedTrace,
    SimulationOut,
    Verdict,
)
from requirements_specs.requirement import LatencyLimit
from requirements_specs.serving import ServingSpec

if TYPE_CHECKING:
    from optimizer.arithmetic.speculative import Speculation
    from optimizer.simulation import Replayed, ScenarioRun, Simulation
    from optimizer.traffic.simulate import Estimate


def with_simulation(outcome: Outcome, spec: ServingSpec, simulation: Simulation) -> Outcome:
    """The outcome with its design simulated, and each limit held against the simulation at the risk."""
    runs = simulation.runs
    simulated = SimulationOut(
        seeds=tuple(range(1, runs.seeds + 1)),
        requests=runs.requests,
        router=runs.router.value,
        burstiness=runs.burstiness,
        request_rate_per_s=simulation.rate_per_s,
        replicas=simulation.working_replicas,
        scenarios=tuple(_scenario_out(scenario) for scenario in simulation.scenarios),
        limits=tuple(
            limit_out(limit, compared.predicted_s, compared.simulated)
            for limit in spec.slo
            for compared in (simulation.scenarios[-1].statistics[limit.metric, limit.statistic],)
        ),
        drafts=None if simulation.speculation is None else _drafts_out(simulation.speculation),
        trace=None if simulation.replayed is None else _trace_out(simulation.replayed),
    )
    return outcome.model_copy(update={"simulation": simulated})


def verdict_of(simulated: Estimate, limit_s: float) -> Verdict:
    """Where the 95 % interval lies."""
    if simulated.low > limit_s:
        return Verdict.VIOLATED
    return Verdict.HOLDS if simulated.high <= limit_s else Verdict.UNDECIDED


def _scenario_out(scenario: ScenarioRun) -> SimulatedScenario:
    return SimulatedScenario(
        risk=scenario.risk,
        statistics=tuple(
            SimulatedStatistic(
                metric=metric.value,
                statistic=statistic.value,
                predicted_s=_finite(compared.predicted_s),
                simulated_s=_finite(compared.simulated.value),
                interval_s=_interval(compared.simulated),
            )
            for (metric, statistic), compared in scenario.statistics.items()
        ),
        unfinished_share=scenario.unfinished_share,
        preemptions=scenario.preemptions,
        prefix_hit=scenario.prefix_hit,
    )


def _drafts_out(speculation: Speculation) -> SimulatedDrafts:
    return SimulatedDrafts(
        drafted=speculation.drafted,
        acceptance=speculation.acceptance,
        draft_cost=speculation.draft_cost,
        kept_tokens=speculation.kept,
    )


def _trace_out(replayed: Replayed) -> SimulatedTrace:
    recording = replayed.recording
    trace, window = recording.trace, recording.window
    return SimulatedTrace(
        file=recording.file,
        sha256=trace.sha256,
        requests=trace.requests,
        window_start=trace.moment(window.start_s),
        window_s=window.length_s,
        window_requests=window.requests,
        design_rate_per_s=replayed.design_rate_per_s,
        prefix_hit_ceiling=trace.prefix_hit_ceiling,
    )


def limit_out(limit: LatencyLimit, predicted_s: float, simulated: Estimate) -> SimulatedLimit:
    """A limit beside its statistic as the laws predict it and as requests had it."""
    return SimulatedLimit(
        requirement=limit.id,
        limit_s=limit.limit_s,
        predicted_s=_finite(predicted_s),
        simulated_s=_finite(simulated.value),
        interval_s=_interval(simulated),
        verdict=verdict_of(simulated, limit.limit_s),
    )


def _finite(value_s: float) -> float | None:
    return value_s if isfinite(value_s) else None


def _interval(simulated: Estimate) -> tuple[float | None, float | None]:
    return _finite(simulated.low), _finite(simulated.high)
