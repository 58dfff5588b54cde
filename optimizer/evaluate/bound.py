"""What no candidate can exceed: a rate, from the fluid floor; a first token, from the own prefill beside nobody."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from optimizer.evaluate.candidates import Candidates, Physics, engine_prefill, useful_budget
from optimizer.evaluate.state import Question
from optimizer.traffic.fluid import longest_needs
from optimizer.traffic.step_tables import SEQUENCES, at_sequences, prefill_holds
from optimizer.traffic.tails import own_time
from optimizer.traffic.workload_bins import WorkloadBins
from requirements_specs.requirement import Metric, Statistic

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]


def rate_bound(candidates: Candidates, question: Question) -> Floats:
    """Rate of one replica that no candidate can exceed, (R,), from the fluid floor alone.

    At an operating point N = λ·E[o]·T with T ≥ S(N), so λ ≤ N/(E[o]·S(N)) for the N that the slots, the KV cache and
    the TPOT limits still allow; on each linear piece of S the ratio is monotone, so nodes and the cut are enough.
    """
    physics, keys = candidates.physics, candidates.keys
    return key_rate_bound(physics, keys, candidates.max_num_seqs, question)


def key_rate_bound(physics: Physics, keys: Integers, max_num_seqs: Floats, question: Question) -> Floats:
    """As `rate_bound`, for physics keys whose token budget is open."""
    slowdown = physics.slowdown(keys, question.deviations)[:, None]
    decode_s, fluid_s = physics.tables.decode_s[keys] * slowdown, physics.tables.fluid_s[keys] * slowdown
    kv_tokens = physics.kv_tokens_per_pipeline(keys, question.deviations)
    context = physics.bins.mean_context + physics.step_times.kv_block_tokens / 2.0
    most = np.minimum(max_num_seqs, kv_tokens / context)
    for limit in question.limits:
        if limit.metric is Metric.TPOT:
            # Only the median may lie below the mean step, and it is no shorter than a step without prompts.
            least_s = decode_s if limit.statistic is Statistic.P50 else fluid_s
            most = np.minimum(most, _sequences_within(least_s, limit.limit_s))
    groups = physics.step_times.dp_attention[keys].astype(np.float64)
    fits = kv_tokens >= longest_needs(physics.bins, physics.step_times.kv_block_tokens, groups)
    at_most = np.maximum(most, 1e-12)
    step_at_most = at_sequences(fluid_s, at_most)
    ratios = np.where(SEQUENCES[None, :] <= most[:, None], SEQUENCES / fluid_s, 0.0)
    best = np.maximum(ratios.max(axis=1), at_most / step_at_most)
    bound = physics.step_times.pp[keys] * best / physics.bins.mean_output
    return np.where(fits & (most > 0.0), bound, 0.0)


def keys_that_may_answer(physics: Physics, token_budgets: Floats, question: Question) -> Bools:
    """Whether a request that meets an idle replica would be in time with any of the token budgets, (K,).

    Every term of TTFT and E2E is non-decreasing in the rate and no wait is negative, so a refusal is exact.
    """
    step_s, bins = _least_step_s(physics, question), physics.bins
    limits = [limit for limit in question.limits if limit.metric is not Metric.TPOT]
    may: Bools = np.full(len(step_s), not limits)
    for own_s in _own_first_tokens_s(physics, token_budgets, question) if limits else ():
        in_time = np.ones(len(step_s), dtype=bool)
        for limit in limits:
            allowance = limit.limit_s - least_after_first_token(limit.metric, limit.statistic, bins, step_s)
            in_time &= in_time_alone(limit.statistic, own_s, allowance, bins)
        may |= in_time
    return may


def least_e2e_mean_s(physics: Physics, token_budgets: Floats, question: Question) -> Floats:
    """Mean E2E of requests that meet an idle replica with the best of the token budgets, (K,): none is faster."""
    bins = physics.bins
    first_s = np.stack(
        [(own_s * bins.prompt_share).sum(axis=1) for own_s in _own_first_tokens_s(physics, token_budgets, question)]
    )
    rest_s = least_after_first_token(Metric.E2E, Statistic.MEAN, bins, _least_step_s(physics, question))
    least: Floats = first_s.min(axis=0) + rest_s
    return least


def least_after_first_token(metric: Metric, statistic: Statistic, bins: WorkloadBins, step_s: Floats) -> Floats:
    """The least that follows the first token, (K,) seconds, if no step is shorter than `step_s`: nothing for TTFT."""
    if metric is Metric.TTFT:
        return np.zeros(len(step_s))
    probability = statistic.probability
    output = bins.mean_output if probability is None else bins.output_quantile(probability)
    return np.maximum(output - 1.0, 0.0) * step_s


def _least_step_s(physics: Physics, question: Question) -> Floats:
    """The step of one sequence, (K,)."""
    return physics.tables.decode_s[:, 0] * physics.slowdown(np.arange(physics.step_times.count), question.deviations)


def _own_first_tokens_s(physics: Physics, token_budgets: Floats, question: Question) -> Iterator[Floats]:
    """TTFT of a request that meets an idle replica, (K, J), for each token budget that differs for it."""
    step_times, bins = physics.step_times, physics.bins
    slowdown = physics.slowdown(np.arange(step_times.count), question.deviations)
    for budget in sorted(set(useful_budget(bins, token_budgets).tolist())):
        raw_s = prefill_holds(step_times, bins, np.full(step_times.count, budget), SEQUENCES[:1])[:, 0, :]
        hold_s = slowdown[:, None] * engine_prefill(step_times, raw_s)
        added_s = slowdown[:, None] * engine_prefill(step_times, physics.tables.added_s)
        yield own_time(hold_s, added_s, step_times.host_s, step_times.own_prefill_factor)


def in_time_alone(statistic: Statistic, own_s: Floats, allowance_s: Floats, bins: WorkloadBins) -> Bools:
    """Whether the own times (R, J) alone leave a statistic of the first token within its allowance (R,)."""
    probability = statistic.probability
    share = bins.prompt_share
    if probability is None:
        in_time: Bools = (own_s * share).sum(axis=1) <= allowance_s
    else:
        in_time = ((own_s >= allowance_s[:, None]) * share).sum(axis=1) <= 1.0 - probability
    return in_time


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
