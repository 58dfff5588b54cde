"""Offline jobs: the search finds what trying everything finds, and obeys the laws of windows and interruptions."""

from collections import Counter
from math import inf

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from optimizer.answers import Answer, Found
from optimizer.errors import VerificationError
from optimizer.question import Nothing, Problem, pose
from optimizer.search.jobs import Job, JobRun, fewest_units
from optimizer.search.refine import Refinement
from optimizer.solve import answer, search
from optimizer.solve_job import job_seconds_of
from requirements_specs.serving import Objective, Spot
from tests.property.job_cases import MOST_TRIED, best_by_trying, in_window, job_cases, job_of, key_of, rows_of
from tests.property.small_spaces import Case
from tests.property.solved import changed

DESIGNS = 3


def searched(case: Case) -> tuple[Problem, Job, Found] | None:
    """The proved answer of a case, if there is one."""
    problem = pose(case.spec, case.snapshot)
    if isinstance(problem, Nothing):
        return None
    found = search(problem, DESIGNS)
    assert problem.job is not None
    return None if isinstance(found, Refinement) else (problem, problem.job, found)


def usd_micro(case: Case) -> float:
    """Cost of the answer; infinite without one."""
    found = searched(case)
    return inf if found is None else found[2].design.cost_usd_micro


def check_against_trying(case: Case, tally: Counter[str]) -> None:
    best = best_by_trying(case)
    found = searched(case)
    tally["examples"] += 1
    if found is None:
        assert best is None
        return
    problem, _, answered = found
    design = answered.design
    tally["feasible"] += 1
    tally["several units"] += design.units > 1
    tally["spot"] += problem.space.offers[design.offer].tier == "spot"
    key = key_of(problem.space, design)
    smallest = case.spec.objective is Objective.SMALLEST_FLEET
    if design.units <= MOST_TRIED:
        assert best is not None
        assert (design.accelerators, design.cost_usd_micro, key) == tuple(best)
    elif best is not None:
        mine = (design.accelerators if smallest else 0, key)
        assert mine < (best.accelerators if smallest else 0, best.key)


def test_the_search_finds_what_trying_everything_finds() -> None:
    tally: Counter[str] = Counter()

    @given(job_cases())
    def agree(case: Case) -> None:
        check_against_trying(case, tally)

    agree()
    assert tally["feasible"] >= 0.4 * tally["examples"], tally
    assert tally["several units"] >= 0.1 * tally["examples"], tally
    assert tally["spot"] >= 0.05 * tally["examples"], tally


def test_a_search_with_a_wrong_duration_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = JobRun.seconds
    monkeypatch.setattr(JobRun, "seconds", lambda run, job, replicas: 0.97 * right(run, job, replicas))

    @settings(max_examples=50, phases=[Phase.generate])
    @given(job_cases())
    def agree(case: Case) -> None:
        check_against_trying(case, Counter())

    with pytest.raises((AssertionError, VerificationError)):
        agree()


def test_the_smallest_fleet_ends_in_the_window_and_one_fewer_of_anything_does_not() -> None:
    tally: Counter[str] = Counter()

    @given(job_cases(objective=Objective.SMALLEST_FLEET, capped=False))
    def hold(case: Case) -> None:
        tally["examples"] += 1
        found = searched(case)
        if found is None:
            return
        problem, job, answered = found
        design = answered.design
        tally["feasible"] += 1
        assert answered.solution.value is not None
        assert answered.solution.value.objective == answered.solution.value.bound == design.accelerators
        assert job_seconds_of(problem, job, design) <= job.window_s
        # one accelerator fewer: nothing at all ends in the window
        fewer = (
            changed(case, "inventory", max_accelerators=design.accelerators - 1) if design.accelerators > 1 else None
        )
        assert fewer is None or searched(fewer) is None
        # one instance fewer, whatever runs on it: counted from the rows of the offer alone
        offer = problem.space.offers[design.offer]
        rows = rows_of(case, offer)
        assert rows is not None
        for units in range(1, design.units + 1):
            rented = rows.instances * units
            late = rows.seconds(job.requests, units) > job.window_s
            assert late[rented < design.instances].all()
            tally["several instances"] += units == design.units > 1

    hold()
    assert tally["feasible"] >= 0.3 * tally["examples"], tally
    assert tally["several instances"] >= 0.1 * tally["examples"], tally


def test_cost_per_token_falls_with_a_longer_window_or_not_at_all() -> None:
    tally: Counter[str] = Counter()

    @given(job_cases(objective=Objective.CHEAPEST), st.sampled_from((1.001, 1.1, 2.0, 10.0)))
    def hold(case: Case, factor: float) -> None:
        before = usd_micro(case)
        after = usd_micro(in_window(case, job_of(case.spec).window_s * factor))
        assert after <= before
        tally["falls"] += after < before < inf
        tally["equal"] += after == before < inf
        tally["now possible"] += after < before == inf

    hold()
    assert min(tally["falls"], tally["equal"], tally["now possible"]) >= 0.02 * tally.total(), tally


def test_the_smallest_fleet_does_not_grow_with_a_longer_window() -> None:
    def fleet(case: Case) -> float:
        found = searched(case)
        return inf if found is None else found[2].design.accelerators

    @settings(max_examples=60)
    @given(job_cases(objective=Objective.SMALLEST_FLEET, capped=False), st.sampled_from((1.01, 2.0, 10.0)))
    def hold(case: Case, factor: float) -> None:
        assert fleet(in_window(case, job_of(case.spec).window_s * factor)) <= fleet(case)

    hold()


def test_more_interruptions_and_slower_restarts_never_pay() -> None:
    tally: Counter[str] = Counter()

    @settings(max_examples=100)
    @given(job_cases(objective=Objective.CHEAPEST), st.booleans())
    def hold(case: Case, oftener: bool) -> None:
        spot = case.spec.inventory.spot
        if spot is None:
            return
        rate, restart_s = spot.interruptions_per_hour, spot.restart_s
        worse = (
            Spot(interruptions_per_hour=2.0 * rate + 0.1, restart_s=restart_s)
            if oftener
            else Spot(interruptions_per_hour=rate, restart_s=restart_s + 300.0)
        )
        before, after = usd_micro(case), usd_micro(changed(case, "inventory", spot=worse))
        assert after >= before
        tally["dearer"] += after > before
        tally["cases"] += 1

    hold()
    assert tally["dearer"] >= 0.1 * tally["cases"], tally


def test_fewest_units_end_in_time_and_one_fewer_does_not() -> None:
    generator = np.random.default_rng(20261127)
    job = Job(1_000_000, 28_800.0, 0.0, 0.0, None, None, None, smallest_fleet=False)
    rate, drain = generator.uniform(0.01, 20.0, 2_000), generator.uniform(0.1, 20_000.0, 2_000)
    each = generator.integers(1, 9, 2_000)
    # and windows that end exactly with a whole number of units
    exact = JobRun(1_000_000 / each / (28_800.0 - drain) / generator.integers(1, 200, 2_000), drain)
    for run in (JobRun(rate, drain), exact):
        units = fewest_units(job, run, each)
        assert (run.seconds(job, units * each) <= job.window_s).all()
        late = run.seconds(job, np.maximum(units - 1, 1) * each) > job.window_s
        assert (late | (units == 1)).all()
        assert (units > 1).mean() > 0.5


def test_every_answer_is_proved_accounted_for_and_repeated() -> None:
    tally: Counter[str] = Counter()

    @settings(max_examples=60)
    @given(job_cases())
    def hold(case: Case) -> None:
        found, again = answer(case.spec, case.snapshot), answer(case.spec, case.snapshot)
        ledger = found.ledger
        ends = (ledger.illegal, ledger.bounded, ledger.refused, ledger.dominated, ledger.optimal, ledger.tied)
        assert sum(ends) == ledger.candidates
        assert min(ends) >= 0
        assert ledger == again.ledger
        tally[type(found).__name__] += 1
        if not isinstance(found, Answer):
            assert not isinstance(again, Answer)
            assert (found.impossible, found.uncapped) == (again.impossible, again.uncapped)
            return
        assert isinstance(again, Answer)
        assert found.columns == again.columns
        assert found.solution == again.solution
        assert found.solution.cost.objective == found.solution.cost.bound == found.design.cost_usd_micro
        assert found.solution.rank.objective == found.solution.rank.bound
        assert ledger.optimal == 1
        if found.point_column is not None and case.spec.objective is Objective.CHEAPEST:
            assert found.point_column.cost_usd_micro <= found.design.cost_usd_micro
        if found.allowed_column is not None:
            better = found.allowed_column
            if case.spec.objective is Objective.SMALLEST_FLEET:
                assert better.accelerators < found.design.accelerators
            else:
                assert better.cost_usd_micro < found.design.cost_usd_micro

    hold()
    assert tally["Answer"] >= 0.3 * tally.total(), tally
