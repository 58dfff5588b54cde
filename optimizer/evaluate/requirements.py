"""Whether candidates meet their requirements, and up to which rate.

`meets` and `largest_ratio` read the same laws; `meets` only stops early for candidates that a cheaper law already
refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from optimizer.evaluate.bound import in_time_alone, least_after_first_token, rate_bound
from optimizer.evaluate.candidates import Candidates, useful_budget
from optimizer.evaluate.state import (
    LOWEST_RATE_PER_S,
    Laws,
    LawsWithoutWaiting,
    Question,
    State,
    mean_state,
    own_first_token_s,
)
from requirements_specs.requirement import LatencyLimit, Metric, Statistic

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]

# Rates tried at once between two that are known, as shares of their distance: few rows cost hardly more than one.
_CUTS = np.arange(1, 4) / 4.0
# A rate that holds is below one that does not by less than this factor.
_RATE_PRECISION = 1.00002


def meets(candidates: Candidates, rate_per_s: Floats, question: Question) -> Bools:
    """Whether each candidate meets every requirement at its rate, (R,).

    Stops early: walls and bare decode steps first, then the law of TPOT, then the laws that need the transform.
    """
    state = mean_state(candidates, rate_per_s, question)
    met = state.within_walls.copy()
    for limit in question.limits:
        if limit.metric is Metric.TPOT:
            met &= state.point.decode_s <= limit.limit_s
    for test in (_may_be_in_time, _tpot_holds, _in_time):
        alive = np.flatnonzero(met)
        if not len(alive):
            break
        met[alive] = test(candidates.take(alive), state.take(alive), question.limits)
    return met


def _tpot_holds(candidates: Candidates, state: State, limits: Sequence[LatencyLimit]) -> Bools:
    """Whether the limits of TPOT hold."""
    laws = Laws(candidates, state)
    return _all(len(candidates), (laws.holds(limit) for limit in limits if limit.metric is Metric.TPOT))


def _may_be_in_time(candidates: Candidates, state: State, limits: Sequence[LatencyLimit]) -> Bools:
    """Whether the limits of TTFT and E2E would hold if nobody waited and no step carried a prompt."""
    own_s = own_first_token_s(candidates, state)
    waiting = (limit for limit in limits if limit.metric is not Metric.TPOT)
    return _all(len(candidates), (_in_time_alone(limit, own_s, candidates, state) for limit in waiting))


def _in_time(candidates: Candidates, state: State, limits: Sequence[LatencyLimit]) -> Bools:
    """Whether the limits of TTFT and E2E hold."""
    waiting = [limit for limit in limits if limit.metric is not Metric.TPOT]
    first, same = _distinct_laws(candidates, state, waiting)
    laws = Laws(candidates.take(first), state.take(first))
    return _all(len(first), (laws.holds(limit) for limit in waiting))[same]


def _all(rows: int, held: Iterable[Bools]) -> Bools:
    """Whether everything holds, (R,)."""
    together: Bools = np.ones(rows, dtype=bool)
    for each in held:
        together &= each
    return together


def _in_time_alone(limit: LatencyLimit, own_s: Floats, candidates: Candidates, state: State) -> Bools:
    """Whether a limit of TTFT or E2E may hold by what it takes at least; a refusal is exact."""
    bins = candidates.physics.bins
    rest_s = least_after_first_token(limit.metric, limit.statistic, bins, state.point.decode_s)
    return in_time_alone(limit.statistic, own_s, limit.limit_s - rest_s, bins)


def limits_that_may_hold(candidates: Candidates, state: State, limits: Sequence[LatencyLimit]) -> Bools:
    """Whether each limit may hold by what it takes at least, (R, L); exact for TPOT, and a refusal is exact for all."""
    laws, own_s = Laws(candidates, state), own_first_token_s(candidates, state)
    columns = [
        laws.holds(limit) if limit.metric is Metric.TPOT else _in_time_alone(limit, own_s, candidates, state)
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
    laws = Laws(candidates.take(first), state.take(first))
    for number in waiting:
        held[:, number] &= laws.holds(limits[number])[same]
    return held


def statistics_of(candidates: Candidates, state: State, limits: Sequence[LatencyLimit]) -> Floats:
    """The predicted statistic of each limit, (R, L) seconds; of candidates within their load walls."""
    first, same = _distinct_laws(candidates, state, limits)
    return _statistics(Laws(candidates.take(first), state.take(first)), limits)[same]


def least_statistics(candidates: Candidates, state: State, limits: Sequence[LatencyLimit]) -> Floats:
    """What each statistic would be if nobody waited, (R, L) seconds: no larger than the predicted one."""
    return _statistics(LawsWithoutWaiting(candidates, state), limits)


def _statistics(laws: Laws, limits: Sequence[LatencyLimit]) -> Floats:
    columns = [laws.statistic(limit.metric, limit.statistic) for limit in limits]
    return np.stack(columns, axis=1) if columns else np.zeros((len(laws.candidates), 0))


def _distinct_laws(candidates: Candidates, state: State, limits: Sequence[LatencyLimit]) -> tuple[Integers, Integers]:
    """First row of each distinct set of laws that the limits read, and the set of every row.

    Budgets beyond the useful one share TTFT and all means. They do not share percentiles of what follows: a larger
    budget lets more prompts into one step.
    """
    budget = candidates.token_budget
    if all(limit.metric is Metric.TTFT or limit.statistic is Statistic.MEAN for limit in limits):
        budget = useful_budget(candidates.physics.bins, budget)
    point = state.point
    identity = np.stack([candidates.keys.astype(np.float64), budget, point.rate_per_s, point.dispersion], axis=1)
    _, first, same = np.unique(identity, axis=0, return_index=True, return_inverse=True)
    return first, same.reshape(-1)


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
    first, same = _distinct_laws(inside, there, ())
    laws = Laws(inside.take(first), there.take(first))
    seconds[rows] = laws.statistic(Metric.E2E, Statistic.MEAN)[same]
    return seconds


def highest_rate(candidates: Candidates, question: Question, lowest_per_s: float = LOWEST_RATE_PER_S) -> Floats:
    """Highest arrival rate of one replica at which every requirement holds, (R,) per second.

    Sections on the logarithm of the rate between `lowest_per_s` and the bound of the mean layer; the result holds, two
    parts in 10⁵ more may not. 0 where even `lowest_per_s` does not hold.
    """
    lower = np.full(len(candidates), lowest_per_s)
    upper = np.maximum(rate_bound(candidates, question), 2.0 * lowest_per_s)
    feasible = meets(candidates, lower, question)
    rows = np.flatnonzero(feasible)
    while len(rows):
        each, repeated = np.arange(len(rows)), np.repeat(rows, len(_CUTS))
        tried = lower[rows, None] * (upper / lower)[rows, None] ** _CUTS
        met = meets(candidates.take(repeated), tried.ravel(), question.take(repeated)).reshape(tried.shape)
        last_held = np.where(met.all(axis=1), len(_CUTS), met.argmin(axis=1))
        ends = np.concatenate([lower[rows, None], tried, upper[rows, None]], axis=1)
        lower[rows], upper[rows] = ends[each, last_held], ends[each, last_held + 1]
        rows = rows[upper[rows] > lower[rows] * _RATE_PRECISION]
    return np.where(feasible, lower, 0.0)
