"""Whether candidates meet their requirements, and up to which rate.

`meets` and `largest_ratio` read the same laws; `meets` only stops early for candidates that a cheaper law already
refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from optimizer.evaluate.bound import in_time_alone, rate_bound
from optimizer.evaluate.candidates import Candidates, useful_budget
from optimizer.evaluate.state import (
    LOWEST_RATE_PER_S,
    Question,
    State,
    after_first_token,
    between_tokens,
    first_token,
    mean_state,
    own_first_token_s,
    statistic_of,
    tpot_holds,
    tpot_of,
)
from optimizer.traffic.decoding_law import DecodingLaw
from optimizer.traffic.tails import FirstTokenLaw, law_without_waiting
from requirements_specs.requirement import LatencyLimit, Metric, Statistic

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]

_RATE_BISECTIONS = 17


def meets(candidates: Candidates, rate_per_s: Floats, question: Question) -> Bools:
    """Whether each candidate meets every requirement at its rate, (R,).

    Stops early: walls and bare decode steps first, then the law of TPOT, then the laws that need the transform.
    """
    state = mean_state(candidates, rate_per_s, question)
    met = state.within_walls.copy()
    for limit in question.limits:
        if limit.metric is Metric.TPOT:
            met &= state.point.decode_s <= limit.limit_s
    for test in (_tpot_holds, _may_hold, _hold):
        alive = np.flatnonzero(met)
        if not len(alive):
            break
        met[alive] = test(candidates.take(alive), state.take(alive), question.limits)
    return met


def _tpot_holds(candidates: Candidates, state: State, limits: Sequence[LatencyLimit]) -> Bools:
    """Whether the limits of TPOT hold."""
    met = np.ones(len(candidates), dtype=bool)
    asked = [limit for limit in limits if limit.metric is Metric.TPOT]
    if asked:
        tokens = between_tokens(candidates, state)
        for limit in asked:
            met &= tpot_holds(limit, tokens, state.point)
    return met


def _may_hold(candidates: Candidates, state: State, limits: Sequence[LatencyLimit]) -> Bools:
    """Whether TTFT and E2E limits would hold if nobody waited; a refusal is exact, for no wait is negative."""
    asked = [limit for limit in limits if limit.metric is not Metric.TPOT]
    held: Bools = np.logical_and.reduce(limits_that_may_hold(candidates, state, asked), axis=1)
    return held


def _hold(candidates: Candidates, state: State, limits: Sequence[LatencyLimit]) -> Bools:
    """Whether TTFT and E2E limits hold; percentiles are decided by the share of requests beyond the limit."""
    asked = [limit for limit in limits if limit.metric is not Metric.TPOT]
    if not asked:
        return np.ones(len(candidates), dtype=bool)
    first, same = _distinct_laws(candidates, state, asked)
    distinct, distinct_state = candidates.take(first), state.take(first)
    law = first_token(distinct, distinct_state)
    tokens = _tokens_if_asked(distinct, distinct_state, asked)
    met = np.ones(len(first), dtype=bool)
    for limit in asked:
        met &= _holds_under(law, limit, _allowance(limit, tokens, len(first)))
    held: Bools = met[same]
    return held


def _holds_under(law: FirstTokenLaw, limit: LatencyLimit, allowance_s: Floats) -> Bools:
    """Whether a TTFT or E2E limit holds under a law of the first token."""
    probability = limit.statistic.probability
    if probability is None:
        held: Bools = law.mean_s <= allowance_s
    else:
        held = law.exceedance(allowance_s) <= 1.0 - probability
    return held


def limits_that_may_hold(candidates: Candidates, state: State, limits: Sequence[LatencyLimit]) -> Bools:
    """Whether each limit would hold if nobody waited, (R, L); exact for TPOT, and a refusal is exact for all."""
    own_s = own_first_token_s(candidates, state)
    tokens = _tokens_if_asked(candidates, state, limits)
    columns = [
        tpot_holds(limit, tokens, state.point)
        if limit.metric is Metric.TPOT and tokens is not None
        else in_time_alone(limit.statistic, own_s, _allowance(limit, tokens, len(candidates)), candidates.physics.bins)
        for limit in limits
    ]
    return np.stack(columns, axis=1) if columns else np.ones((len(candidates), 0), dtype=bool)


def limits_that_hold(candidates: Candidates, state: State, limits: Sequence[LatencyLimit]) -> Bools:
    """Whether each limit holds, (R, L), as `meets` decides it; of candidates within their load walls."""
    held = limits_that_may_hold(candidates, state, limits)
    waiting = [number for number, limit in enumerate(limits) if limit.metric is not Metric.TPOT]
    if not waiting or not len(candidates):
        return held
    first, same = _distinct_laws(candidates, state, limits)
    distinct, distinct_state = candidates.take(first), state.take(first)
    law = first_token(distinct, distinct_state)
    tokens = _tokens_if_asked(distinct, distinct_state, limits)
    for number in waiting:
        held[:, number] &= _holds_under(law, limits[number], _allowance(limits[number], tokens, len(first)))[same]
    return held


def statistics_of(candidates: Candidates, state: State, limits: Sequence[LatencyLimit]) -> Floats:
    """The predicted statistic of each limit, (R, L) seconds; of candidates within their load walls."""
    if all(limit.metric is Metric.TPOT for limit in limits):
        return _statistics_under(None, candidates, state, limits)
    first, same = _distinct_laws(candidates, state, limits)
    distinct, distinct_state = candidates.take(first), state.take(first)
    return _statistics_under(first_token(distinct, distinct_state), distinct, distinct_state, limits)[same]


def least_statistics(candidates: Candidates, state: State, limits: Sequence[LatencyLimit]) -> Floats:
    """What each statistic would be if nobody waited, (R, L) seconds: no larger than the predicted one."""
    law = law_without_waiting(own_first_token_s(candidates, state), candidates.physics.bins)
    return _statistics_under(law, candidates, state, limits)


def _statistics_under(
    law: FirstTokenLaw | None, candidates: Candidates, state: State, limits: Sequence[LatencyLimit]
) -> Floats:
    """Statistics under a law of the first token, (R, L) seconds; TPOT needs none."""
    tokens = _tokens_if_asked(candidates, state, limits)
    columns = [_statistic_under(law, tokens, state, limit) for limit in limits]
    return np.stack(columns, axis=1) if columns else np.zeros((len(candidates), 0))


def _statistic_under(
    law: FirstTokenLaw | None, tokens: DecodingLaw | None, state: State, limit: LatencyLimit
) -> Floats:
    """One predicted statistic, (R,) seconds; each law is there if the metric needs it."""
    if limit.metric is Metric.TPOT and tokens is not None:
        return tpot_of(limit.statistic, tokens, state.point)
    probability = limit.statistic.probability
    assert law is not None, "TTFT and E2E need the law of the first token"
    first = law.mean_s if probability is None else law.percentile(probability)
    return first if tokens is None else first + after_first_token(limit.metric, limit.statistic, tokens)


def _tokens_if_asked(candidates: Candidates, state: State, limits: Sequence[LatencyLimit]) -> DecodingLaw | None:
    """The law of TPOT where a limit reads it."""
    reads = any(limit.metric is not Metric.TTFT for limit in limits)
    return between_tokens(candidates, state) if reads else None


def _distinct_laws(candidates: Candidates, state: State, limits: Sequence[LatencyLimit]) -> tuple[Integers, Integers]:
    """First row of each distinct pair of laws, and the pair of every row.

    Budgets beyond the useful one share the law of TTFT, and none that of TPOT: a larger budget lets more prompts into
    one step.
    """
    if all(limit.metric is Metric.TTFT for limit in limits):
        budget = useful_budget(candidates.physics.bins, candidates.token_budget)
    else:
        budget = candidates.token_budget
    identity = np.stack([candidates.keys.astype(np.float64), budget, state.point.rate_per_s], axis=1)
    _, first, same = np.unique(identity, axis=0, return_index=True, return_inverse=True)
    return first, same.reshape(-1)


def _allowance(limit: LatencyLimit, tokens: DecodingLaw | None, rows: int) -> Floats:
    """What a limit leaves for the first token, (R,)."""
    limit_s = np.full(rows, limit.limit_s)
    return limit_s if tokens is None else limit_s - after_first_token(limit.metric, limit.statistic, tokens)


def largest_ratio(candidates: Candidates, rate_per_s: Floats, question: Question) -> Floats:
    """Largest predicted/limit over the latency limits, (R,), of candidates that meet them; 0 without limits."""
    state = mean_state(candidates, rate_per_s, question)
    limits_s = np.array([limit.limit_s for limit in question.limits])
    ratios: Floats = (statistics_of(candidates, state, question.limits) / limits_s).max(axis=1, initial=0.0)
    return ratios


def e2e_mean_s(candidates: Candidates, rate_per_s: Floats, question: Question) -> Floats:
    """Mean time from arrival to the last token, (R,) seconds; infinite where a load wall does not hold."""
    state = mean_state(candidates, rate_per_s, question)
    seconds = np.full(len(candidates), np.inf)
    rows = np.flatnonzero(state.within_walls)
    if not len(rows):
        return seconds
    inside, there = candidates.take(rows), state.take(rows)
    law = first_token(inside, there)
    seconds[rows] = statistic_of(Metric.E2E, Statistic.MEAN, inside, there, law)
    return seconds


def highest_rate(candidates: Candidates, question: Question, lowest_per_s: float = LOWEST_RATE_PER_S) -> Floats:
    """Highest arrival rate of one replica at which every requirement holds, (R,) per second.

    A bisection on the logarithm of the rate between `lowest_per_s` and the bound of the mean layer; the result holds,
    two parts in 10⁵ more may not (from a rate within tenfold of it; relative to their logarithm else). 0 where even
    `lowest_per_s` does not hold.
    """
    lower = np.full(len(candidates), lowest_per_s)
    feasible = meets(candidates, lower, question)
    upper = np.maximum(rate_bound(candidates, question), 2.0 * lowest_per_s)
    for _ in range(_RATE_BISECTIONS):
        middle = np.sqrt(lower * upper)
        met = meets(candidates, middle, question)
        lower = np.where(met, middle, lower)
        upper = np.where(met, upper, middle)
    return np.where(feasible, lower, 0.0)
