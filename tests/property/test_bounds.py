"""No bound of the search exceeds what the evaluation finds, on any row."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from numpy.typing import NDArray

import optimizer.search.bounds as bounds
from catalog.read import load
from optimizer.evaluate import Physics, Question, highest_rate, key_rate_bound, meets, rate_bound
from optimizer.question import Nothing, Problem, pose
from optimizer.search.bounds import MOST_UNITS, units_bound
from optimizer.topology.machines import machine_of
from requirements_specs.lengths import LengthDistribution
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from requirements_specs.serving import Availability, IntegerChoice, Layout, ServingSpec
from requirements_specs.workload import Workload
from tests.property.brute_force import Rows, fewest_units, rows_of
from tests.property.small_spaces import Case, cases, offer_of, with_offers

MOST_COUNTED = 6
ABOVE = 1e-6


def bounds_of_rows(problem: Problem, rows: Rows) -> NDArray[np.int64]:
    """The bound of the placement that stands for each row, (R,)."""
    space = problem.space
    part = next(machine for machine in space.machines if machine.accelerator_id == rows.offer.accelerator).accelerator
    machine = space.machines.index(machine_of(rows.offer, part))
    least = units_bound(space, problem.physics, problem.question, problem.demand)
    by_key = {}
    for placement in np.flatnonzero(space.placement_machine == machine).tolist():
        key = int(space.placement_key[placement])
        by_key[space.layouts[key], space.formats[key]] = int(least[placement])
    of_key = [by_key[pair] for pair in zip(rows.layouts, rows.formats, strict=True)]
    return np.array(of_key, dtype=np.int64)[rows.candidates.keys]


def check_units(case: Case, tally: Counter[str]) -> None:
    """Bounds of units, row by row."""
    problem = pose(case.spec, case.snapshot)
    if isinstance(problem, Nothing):
        return
    for rows in rows_of(case):
        units = fewest_units(rows, case.spec, MOST_COUNTED)
        bound = bounds_of_rows(problem, rows)
        assert np.all(bound[units > 0] <= units[units > 0])
        assert np.all(units[bound == MOST_UNITS + 1] == 0)
        tally["rows"] += int((units > 0).sum())
        tally["more than one unit"] += int((units > 1).sum())
        tally["bound is exact"] += int((bound[units > 1] == units[units > 1]).sum())


def test_units_are_never_fewer_than_their_bound() -> None:
    tally: Counter[str] = Counter()

    @given(cases(capped=False))
    def hold(case: Case) -> None:
        check_units(case, tally)

    hold()
    assert tally["more than one unit"] >= 100, tally
    assert tally["bound is exact"] > 0, tally


@given(cases(capped=False))
def test_no_row_holds_above_the_bound_of_its_rate(case: Case) -> None:
    problem = pose(case.spec, case.snapshot)
    if isinstance(problem, Nothing):
        return
    for rows in rows_of(case):
        candidates, question = rows.candidates, rows.question
        own = rate_bound(candidates, question)
        open_slots = key_rate_bound(
            rows.physics, candidates.keys, np.full(len(candidates), candidates.max_num_seqs.max()), question
        )
        assert np.all(own <= open_slots * (1.0 + 1e-12))
        for bound in (own, open_slots):
            for factor in (1.0 + ABOVE, 1.3, 20.0):
                assert not meets(candidates, np.maximum(bound * factor, 1e-6), question).any()


def _decoding(rate_per_s: float) -> Case:
    """Long answers and a limit on the mean step only: the bound is within 1 % of what the evaluation finds."""
    spec = ServingSpec(
        name="decoding",
        model="llama-3.1-8b",
        workload=Workload(
            request_rate_per_s=rate_per_s,
            prompt_tokens=LengthDistribution.constant(16.0),
            output_tokens=LengthDistribution.constant(4000.0),
        ),
        slo=(LatencyLimit(metric=Metric.TPOT, statistic=Statistic.MEAN, limit_s=0.012),),
        layout=Layout(tp=IntegerChoice(values=(1,)), pp=IntegerChoice(values=(1,))),
        availability=Availability(load_cap=1.0),
    )
    part = load().accelerators["h100-sxm-80gb"]
    return Case(with_offers((offer_of(part, 1, 1_000_000),)), spec)


def _tighter(physics: Physics, keys: np.ndarray, max_num_seqs: np.ndarray, question: Question) -> np.ndarray:
    return 0.95 * key_rate_bound(physics, keys, max_num_seqs, question)


def test_a_bound_five_percent_too_tight_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    (rows,) = rows_of(_decoding(1.0))
    carried = float(highest_rate(rows.candidates, rows.question).max())
    critical = _decoding(3.0 * 0.999 * carried)
    check_units(critical, Counter())
    monkeypatch.setattr(bounds, "key_rate_bound", _tighter)
    with pytest.raises(AssertionError):
        check_units(critical, Counter())
