"""The state of candidates at a rate: operating point, load walls and the law of the first token.

Rates are whole-replica arrivals per second; a replica with pp pipeline stages is pp interleaved pipelines that share
its arrivals and its KV cache. Times are seconds, (R,) unless said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.arithmetic.arrays import map_arrays
from optimizer.evaluate.candidates import Candidates, engine_prefill
from optimizer.traffic.decoding_law import DecodingLaw, decoding_law
from optimizer.traffic.fluid import (
    OperatingPoint,
    TrafficTables,
    kv_tokens_needed,
    operating_point,
    sequences_needed,
)
from optimizer.traffic.step_tables import at_sequences
from optimizer.traffic.tails import CROWDED_DEVIATIONS, FirstTokenLaw, first_token_law, own_time
from requirements_specs.requirement import LatencyLimit, Metric, Statistic

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


# Beyond this the law of the first token is no longer trusted, whatever load the user allows.
LARGEST_QUEUE_LOAD = 0.85
# One request a month: waiting and sharing vanish, what is left is the time of one request alone.
LOWEST_RATE_PER_S = 1.0 / (730.0 * 3600.0)


@dataclass(frozen=True)
class Question:
    """What a replica must hold, and how pessimistically it is asked.

    limits: the latency limits. load_cap: largest share of each load (the rate over the highest, the queue of prompts,
    the token budget). deviations: the scenario, in standard deviations of the logarithm of the step time (0 is the
    point prediction).
    """

    limits: tuple[LatencyLimit, ...]
    load_cap: float
    deviations: float


@dataclass(frozen=True)
class State:
    """Mean state of R candidates at their rates, and whether the load walls hold there."""

    point: OperatingPoint
    tables: TrafficTables
    kv_tokens: Floats
    kv_tokens_needed: Floats
    sequences_needed: Floats
    within_walls: Bools

    @property
    def steady(self) -> Bools:
        """Whether waiting ends at all: an operating point exists and prefills leave time for others, (R,)."""
        return ~self.point.overloaded & (self.point.queue_load < 1.0)

    def take(self, rows: NDArray[np.int64]) -> State:
        """The given rows."""
        return map_arrays(self, lambda array: array[rows])


def mean_state(candidates: Candidates, rate_per_s: Floats, question: Question) -> State:
    """Operating points and load walls; `rate_per_s` (R,) per replica, positive."""
    physics, keys = candidates.physics, candidates.keys
    step_times = physics.step_times
    tables = scenario_tables(candidates, question.deviations)
    point = operating_point(rate_per_s / step_times.pp[keys], tables, physics.bins, candidates.token_budget)
    kv_tokens = physics.kv_tokens_per_pipeline(keys, question.deviations)
    groups = step_times.dp_attention[keys].astype(np.float64)
    kv_needed = kv_tokens_needed(point, physics.bins, step_times.kv_block_tokens, groups)
    slots = sequences_needed(point)
    within_walls = (
        (point.load <= question.load_cap)
        & (point.queue_load <= min(question.load_cap, LARGEST_QUEUE_LOAD))
        & (point.budget_load <= question.load_cap)
        & (slots <= candidates.max_num_seqs)
        & (kv_needed <= kv_tokens)
    )
    return State(point, tables, kv_tokens, kv_needed, slots, within_walls)


def scenario_tables(candidates: Candidates, deviations: float) -> TrafficTables:
    """The tables of candidates, slowed to a scenario."""
    physics, keys = candidates.physics, candidates.keys
    slowdown = physics.slowdown(keys, deviations)
    step_times = physics.step_times
    return TrafficTables(
        decode_s=physics.tables.decode_s[keys] * slowdown[:, None],
        fluid_s=physics.tables.fluid_s[keys] * slowdown[:, None],
        hold_s=candidates.hold_s * slowdown[:, None, None],
        added_s=engine_prefill(step_times, physics.tables.added_s)[keys] * slowdown[:, None],
        further_chunk_s=step_times.prefill_factor[keys] * physics.tables.further_chunk_s[keys] * slowdown,
    )


def first_token(candidates: Candidates, state: State) -> FirstTokenLaw:
    """Law of TTFT of candidates in a steady state."""
    point = state.point
    crowded = at_sequences(state.tables.decode_s, point.sequences + CROWDED_DEVIATIONS * point.deviation)
    return first_token_law(
        point, own_first_token_s(candidates, state), crowded / point.decode_s, candidates.physics.bins
    )


def own_first_token_s(candidates: Candidates, state: State) -> Floats:
    """TTFT of a request that waits for nobody, per prompt bin, (R, J)."""
    step_times, point = candidates.physics.step_times, state.point
    return own_time(
        point.hold_s,
        point.added_s,
        step_times.host_s[candidates.keys],
        step_times.own_prefill_factor[candidates.keys],
    )


def between_tokens(candidates: Candidates, state: State) -> DecodingLaw:
    """Law of TPOT of candidates in a steady state."""
    return decoding_law(state.point, state.tables, candidates.physics.bins, candidates.token_budget)


def tpot_of(statistic: Statistic, law: DecodingLaw, point: OperatingPoint) -> Floats:
    """One predicted statistic of TPOT, (R,) seconds: the mean step where no request has a second token."""
    probability = statistic.probability
    if probability is None:
        seconds = law.mean_tpot_s
    else:
        seconds = law.tpot_percentile(probability)
        if statistic is not Statistic.P50:
            seconds = np.maximum(seconds, point.step_s)
    return np.where(law.has_gaps, seconds, point.step_s)


def tpot_holds(limit: LatencyLimit, law: DecodingLaw, point: OperatingPoint) -> Bools:
    """Whether a limit of TPOT holds, (R,), as `tpot_of` would tell."""
    probability = limit.statistic.probability
    limit_s = np.full(len(point.step_s), limit.limit_s)
    if probability is None:
        held: Bools = law.mean_tpot_s <= limit_s
    else:
        held = law.tpot_exceedance(limit_s) <= 1.0 - probability
        if limit.statistic is not Statistic.P50:
            held &= point.step_s <= limit_s
    return np.where(law.has_gaps, held, point.step_s <= limit_s)


def after_first_token(metric: Metric, statistic: Statistic, law: DecodingLaw) -> Floats:
    """Part of the metric that follows the first token, (R,) seconds: nothing for TTFT.

    Percentiles of E2E add those of its parts, which no dependence between them can exceed by much.
    """
    if metric is Metric.TTFT:
        return np.zeros(len(law.step_s))
    probability = statistic.probability
    return law.mean_duration_s if probability is None else law.duration_percentile(probability)


def statistic_of(
    metric: Metric, statistic: Statistic, candidates: Candidates, state: State, law: FirstTokenLaw
) -> Floats:
    """One predicted statistic, (R,) seconds, of candidates whose walls hold."""
    tokens = between_tokens(candidates, state)
    if metric is Metric.TPOT:
        return tpot_of(statistic, tokens, state.point)
    probability = statistic.probability
    first = law.mean_s if probability is None else law.percentile(probability)
    return first + after_first_token(metric, statistic, tokens)
