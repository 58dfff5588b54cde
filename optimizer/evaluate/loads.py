"""Replicas under one of four loads: open arrivals, a closed loop, everything queued at once, or one static batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.arithmetic.loads import LoadShape, LoadTimes, Scenario, closed_loop, offline, static
from optimizer.arithmetic.step_times import LoadStepTimes, StepTimes
from optimizer.evaluate.arrivals import ReplicaArrivals
from optimizer.evaluate.candidates import KV_SHARE_PER_DEVIATION, prepare, tabulate
from optimizer.evaluate.spread import StepSpread
from optimizer.evaluate.state import LOWEST_RATE_PER_S, Laws, Question, mean_state
from optimizer.traffic.step_tables import SEQUENCES
from optimizer.traffic.workload_bins import constant_lengths
from requirements_specs.requirement import Metric, Statistic

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
# Assumed of loads without random arrivals, where prompts spread the steps of a request less; not measured.
REGULAR_TPOT_P99 = 1.10


@dataclass(frozen=True)
class Open:
    """Arrivals at one replica, per second, (R,), and their index of dispersion, (R,): 1 for Poisson arrivals."""

    rate_per_s: Floats
    dispersion: Floats


@dataclass(frozen=True)
class Closed:
    """Clients of one replica that each wait for their answer, and the requests of the whole run; (R,) both.

    slots: requests that the engine runs at once at most, (R,) or infinite.
    """

    concurrency: Floats
    requests: Floats
    slots: Floats | float = np.inf


@dataclass(frozen=True)
class Offline:
    """Every request queued at the start: the largest throughput."""


@dataclass(frozen=True)
class Static:
    """One batch of requests that starts and runs to its end together, (R,)."""

    batch: Floats


MeanLoad = Closed | Offline | Static
Load = Open | MeanLoad


@dataclass(frozen=True)
class Evaluation:
    """Figures of R replicas, (R,) each; percentiles of TTFT are None where the load defines none.

    fits: weights and the load's least KV cache fit. steady: arrivals stay below the capacity; always, unless the load
    is open. resident: requests that run at once. Figures of a row that does not fit or is not steady mean nothing.
    """

    fits: Bools
    steady: Bools
    ttft_mean_s: Floats
    ttft_p50_s: Floats | None
    ttft_p99_s: Floats | None
    tpot_mean_s: Floats
    tpot_p99_s: Floats
    e2e_mean_s: Floats
    output_tokens_per_s: Floats
    resident: Floats


def evaluate(step_times: StepTimes, shape: LoadShape, load: Load, spread: StepSpread, deviations: float) -> Evaluation:
    """Figures of replicas, one row each with its own constant lengths.

    Args:
        step_times: R replicas.
        shape: their prompt and output lengths, (R,) each.
        load: what arrives.
        spread: how far their step times may lie from these.
        deviations: the scenario; 0 is the point prediction.

    """
    if isinstance(load, Open):
        return _open(step_times, shape, load, spread, deviations)
    return evaluate_means(step_times, shape, load, spread, deviations)


def evaluate_means(
    step_times: LoadStepTimes, shape: LoadShape, load: MeanLoad, spread: StepSpread, deviations: float
) -> Evaluation:
    """`evaluate` where nothing arrives by itself, so that steps of any source will do."""
    request = shape.prompt_tokens + shape.output_tokens
    needed = load.batch * request if isinstance(load, Static) else request
    capacity = _capacity(step_times, deviations)
    fits = capacity >= needed
    scenario = Scenario(spread.factor(deviations), np.where(fits, capacity, needed))
    match load:
        case Closed():
            times = closed_loop(step_times, shape, load.concurrency, load.requests, scenario, load.slots)
        case Offline():
            times = offline(step_times, shape, scenario)
        case Static():
            times = static(step_times, shape, load.batch, scenario)
    return _evaluation(times, None, None, REGULAR_TPOT_P99 * times.tpot_mean_s, fits, np.ones_like(fits))


def _capacity(step_times: LoadStepTimes, deviations: float) -> Floats:
    """Tokens that the KV cache holds in a scenario, (R,)."""
    return step_times.kv_capacity_tokens * (1.0 - KV_SHARE_PER_DEVIATION * deviations)


def _open(step_times: StepTimes, shape: LoadShape, load: Open, spread: StepSpread, deviations: float) -> Evaluation:
    """Open arrivals, with the engine's own token budget and as many slots as the tables reach."""
    fits = _capacity(step_times, deviations) >= shape.prompt_tokens + shape.output_tokens
    bins = constant_lengths(shape.prompt_tokens, shape.output_tokens, shape.prefix_hit)
    physics = prepare(step_times, bins, spread)
    rows = np.arange(step_times.count)
    candidates = tabulate(physics, rows, step_times.prefill_chunk_tokens, np.full(len(rows), SEQUENCES[-1]))
    question = Question((), 1.0, deviations, ReplicaArrivals(load.dispersion))
    state = mean_state(candidates, load.rate_per_s, question)
    steady = state.steady & (state.kv_tokens_needed <= state.kv_tokens)
    # A law needs a steady state; the figures of other rows mean nothing, so they take those of no load at all.
    alone = np.where(steady, load.rate_per_s, LOWEST_RATE_PER_S)
    state = mean_state(candidates, alone, question)
    laws = Laws(candidates, state)
    times = LoadTimes(
        ttft_mean_s=laws.statistic(Metric.TTFT, Statistic.MEAN),
        tpot_mean_s=laws.statistic(Metric.TPOT, Statistic.MEAN),
        e2e_mean_s=laws.statistic(Metric.E2E, Statistic.MEAN),
        output_tokens_per_s=load.rate_per_s * bins.mean_output,
        resident=state.point.sequences,
    )
    ttft_p50_s, ttft_p99_s = (laws.statistic(Metric.TTFT, each) for each in (Statistic.P50, Statistic.P99))
    return _evaluation(times, ttft_p50_s, ttft_p99_s, laws.statistic(Metric.TPOT, Statistic.P99), fits, steady)


def _evaluation(
    times: LoadTimes,
    ttft_p50_s: Floats | None,
    ttft_p99_s: Floats | None,
    tpot_p99_s: Floats,
    fits: Bools,
    steady: Bools,
) -> Evaluation:
    return Evaluation(
        fits=fits,
        steady=steady,
        ttft_mean_s=times.ttft_mean_s,
        ttft_p50_s=ttft_p50_s,
        ttft_p99_s=ttft_p99_s,
        tpot_mean_s=times.tpot_mean_s,
        tpot_p99_s=tpot_p99_s,
        e2e_mean_s=times.e2e_mean_s,
        output_tokens_per_s=times.output_tokens_per_s,
        resident=times.resident,
    )
