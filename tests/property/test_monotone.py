"""Every wall is monotone in the rate, and the decision agrees with the numbers that are printed."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from optimizer.evaluate import (
    Candidates,
    Laws,
    Question,
    State,
    highest_rate,
    limits_that_hold,
    mean_state,
    meets,
    rate_bound,
    tabulate,
)
from optimizer.question import Nothing, Problem, pose
from optimizer.search.bounds import rate_per_replica
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from tests.property.brute_force import MAX_NUM_SEQS, TOKEN_BUDGETS
from tests.property.small_spaces import Case, cases

RATES = 40
CANDIDATES = 8
# More than a search over the whole range of rates leaves open.
RATE_TOLERANCE = 1e-3
# A percentile is found to the last bits but few.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Picked:
    """A case and some of its candidates: key (as a share of the keys), token budget, engine slots."""

    case: Case
    rows: tuple[tuple[float, int, int], ...]

    def candidates(self) -> tuple[Problem, Candidates]:
        """The problem and the rows."""
        problem = pose(self.case.spec, self.case.snapshot)
        assume(not isinstance(problem, Nothing))
        assert isinstance(problem, Problem)
        count = len(problem.space.keys)
        keys, budgets, slots = (np.array(values) for values in zip(*self.rows, strict=True))
        return problem, tabulate(
            problem.physics,
            np.minimum((keys * count).astype(np.int64), count - 1),
            budgets.astype(np.float64),
            slots.astype(np.float64),
        )


_rows = st.tuples(
    st.sampled_from((0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)),
    st.sampled_from(TOKEN_BUDGETS),
    st.sampled_from(tuple(reversed(MAX_NUM_SEQS))),
)
_shares = st.sampled_from((0.1, 0.3, 0.6, 0.9))
picked = st.builds(Picked, cases(capped=False), st.lists(_rows, min_size=1, max_size=CANDIDATES).map(tuple))


def feasible_at(candidates: Candidates, rates: NDArray[np.float64], question: Question) -> NDArray[np.bool_]:
    """Whether each candidate holds at each of its rates (R, n)."""
    count = rates.shape[1]
    many = candidates.take(np.repeat(np.arange(len(candidates)), count))
    return meets(many, rates.ravel(), question).reshape(-1, count)


def check_monotone_in_rate(candidates: Candidates, question: Question, tally: Counter[str]) -> None:
    """feasible(rate) implies feasible(less), over the whole range and in small steps about the last rate that holds."""
    bound = np.maximum(rate_bound(candidates, question), 1e-3)
    carried = np.maximum(highest_rate(candidates, question), 1e-6)
    for rates in (np.geomspace(1e-4 * bound, 1.05 * bound, RATES, axis=1), carried[:, None] * _near_one()):
        held = feasible_at(candidates, rates, question)
        assert not np.any(held[:, 1:] & ~held[:, :-1])
        tally["both"] += int((held.any(axis=1) & ~held.all(axis=1)).sum())


def _near_one() -> NDArray[np.float64]:
    return np.geomspace(0.9, 1.1, RATES)[None, :]


def test_a_candidate_that_holds_at_a_rate_holds_at_less() -> None:
    tally: Counter[str] = Counter()

    @given(picked)
    def hold(drawn: Picked) -> None:
        problem, candidates = drawn.candidates()
        check_monotone_in_rate(candidates, problem.question, tally)

    hold()
    assert tally["both"] >= 200, tally


@given(picked, st.integers(0, 3))
def test_a_candidate_that_holds_on_some_units_holds_on_more(drawn: Picked, spares: int) -> None:
    problem, candidates = drawn.candidates()
    demand = replace(problem.demand, spare_replicas=spares)
    units = np.arange(1, RATES + 1)
    rate = rate_per_replica(demand, units, np.ones_like(units))
    assert np.array_equal(np.isfinite(rate), units > spares)
    rates = np.tile(rate[spares:], (len(candidates), 1))
    held = feasible_at(candidates, rates, problem.question)
    assert not np.any(held[:, :-1] & ~held[:, 1:])


def test_the_highest_rate_holds_and_little_more_does_not() -> None:
    tally: Counter[str] = Counter()

    @given(picked)
    def hold(drawn: Picked) -> None:
        problem, candidates = drawn.candidates()
        carried = highest_rate(candidates, problem.question)
        assert np.all(carried <= rate_bound(candidates, problem.question))
        some = np.flatnonzero(carried > 0.0)
        tally["carry something"] += len(some)
        if not len(some):
            return
        able, rate = candidates.take(some), carried[some]
        assert meets(able, rate, problem.question).all()
        assert not meets(able, rate * (1.0 + RATE_TOLERANCE), problem.question).any()

    hold()
    assert tally["carry something"] >= 200, tally


def test_a_percentile_is_within_a_limit_exactly_if_the_limit_holds() -> None:
    tally: Counter[str] = Counter()

    @given(
        picked,
        st.sampled_from(tuple(Metric)),
        st.sampled_from(tuple(Statistic)),
        _shares,
        st.sampled_from((0.5, 0.9, 0.99, 1.0 - 2e-6, 1.0 + 2e-6, 1.01, 1.1, 2.0)),
    )
    def hold(drawn: Picked, metric: Metric, statistic: Statistic, share: float, factor: float) -> None:
        problem, candidates = drawn.candidates()
        free = replace(problem.question, limits=())
        carried = highest_rate(candidates, free)
        able = np.flatnonzero(carried > 0.0)
        if not len(able):
            return
        candidates, rate = candidates.take(able), share * carried[able]
        state = mean_state(candidates, rate, free)
        assert state.within_walls.all()
        predicted = Laws(candidates, state).statistic(metric, statistic)
        assert np.all(np.isfinite(predicted) & (predicted > 0.0))
        for row, seconds in enumerate(predicted.tolist()):
            limit = LatencyLimit(metric=metric, statistic=statistic, limit_s=seconds * factor)
            asked = replace(free, limits=(limit,))
            decided = bool(meets(candidates.take(np.array([row])), rate[[row]], asked)[0])
            assert decided == (factor > 1.0)
            tally["held" if decided else "refused"] += 1

    hold()
    assert min(tally["held"], tally["refused"]) >= 100, tally


def test_no_predicted_latency_falls_as_the_rate_rises() -> None:
    tally: Counter[str] = Counter()

    @given(picked, st.sampled_from(tuple(Metric)))
    def hold(drawn: Picked, metric: Metric) -> None:
        problem, candidates = drawn.candidates()
        free = replace(problem.question, limits=())
        carried = highest_rate(candidates, free)
        able = np.flatnonzero(carried > 0.0)[:2]
        if not len(able):
            return
        tally["candidates"] += len(able)
        rates = carried[able, None] * np.linspace(1e-3, 1.0, RATES)[None, :]
        many = candidates.take(np.repeat(able, RATES))
        state = mean_state(many, rates.ravel(), free)
        laws = Laws(many, state)
        for statistic in Statistic:
            predicted = laws.statistic(metric, statistic).reshape(rates.shape)
            fall = 1.0 - predicted[:, 1:] / predicted[:, :-1]
            assert fall.max() <= ROUNDING, (metric, statistic, fall.max())

    hold()
    assert tally["candidates"] >= 100, tally


def test_a_candidate_that_holds_a_limit_holds_a_looser_one() -> None:
    tally: Counter[str] = Counter()

    @given(
        picked,
        st.sampled_from((Metric.TTFT, Metric.E2E)),
        st.sampled_from(tuple(Statistic)),
        _shares,
        st.integers(0, RATES - 1),
    )
    def hold(drawn: Picked, metric: Metric, statistic: Statistic, share: float, at: int) -> None:
        problem, candidates = drawn.candidates()
        free = replace(problem.question, limits=())
        carried = highest_rate(candidates, free)
        able = np.flatnonzero(carried > 0.0)
        if not len(able):
            return
        one, rate = candidates.take(able[:1]), share * carried[able[:1]]
        state = mean_state(one, rate, free)
        seconds = float(Laws(one, state).statistic(metric, statistic)[0])
        limits = [
            LatencyLimit(metric=metric, statistic=statistic, limit_s=seconds * factor)
            for factor in np.linspace(0.9, 1.1, RATES).tolist()
        ]
        held = limits_that_hold(one, state, limits)[0]
        assert not np.any(held[:-1] & ~held[1:])
        asked = replace(free, limits=(limits[at],))
        assert meets(one, rate, asked)[0] == held[at]
        tally["held"] += int(held[-1])

    hold()
    assert tally["held"] >= 100, tally


def test_a_wall_that_is_not_monotone_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(candidates: Candidates, rate_per_s: np.ndarray, question: Question) -> State:
        state = mean_state(candidates, rate_per_s, question)
        return replace(state, within_walls=state.within_walls & (state.point.sequences > 2.0))

    monkeypatch.setattr("optimizer.evaluate.requirements.mean_state", broken)

    @settings(max_examples=50, phases=[Phase.generate])
    @given(picked)
    def hold(drawn: Picked) -> None:
        problem, candidates = drawn.candidates()
        check_monotone_in_rate(candidates, problem.question, Counter())

    with pytest.raises(AssertionError):
        hold()
