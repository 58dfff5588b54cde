"""A rate that no candidate can exceed, from the fluid floor alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.evaluate.candidates import Candidates, Physics
from optimizer.evaluate.state import Question
from optimizer.traffic.percentiles import tpot_factor
from optimizer.traffic.step_tables import SEQUENCES, at_sequences
from requirements_specs.requirement import Metric

Floats = NDArray[np.float64]
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
    fluid_s = physics.decode.fluid_s[keys] * physics.slowdown(keys, question.deviations)[:, None]
    kv_tokens = physics.kv_tokens_per_pipeline(keys, question.deviations)
    context = physics.bins.mean_context + physics.step_times.kv_block_tokens / 2.0
    most = np.minimum(max_num_seqs, kv_tokens / context)
    for limit in question.limits:
        if limit.metric is Metric.TPOT:
            most = np.minimum(most, _sequences_within(fluid_s, limit.limit_s / tpot_factor(limit.statistic)))
    fits = kv_tokens >= physics.bins.longest_request + physics.step_times.kv_block_tokens
    at_most = np.maximum(most, 1e-12)
    step_at_most = at_sequences(fluid_s, at_most)
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
