"""The state of candidates at a rate: operating point, load walls and the law of the first token.

Rates are whole-replica arrivals per second; a replica with pp pipeline stages is pp interleaved pipelines that share
its arrivals and its KV cache. Times are seconds, (R,) unless said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.evaluate.candidates import Candidates
from optimizer.traffic.fluid import (
    OperatingPoint,
    TrafficTables,
    kv_tokens_needed,
    operating_point,
    sequences_needed,
    with_further_chunks,
)
from optimizer.traffic.percentiles import decoding_s, tpot_factor
from optimizer.traffic.step_tables import at_sequences, prefill_chunks
from optimizer.traffic.tails import CROWDED_DEVIATIONS, FirstTokenLaw, first_token_law, own_time
from optimizer.traffic.workload_bins import WorkloadBins
from requirements_specs.requirement import LatencyLimit, Metric, Statistic

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


# One request a month: waiting and sharing vanish, what is left is the time of one request alone.
LOWEST_RATE_PER_S = 1.0 / (730.0 * 3600.0)


@dataclass(frozen=True)
class Question:
    """What a replica must hold, and how pessimistically it is asked.

    limits: the latency limits. load_cap: largest share of prefill, token-budget and decode load. deviations: the
    scenario, in standard deviations of the logarithm of the step time (0 is the point prediction).
    """

    limits: tuple[LatencyLimit, ...]
    load_cap: float
    deviations: float


@dataclass(frozen=True)
class State:
    """Mean state of R candidates at their rates, and whether the load walls hold there.

    queue: the same operating point as whoever waits for prefills sees it, where a prompt also takes the steps that its
    further chunks need. chunks (R, J): steps that the prefill of a prompt takes.
    """

    point: OperatingPoint
    queue: OperatingPoint
    chunks: Floats
    tables: TrafficTables
    kv_tokens: Floats
    kv_tokens_needed: Floats
    sequences_needed: Floats
    within_walls: Bools

    @property
    def steady(self) -> Bools:
        """Whether waiting ends at all: an operating point exists and prefills leave time for others, (R,)."""
        return ~self.point.overloaded & (self.queue.prefill_load < 1.0)


def mean_state(candidates: Candidates, rate_per_s: Floats, question: Question) -> State:
    """Operating points and load walls; `rate_per_s` (R,) per replica, positive."""
    physics, keys = candidates.physics, candidates.keys
    slowdown = physics.slowdown(keys, question.deviations)
    increment_s = candidates.increment_s * slowdown[:, None, None]
    tables = TrafficTables(
        decode_s=physics.decode.decode_s[keys] * slowdown[:, None],
        fluid_s=physics.decode.fluid_s[keys] * slowdown[:, None],
        increment_s=increment_s,
        mean_increment_s=(increment_s * physics.bins.prompt_share).sum(axis=2),
    )
    pipeline_rate = rate_per_s / physics.step_times.pp[keys]
    point = operating_point(pipeline_rate, tables, physics.bins, candidates.token_budget)
    chunks = prefill_chunks(physics.bins, candidates.token_budget, point.sequences[:, None])[:, 0, :]
    queue = with_further_chunks(point, chunks, physics.bins)
    kv_tokens = physics.kv_tokens_per_pipeline(keys, question.deviations)
    kv_needed = kv_tokens_needed(point, physics.bins, physics.step_times.kv_block_tokens)
    slots = sequences_needed(point)
    within_walls = (
        ~point.overloaded
        & (queue.prefill_load <= question.load_cap)
        & (point.budget_load <= question.load_cap)
        & (point.decode_elasticity <= question.load_cap)
        & (slots <= candidates.max_num_seqs)
        & (kv_needed <= kv_tokens)
    )
    return State(point, queue, chunks, tables, kv_tokens, kv_needed, slots, within_walls)


def first_token(candidates: Candidates, state: State) -> FirstTokenLaw:
    """Law of TTFT of candidates in a steady state."""
    point = state.point
    crowded = at_sequences(state.tables.decode_s, point.sequences + CROWDED_DEVIATIONS * point.deviation)
    usual = at_sequences(state.tables.decode_s, point.sequences)
    return first_token_law(state.queue, own_first_token_s(candidates, state), crowded / usual, candidates.physics.bins)


def own_first_token_s(candidates: Candidates, state: State) -> Floats:
    """TTFT of a request that waits for nobody, per prompt bin, (R, J)."""
    step_times = candidates.physics.step_times
    return own_time(
        state.point.decode_s,
        state.point.increment_s,
        state.chunks,
        step_times.host_s[candidates.keys],
        step_times.own_prefill_factor[candidates.keys],
    )


def after_first_token(metric: Metric, statistic: Statistic, bins: WorkloadBins, step_s: Floats) -> Floats:
    """Part of the metric that follows the first token at a mean step (R,): nothing for TTFT."""
    if metric is Metric.TTFT:
        return np.zeros(len(step_s))
    probability = statistic.probability
    output = bins.mean_output if probability is None else bins.output_quantile(probability)
    return decoding_s(step_s, output, statistic)


def statistic_of(
    metric: Metric, statistic: Statistic, candidates: Candidates, state: State, law: FirstTokenLaw
) -> Floats:
    """One predicted statistic, (R,) seconds, of candidates whose walls hold."""
    if metric is Metric.TPOT:
        return tpot_factor(statistic) * state.point.step_s
    probability = statistic.probability
    first = law.mean_s if probability is None else law.percentile(probability)
    return first + after_first_token(metric, statistic, candidates.physics.bins, state.point.step_s)
