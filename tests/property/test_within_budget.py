"""The fastest design, and the one with the most requests, are those of trying everything within the budget."""

from collections import Counter
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from optimizer.answers import Answer
from optimizer.evaluate import (
    Candidates,
    Laws,
    Question,
    e2e_mean_s,
    least_e2e_mean_s,
    mean_state,
    meets,
)
from optimizer.question import Nothing, pose
from optimizer.search.refine import Refinement
from optimizer.solve import answer, search
from optimizer.topology.layouts import TOKEN_BUDGETS
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from requirements_specs.serving import Budget, Objective
from tests.property.brute_force import Rows, best_of, rows_of, tie_key_of_column, within_caps
from tests.property.portions import examples, in_two
from tests.property.small_spaces import Case, critical_cases, wide_cases
from tests.property.solved import changed

BUDGETS = st.sampled_from((4.0, 8.0, 12.0, 24.0))
OBJECTIVES = st.sampled_from((Objective.FASTEST, Objective.MOST_REQUESTS))
MOST_UNITS = 24
MICRO = 1_000_000


@st.composite
def budgeted(draw: st.DrawFn) -> Case:
    """A problem with a budget of at most as many units as are tried."""
    return changed(draw(critical_cases()), budget=Budget(usd_per_hour=draw(BUDGETS)))


def most_units(rows: Rows, case: Case) -> NDArray[np.int64]:
    """Most units of each row within every cap, counted up, (R,)."""
    most = np.zeros(len(rows.candidates), dtype=np.int64)
    for units in range(1, MOST_UNITS + 1):
        most[within_caps(rows, case.spec, units)] = units
    return most


def best_value(case: Case, of_rows: Callable[[Candidates, NDArray[np.int64], Rows], NDArray[np.int64]]) -> int | None:
    """Best value over all rows at the most units; less is better."""
    best: int | None = None
    for rows in rows_of(case):
        working = most_units(rows, case) * rows.replicas_per_unit() - case.spec.availability.spare_replicas
        tried = np.flatnonzero(working > 0)
        for value in of_rows(rows.candidates.take(tried), working[tried], rows).tolist():
            if value is not None:
                best = value if best is None else min(best, value)
    return best


def least_milliseconds(case: Case) -> int | None:
    """Least mean E2E, rounded up."""
    peak = case.spec.workload.request_rate_per_s * case.spec.workload.peak_factor

    def milliseconds(candidates: Candidates, working: NDArray[np.int64], rows: Rows) -> NDArray[np.int64]:
        held = np.flatnonzero(meets(candidates, peak / working, rows.question))
        there = candidates.take(held)
        state = mean_state(there, peak / working[held], rows.question)
        seconds = Laws(there, state).statistic(Metric.E2E, Statistic.MEAN)
        return np.ceil(np.round(seconds * 1000, 6)).astype(np.int64)

    return best_value(case, milliseconds)


def most_micro_requests(case: Case) -> int | None:
    """Highest request rate at or above the stated one, by trying rates."""
    peak = case.spec.workload.peak_factor
    least = round(case.spec.workload.request_rate_per_s * MICRO)

    def below_zero(candidates: Candidates, working: NDArray[np.int64], rows: Rows) -> NDArray[np.int64]:
        def holds(micro: NDArray[np.int64]) -> NDArray[np.bool_]:
            asked = rows.question.among(working.astype(np.float64))
            return meets(candidates, micro / MICRO * peak / working, asked)

        carried = np.full(len(working), least)
        held = holds(carried)
        for power in range(40, -1, -1):
            more = carried + 2**power
            carried = np.where(holds(more), more, carried)
        return -carried[held]

    return best_value(case, below_zero)


def sought(case: Case, objective: Objective) -> Answer | None:
    """The proved answer; None where nothing meets the specification."""
    found = answer(changed(case, objective=objective).spec, case.snapshot)
    if not isinstance(found, Answer):
        return None
    value = found.solution.value
    assert value is not None
    assert value.objective == value.bound == found.design.value
    return found


def test_the_fastest_design_is_that_of_trying_everything() -> None:
    tally: Counter[str] = Counter()

    @settings(max_examples=settings.default.max_examples // 5)
    @given(budgeted())
    def agree(case: Case) -> None:
        found, least = sought(case, Objective.FASTEST), least_milliseconds(case)
        tally["examples"] += 1
        if found is None:
            assert least is None
            return
        assert found.design.value == least
        # among equally fast designs the cheapest, then the order of ties
        others = tuple(each for each in case.spec.slo if each.id != "slo.e2e.mean")
        limit = LatencyLimit(metric=Metric.E2E, statistic=Statistic.MEAN, limit_s=least / 1000)
        best = best_of(changed(case, slo=(*others, limit)))
        assert best is not None
        assert best.usd_micro_per_hour == found.design.usd_micro_per_hour
        tally["found"] += 1

    agree()
    assert tally["found"] >= 0.2 * tally["examples"], tally


@in_two
def test_the_most_requests_are_those_of_trying_everything(portion: int) -> None:
    tally: Counter[str] = Counter()

    @examples(portion, settings.default.max_examples // 16)
    @given(budgeted())
    def agree(case: Case) -> None:
        case = changed(case, "workload", request_rate_per_s=round(case.spec.workload.request_rate_per_s, 6))
        found, most = sought(case, Objective.MOST_REQUESTS), most_micro_requests(case)
        tally["examples"] += 1
        if found is None:
            assert most is None
            return
        assert found.design.value == most
        best = best_of(changed(case, "workload", request_rate_per_s=-most / MICRO))
        assert best is not None
        assert tie_key_of_column(found.problem.space, found.design) == best.key
        tally["found"] += 1

    agree()
    assert tally["found"] >= 0.2 * tally["examples"], tally


def test_a_larger_budget_is_never_slower_and_never_carries_less() -> None:
    tally: Counter[str] = Counter()

    @settings(max_examples=settings.default.max_examples // 4)
    @given(
        wide_cases(),
        BUDGETS,
        st.sampled_from((1.01, 2.0, 4.0)),
        st.sampled_from((Objective.FASTEST, Objective.MOST_REQUESTS)),
    )
    def hold(case: Case, budget: float, factor: float, objective: Objective) -> None:
        less = sought(changed(case, budget=Budget(usd_per_hour=budget)), objective)
        more = sought(changed(case, budget=Budget(usd_per_hour=budget * factor)), objective)
        if less is None:
            return
        assert more is not None
        assert more.design.value <= less.design.value
        for found, limit in ((less, budget), (more, budget * factor)):
            assert Fraction(found.design.usd_micro_per_hour, MICRO) <= Fraction(repr(limit))
        tally["improved"] += more.design.value < less.design.value
        tally["found"] += 1

    hold()
    assert tally["improved"] >= 0.1 * tally["found"] > 0, tally


def test_every_row_is_accounted_for_and_the_alternatives_are_in_order() -> None:
    @settings(max_examples=settings.default.max_examples // 5)
    @given(budgeted(), OBJECTIVES)
    def hold(case: Case, objective: Objective) -> None:
        problem = pose(changed(case, objective=objective).spec, case.snapshot)
        if isinstance(problem, Nothing):
            return
        few, many = search(problem, 1), search(problem, 8, near=True)
        if isinstance(few, Refinement) or isinstance(many, Refinement):
            assert isinstance(few, Refinement)
            assert isinstance(many, Refinement)
            return
        assert few.design == many.design
        values = [column.value for column in many.columns]
        assert values == sorted(values)
        found = sought(case, objective)
        assert found is not None
        ledger = found.ledger
        assert ledger.optimal == 1
        assert min(ledger.bounded, ledger.refused, ledger.dominated, ledger.tied) >= 0

    hold()


def test_no_request_is_faster_than_on_an_idle_replica() -> None:
    tally: Counter[str] = Counter()

    @settings(max_examples=settings.default.max_examples // 5)
    @given(critical_cases(), st.sampled_from((0.01, 0.3, 1.0)))
    def hold(case: Case, share: float) -> None:
        for rows in rows_of(case):
            question = Question((), rows.question.load_cap, rows.question.deviations)
            bound = least_e2e_mean_s(rows.physics, TOKEN_BUDGETS, question)[rows.candidates.keys]
            rate = np.full(len(rows.candidates), share * case.spec.workload.request_rate_per_s)
            found = e2e_mean_s(rows.candidates, rate, question)
            assert (found >= bound * (1.0 - 1e-12)).all()
            tally["steady"] += bool(np.isfinite(found).any())

    hold()
    assert tally["steady"] > 0
