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
    first_token,
    mean_state,
    own_first_token_s,
    statistic_of,
)
from optimizer.traffic.percentiles import tpot_factor
from requirements_specs.requirement import LatencyLimit, Metric, Statistic

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]

_RATE_BISECTIONS = 17


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
        met[alive] = test(candidates.take(alive), state.take(alive), waiting)
    return met


def _may_hold(candidates: Candidates, state: State, limits: Sequence[LatencyLimit]) -> Bools:
    """Whether TTFT and E2E limits would hold if nobody waited; a refusal is exact, for no wait is negative."""
    own_s = own_first_token_s(candidates, state)
    met = np.ones(len(candidates), dtype=bool)
    for limit in limits:
        met &= in_time_alone(limit.statistic, own_s, _allowance(limit, candidates, state), candidates.physics.bins)
    return met


def _hold(candidates: Candidates, state: State, limits: Sequence[LatencyLimit]) -> Bools:
    """Whether TTFT and E2E limits hold; percentiles are decided by the share of requests beyond the limit."""
    first, same = _distinct_laws(candidates, state)
    law = first_token(candidates.take(first), state.take(first))
    met = np.ones(len(first), dtype=bool)
    for limit in limits:
        allowance = _allowance(limit, candidates, state)[first]
        probability = limit.statistic.probability
        met &= law.mean_s <= allowance if probability is None else law.exceedance(allowance) <= 1.0 - probability
    held: Bools = met[same]
    return held


def _distinct_laws(candidates: Candidates, state: State) -> tuple[Integers, Integers]:
    """First row of each distinct law of TTFT, and the law of every row: budgets beyond the useful one share theirs."""
    useful = useful_budget(candidates.physics.bins, candidates.token_budget)
    identity = np.stack([candidates.keys.astype(np.float64), useful, state.point.rate_per_s], axis=1)
    _, first, same = np.unique(identity, axis=0, return_index=True, return_inverse=True)
    return first, same.reshape(-1)


def _allowance(limit: LatencyLimit, candidates: Candidates, state: State) -> Floats:
    """What a limit leaves for the first token, (R,)."""
    return limit.limit_s - after_first_token(limit.metric, limit.statistic, candidates.physics.bins, state.point.step_s)


def largest_ratio(candidates: Candidates, rate_per_s: Floats, question: Question) -> Floats:
    """Largest predicted/limit over the latency limits, (R,), of candidates that meet them; 0 without limits."""
    state = mean_state(candidates, rate_per_s, question)
    ratio = np.zeros(len(candidates))
    if not question.limits:
        return ratio
    first, same = _distinct_laws(candidates, state)
    distinct, distinct_state = candidates.take(first), state.take(first)
    law = first_token(distinct, distinct_state)
    for limit in question.limits:
        predicted = statistic_of(limit.metric, limit.statistic, distinct, distinct_state, law)
        ratio = np.maximum(ratio, predicted[same] / limit.limit_s)
    return ratio


def e2e_mean_s(candidates: Candidates, rate_per_s: Floats, question: Question) -> Floats:
    """Mean time from arrival to the last token, (R,) seconds; infinite where a load wall does not hold."""
    state = mean_state(candidates, rate_per_s, question)
    seconds = np.full(len(candidates), np.inf)
    rows = np.flatnonzero(state.within_walls)
    if not len(rows):
        return seconds
    inside, there = candidates.take(rows), state.take(rows)
    first, same = _distinct_laws(inside, there)
    distinct, distinct_state = inside.take(first), there.take(first)
    law = first_token(distinct, distinct_state)
    seconds[rows] = statistic_of(Metric.E2E, Statistic.MEAN, distinct, distinct_state, law)[same]
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
