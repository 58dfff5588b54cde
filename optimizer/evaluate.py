"""THE evaluation: every number about a candidate comes from here.

It builds the columns that the solver sees, and it verifies the design that the solver returns: "declared feasible"
and "feasible when re-evaluated" are one computation. `meets` and `predict_open` call the same laws; `meets` only
stops early for candidates that a cheaper law already refused.

Rates are whole-replica arrivals per second; a replica with pp pipeline stages is pp interleaved pipelines that share
its arrivals and its KV cache. Times are seconds, (R,) unless said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from optimizer.arithmetic.arrays import map_arrays
from optimizer.arithmetic.step_times import StepTimes
from optimizer.traffic.fluid import (
    OperatingPoint,
    TrafficTables,
    kv_tokens_needed,
    operating_point,
    sequences_needed,
)
from optimizer.traffic.percentiles import decoding_s, tpot_factor
from optimizer.traffic.step_tables import SEQUENCES, DecodeTables, decode_tables, prefill_chunks, prefill_increments
from optimizer.traffic.tails import CROWDED_DEVIATIONS, FirstTokenLaw, first_token_law, own_time
from optimizer.traffic.workload_bins import WorkloadBins
from requirements_specs.requirement import LatencyLimit, Metric, Statistic

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]


# Share of the KV cache that one standard deviation of the step time's error takes with it (DESIGN rule 8).
KV_SHARE_PER_DEVIATION = 0.05


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
class Physics:
    """K physics keys beside one workload: everything that neither the rate nor the engine limits change.

    step_deviation (K,): standard deviation of the logarithm of the step time. increments: prefill tables that were
    asked for before, by key and largest useful token budget; a memo, never part of a result.
    """

    step_times: StepTimes
    bins: WorkloadBins
    decode: DecodeTables
    step_deviation: Floats
    increments: dict[tuple[int, float], Floats] = field(default_factory=dict, repr=False, compare=False)

    def slowdown(self, keys: Integers, deviations: float) -> Floats:
        """Factor on the step times of the given keys in a scenario, (R,)."""
        return np.exp(self.step_deviation[keys] * deviations)

    def kv_tokens_per_pipeline(self, keys: Integers, deviations: float) -> Floats:
        """KV cache of one pipeline in a scenario, tokens, (R,)."""
        usable = self.step_times.kv_capacity_tokens[keys] / self.step_times.pp[keys]
        return usable * (1.0 - KV_SHARE_PER_DEVIATION * deviations)


def prepare(step_times: StepTimes, bins: WorkloadBins, step_deviation: Floats) -> Physics:
    """Tabulate the decode steps of all keys."""
    return Physics(step_times, bins, decode_tables(step_times, bins), step_deviation)


@dataclass(frozen=True)
class Candidates:
    """R rows (physics key, token budget, max_num_seqs) with their prefill tables.

    increment_s (R, G, J): prefill increments, before any scenario.
    """

    physics: Physics
    keys: Integers
    token_budget: Floats
    max_num_seqs: Floats
    increment_s: Floats

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.keys)

    def take(self, rows: Integers | Bools) -> Candidates:
        """The given rows."""
        return Candidates(
            self.physics, self.keys[rows], self.token_budget[rows], self.max_num_seqs[rows], self.increment_s[rows]
        )


def tabulate(physics: Physics, keys: Integers, token_budget: Floats, max_num_seqs: Floats) -> Candidates:
    """Candidates with the prefill tables that their token budgets ask for."""
    useful = np.minimum(token_budget, physics.bins.new_tokens.max() + SEQUENCES[-1])
    wanted = list(zip(keys.tolist(), useful.tolist(), strict=True))
    missing = sorted(set(wanted) - physics.increments.keys())
    if missing:
        missing_keys = np.array([key for key, _ in missing], dtype=np.int64)
        missing_budget = np.array([budget for _, budget in missing])
        step_times = physics.step_times.take(missing_keys)
        tables = prefill_increments(step_times, physics.bins, missing_budget, physics.decode.decode_s[missing_keys])
        tables = step_times.prefill_factor[:, None, None] * tables + step_times.prefill_event_s[:, None, None]
        physics.increments.update(zip(missing, tables, strict=True))
    increment_s = np.stack([physics.increments[row] for row in wanted])
    return Candidates(physics, keys, token_budget, max_num_seqs, increment_s)


@dataclass(frozen=True)
class State:
    """Mean state of R candidates at their rates, and whether the load walls hold there."""

    point: OperatingPoint
    tables: TrafficTables
    kv_tokens: Floats
    kv_tokens_needed: Floats
    sequences_needed: Floats
    within_walls: Bools


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
    kv_tokens = physics.kv_tokens_per_pipeline(keys, question.deviations)
    kv_needed = kv_tokens_needed(point, physics.bins, physics.step_times.kv_block_tokens)
    slots = sequences_needed(point)
    within_walls = (
        ~point.overloaded
        & (point.prefill_load <= question.load_cap)
        & (point.budget_load <= question.load_cap)
        & (point.decode_elasticity <= question.load_cap)
        & (slots <= candidates.max_num_seqs)
        & (kv_needed <= kv_tokens)
    )
    return State(point, tables, kv_tokens, kv_needed, slots, within_walls)


def first_token(candidates: Candidates, state: State) -> FirstTokenLaw:
    """Law of TTFT of candidates whose walls hold."""
    point = state.point
    crowded = _interpolate(state.tables.decode_s, point.sequences + CROWDED_DEVIATIONS * point.deviation)
    usual = _interpolate(state.tables.decode_s, point.sequences)
    return first_token_law(point, own_first_token_s(candidates, state), crowded / usual, candidates.physics.bins)


def own_first_token_s(candidates: Candidates, state: State) -> Floats:
    """TTFT of a request that waits for nobody, per prompt bin, (R, J)."""
    physics, point = candidates.physics, state.point
    chunks = prefill_chunks(physics.bins, candidates.token_budget, point.sequences[:, None])[:, 0, :]
    return own_time(
        point,
        chunks - 1.0,
        physics.step_times.host_s[candidates.keys],
        physics.step_times.own_prefill_factor[candidates.keys],
    )


def meets(candidates: Candidates, rate_per_s: Floats, question: Question) -> Bools:
    """Whether each candidate meets every requirement at its rate, (R,).

    Stops early: walls and TPOT first, then the laws that need the transform.
    """
    state = mean_state(candidates, rate_per_s, question)
    met = state.within_walls.copy()
    for limit in question.limits:
        if limit.metric is Metric.TPOT:
            met &= tpot_factor(limit.statistic) * state.point.step_s <= limit.limit_s
    waiting = [limit for limit in question.limits if limit.metric is not Metric.TPOT]
    if not waiting:
        return met
    for test in (_may_hold, _hold):
        alive = np.flatnonzero(met)
        if not len(alive):
            break
        met[alive] = test(candidates.take(alive), map_arrays(state, lambda array: array[alive]), waiting)  # noqa: B023
    return met


def _may_hold(candidates: Candidates, state: State, limits: Sequence[LatencyLimit]) -> Bools:
    """Whether TTFT and E2E limits would hold if nobody waited; a refusal is exact, for no wait is negative."""
    own_s = own_first_token_s(candidates, state)
    share = candidates.physics.bins.prompt_share
    met = np.ones(len(candidates), dtype=bool)
    for limit in limits:
        allowance = _allowance(limit, candidates, state)
        probability = limit.statistic.probability
        if probability is None:
            met &= (own_s * share).sum(axis=1) <= allowance
        else:
            met &= ((own_s >= allowance[:, None]) * share).sum(axis=1) <= 1.0 - probability
    return met


def _hold(candidates: Candidates, state: State, limits: Sequence[LatencyLimit]) -> Bools:
    """Whether TTFT and E2E limits hold; percentiles are decided by the share of requests beyond the limit."""
    law = first_token(candidates, state)
    met = np.ones(len(candidates), dtype=bool)
    for limit in limits:
        allowance = _allowance(limit, candidates, state)
        probability = limit.statistic.probability
        met &= law.mean_s <= allowance if probability is None else law.exceedance(allowance) <= 1.0 - probability
    return met


def _allowance(limit: LatencyLimit, candidates: Candidates, state: State) -> Floats:
    """What a limit leaves for the first token, (R,)."""
    return limit.limit_s - _after_first_token(limit.metric, limit.statistic, candidates, state)


def _after_first_token(metric: Metric, statistic: Statistic, candidates: Candidates, state: State) -> Floats:
    """Part of the metric that follows the first token, (R,): nothing for TTFT."""
    if metric is Metric.TTFT:
        return np.zeros(len(candidates))
    bins = candidates.physics.bins
    probability = statistic.probability
    output = bins.mean_output if probability is None else bins.output_quantile(probability)
    return decoding_s(state.point.step_s, output, statistic)


def statistic_of(
    metric: Metric, statistic: Statistic, candidates: Candidates, state: State, law: FirstTokenLaw
) -> Floats:
    """One predicted statistic, (R,) seconds, of candidates whose walls hold."""
    if metric is Metric.TPOT:
        return tpot_factor(statistic) * state.point.step_s
    probability = statistic.probability
    first = law.mean_s if probability is None else law.percentile(probability)
    return first + _after_first_token(metric, statistic, candidates, state)


def largest_ratio(candidates: Candidates, rate_per_s: Floats, question: Question) -> Floats:
    """Largest predicted/limit over the latency limits, (R,), of candidates that meet them; 0 without limits."""
    state = mean_state(candidates, rate_per_s, question)
    ratio = np.zeros(len(candidates))
    if not question.limits:
        return ratio
    law = first_token(candidates, state)
    for limit in question.limits:
        predicted = statistic_of(limit.metric, limit.statistic, candidates, state, law)
        ratio = np.maximum(ratio, predicted / limit.limit_s)
    return ratio


def highest_rate(candidates: Candidates, question: Question) -> Floats:
    """Highest arrival rate of one replica at which every requirement holds, (R,) per second; 0 if none.

    A bisection on the logarithm of the rate between one request a month and the bound of the mean layer; the result
    holds, a few parts in 10⁸ more may not.
    """
    lower = np.full(len(candidates), LOWEST_RATE_PER_S)
    feasible = meets(candidates, lower, question)
    upper = np.maximum(rate_bound(candidates, question), 2.0 * LOWEST_RATE_PER_S)
    for _ in range(_RATE_BISECTIONS):
        middle = np.sqrt(lower * upper)
        met = meets(candidates, middle, question)
        lower = np.where(met, middle, lower)
        upper = np.where(met, upper, middle)
    return np.where(feasible, lower, 0.0)


_RATE_BISECTIONS = 32
# One request a month: waiting and sharing vanish, what is left is the time of one request alone.
LOWEST_RATE_PER_S = 1.0 / (730.0 * 3600.0)


def rate_bound(candidates: Candidates, question: Question) -> Floats:
    """Rate of one replica that no candidate can exceed, (R,), from the fluid floor alone.

    At an operating point N = λ·E[o]·T with T ≥ S(N), so λ ≤ N/(E[o]·S(N)) for the N that the slots, the KV cache and
    the TPOT limits still allow; on each linear piece of S the ratio is monotone, so nodes and the cut are enough.
    """
    physics, keys = candidates.physics, candidates.keys
    return key_rate_bound(physics, keys, candidates.max_num_seqs, question)


def key_rate_bound(physics: Physics, keys: Integers, max_num_seqs: Floats, question: Question) -> Floats:
    """As `rate_bound`, for physics keys whose token budget is open."""
    fluid_s = physics.decode.fluid_s[keys] * physics.slowdown(keys, question.deviations)[:, None]
    kv_tokens = physics.kv_tokens_per_pipeline(keys, question.deviations)
    context = physics.bins.mean_context + physics.step_times.kv_block_tokens / 2.0
    most = np.minimum(max_num_seqs, kv_tokens / context)
    for limit in question.limits:
        if limit.metric is Metric.TPOT:
            most = np.minimum(most, _sequences_within(fluid_s, limit.limit_s / tpot_factor(limit.statistic)))
    fits = kv_tokens >= physics.bins.longest_request + physics.step_times.kv_block_tokens
    at_most = np.maximum(most, 1e-12)
    step_at_most = _interpolate(fluid_s, at_most)
    ratios = np.where(SEQUENCES[None, :] <= most[:, None], SEQUENCES / fluid_s, 0.0)
    best = np.maximum(ratios.max(axis=1), at_most / step_at_most)
    bound = physics.step_times.pp[keys] * best / physics.bins.mean_output
    return np.where(fits & (most > 0.0), bound, 0.0)


def _sequences_within(step_s: Floats, limit_s: float) -> Floats:
    """Most sequences, on the linear pieces of a step table (R, G), whose step is within the limit; 0 if none, (R,)."""
    inside = step_s <= limit_s
    last = inside.sum(axis=1) - 1
    rows = np.arange(len(step_s))
    left = np.clip(last, 0, len(SEQUENCES) - 2)
    rise = step_s[rows, left + 1] - step_s[rows, left]
    share = np.divide(limit_s - step_s[rows, left], rise, out=np.ones_like(rise), where=rise > 0.0)
    cut = SEQUENCES[left] + np.clip(share, 0.0, 1.0) * (SEQUENCES[left + 1] - SEQUENCES[left])
    return np.where(last < 0, 0.0, np.where(last == len(SEQUENCES) - 1, np.inf, cut))


def _interpolate(table: Floats, sequences: Floats) -> Floats:
    """Linear interpolation of a table (R, G) at a number of sequences (R,); constant beyond the last node."""
    right = np.clip(np.searchsorted(SEQUENCES, sequences), 1, len(SEQUENCES) - 1)
    rows = np.arange(len(table))
    low, high = SEQUENCES[right - 1], SEQUENCES[right]
    share = np.clip((sequences - low) / (high - low), 0.0, 1.0)
    interpolated: Floats = table[rows, right - 1] + share * (table[rows, right] - table[rows, right - 1])
    return interpolated
