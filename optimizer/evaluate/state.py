"""The state of candidates at a rate: operating point, load walls, and the laws of latencies there.

Rates are whole-replica arrivals per second; a replica with pp pipeline stages is pp interleaved pipelines that share
its arrivals and its KV cache. Times are seconds, (R,) unless said.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from optimizer.arithmetic.arrays import map_arrays
from optimizer.evaluate.arrivals import POISSON, FleetArrivals, ReplicaArrivals
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
from optimizer.traffic.tails import CROWDED_DEVIATIONS, FirstTokenLaw, first_token_law, law_without_waiting, own_time
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
    point prediction). arrivals: how requests come to a replica.
    """

    limits: tuple[LatencyLimit, ...]
    load_cap: float
    deviations: float
    arrivals: FleetArrivals | ReplicaArrivals = POISSON

    def among(self, replicas: float | Floats) -> Question:
        """The same question of so many replicas, whatever they carry; a scalar or (R,)."""
        return replace(self, arrivals=self.arrivals.among(replicas))

    def take(self, rows: NDArray[np.int64]) -> Question:
        """The question of the given rows, where it is not the same for all."""
        return replace(self, arrivals=self.arrivals.take(rows))


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
    pipelines = step_times.pp[keys]
    dispersion = question.arrivals.dispersion_at(rate_per_s) / pipelines
    point = operating_point(rate_per_s / pipelines, dispersion, tables, physics.bins, candidates.token_budget)
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


def own_first_token_s(candidates: Candidates, state: State) -> Floats:
    """TTFT of a request that waits for nobody, per prompt bin, (R, J)."""
    step_times, point = candidates.physics.step_times, state.point
    return own_time(
        point.hold_s,
        point.added_s,
        step_times.host_s[candidates.keys],
        step_times.own_prefill_factor[candidates.keys],
    )


@dataclass(frozen=True)
class Laws:
    """The laws of R candidates in a steady state, each found when it is first read."""

    candidates: Candidates
    state: State

    @cached_property
    def first_token(self) -> FirstTokenLaw:
        """Of TTFT."""
        point, tables = self.state.point, self.state.tables
        crowded = at_sequences(tables.decode_s, point.sequences + CROWDED_DEVIATIONS * point.deviation)
        own_s = own_first_token_s(self.candidates, self.state)
        return first_token_law(point, own_s, crowded / point.decode_s, self.candidates.physics.bins)

    @cached_property
    def decoding(self) -> DecodingLaw:
        """Of TPOT, and of the time from the first to the last token."""
        bins = self.candidates.physics.bins
        return decoding_law(self.state.point, self.state.tables, bins, self.candidates.token_budget)

    def statistic(self, metric: Metric, statistic: Statistic) -> Floats:
        """One predicted statistic, (R,) seconds.

        Percentiles of E2E add those of its parts, which no dependence between them can exceed by much.
        """
        if metric is Metric.TPOT:
            return self.decoding.tpot(statistic)
        if statistic not in self._first_token_s:  # TTFT and E2E share it
            law, probability = self.first_token, statistic.probability
            self._first_token_s[statistic] = law.mean_s if probability is None else law.percentile(probability)
        return self._first_token_s[statistic] + self.after_first_token(metric, statistic)

    @cached_property
    def _first_token_s(self) -> dict[Statistic, Floats]:
        """Statistics of TTFT that were read before, (R,) seconds each."""
        return {}

    def after_first_token(self, metric: Metric, statistic: Statistic) -> Floats:
        """Part of TTFT or E2E that follows the first token, (R,) seconds: nothing for TTFT."""
        return np.zeros(len(self.candidates)) if metric is Metric.TTFT else self.decoding.duration(statistic)

    def holds(self, limit: LatencyLimit) -> Bools:
        """Whether a limit holds, (R,); percentiles are decided by the share of requests beyond it."""
        if limit.metric is Metric.TPOT:
            return self.decoding.tpot_holds(limit.statistic, limit.limit_s)
        probability = limit.statistic.probability
        if probability is None:
            return self.statistic(limit.metric, limit.statistic) <= limit.limit_s
        allowance_s = limit.limit_s - self.after_first_token(limit.metric, limit.statistic)
        held: Bools = self.first_token.exceedance(allowance_s) <= 1.0 - probability
        return held


@dataclass(frozen=True)
class LawsWithoutWaiting(Laws):
    """What the laws would be if nobody waited for a first token: nothing of them is longer."""

    @cached_property
    def first_token(self) -> FirstTokenLaw:
        """Of TTFT."""
        return law_without_waiting(own_first_token_s(self.candidates, self.state), self.candidates.physics.bins)
