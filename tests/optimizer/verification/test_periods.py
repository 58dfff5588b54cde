"""Units of periods that simulation accepts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.read import load
from optimizer.additions import read_question
from optimizer.answers import Answer
from optimizer.solve import answer
from optimizer.verification import Judge, verified_units
from optimizer.verification.periods import Carried, fewest_accepted

EXAMPLE = Path(__file__).parents[3] / "examples" / "diurnal_chat.yaml"
PIPELINES = 3


@given(
    st.lists(st.floats(0.1, 9.0), min_size=1, max_size=8),
    st.lists(st.floats(0.5, 1.0), min_size=PIPELINES, max_size=PIPELINES),
)
def test_fewest_units_are_found_that_are_accepted(rates: list[float], bursty: list[float]) -> None:
    # one unit is one pipeline; the more there are, the more each carries, up to as many as are simulated
    carry = np.sort(bursty)
    carry[-1] = 1.0
    asked: list[tuple[int, float]] = []

    def each(units: int, rate: float) -> Carried:
        return Carried(min(units, PIPELINES), rate / units)

    def carries(units: int, rate: float) -> bool:
        return bool(rate / units <= carry[min(units, PIPELINES) - 1])

    def accepts(units: int, rate: float) -> bool:
        asked.append((units, rate))
        return carries(units, rate)

    by_laws = np.ceil(rates).astype(np.int64)
    units = fewest_accepted(np.array(rates), by_laws, each(9, 9.0), each, accepts)
    for rate, least, count in zip(rates, by_laws.tolist(), units.tolist(), strict=True):
        assert carries(count, rate)
        assert all(not carries(fewer, rate) for fewer in range(least, count))
    assert np.all(np.diff(units[np.argsort(rates)]) >= 0)
    assert len(set(asked)) == len(asked), "nothing is simulated twice"


def test_fleets_that_simulate_alike_are_simulated_once() -> None:
    asked: list[int] = []

    def accepts(units: int, _: float) -> bool:
        asked.append(units)
        return True

    def each(units: int, rate: float) -> Carried:
        return Carried(min(units, PIPELINES), rate / units)

    counts = np.arange(10, 40)
    units = fewest_accepted((0.8 + 0.001 * counts) * counts, counts, each(50, 40.0), each, accepts)
    assert units.tolist() == counts.tolist()
    assert asked == [39]


@pytest.fixture(scope="module")
def diurnal() -> Answer:
    spec, snapshot = read_question(EXAMPLE, load())
    found = answer(spec, snapshot, simulated=True)
    assert isinstance(found, Answer)
    return found


def test_every_period_is_simulated_with_its_units(diurnal: Answer) -> None:
    spec, _ = read_question(EXAMPLE, load())
    problem, design = diurnal.problem, diurnal.design
    assert diurnal.sizing is not None
    assert diurnal.period_units is not None
    rates = problem.demand.rate_per_s * np.array(spec.workload.shares_of_peak)
    by_laws = diurnal.sizing.units(rates)
    assert np.all(by_laws <= diurnal.period_units)
    assert max(diurnal.period_units) == design.units
    for units, rate in zip(diurnal.period_units, rates.tolist(), strict=True):
        there = problem.carrying(rate)
        assert Judge(there, spec.workload)(replace(design, replicas=units)).accepted


def test_a_period_that_needs_more_slots_is_refused(diurnal: Answer) -> None:
    spec, _ = read_question(EXAMPLE, load())
    problem, few = diurnal.problem, replace(diurnal.design, max_num_seqs=16)
    rates, by_laws = np.array([0.4 * problem.demand.rate_per_s]), np.array([3])
    assert verified_units(problem, spec.workload, diurnal.design, rates, by_laws).tolist() == [3]
    assert verified_units(problem, spec.workload, few, rates, by_laws).tolist() > [3]


def test_the_design_alone_is_not_simulated_again(diurnal: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, _ = read_question(EXAMPLE, load())
    monkeypatch.setattr(Judge, "__call__", lambda *_: pytest.fail("simulated"))
    design = diurnal.design
    rates = np.array([0.5, 1.0]) * diurnal.problem.demand.rate_per_s
    by_laws = np.full(2, design.units)
    assert verified_units(diurnal.problem, spec.workload, design, rates, by_laws).tolist() == [design.units] * 2
