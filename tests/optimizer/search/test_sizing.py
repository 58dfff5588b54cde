"""Units of one candidate at other rates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.search.sizing import Sizing


@st.composite
def sizings(draw: st.DrawFn) -> Sizing:
    numbers = sorted(draw(st.sets(st.integers(1, 40), min_size=1, max_size=5)))
    rates = draw(st.lists(st.floats(0.01, 100.0), min_size=len(numbers), max_size=len(numbers)))
    return Sizing(np.array(numbers), np.sort(rates), draw(st.integers(0, 3)), draw(st.integers(1, 8)))


@given(sizings(), st.floats(1e-6, 1e4))
def test_the_units_carry_the_rate_and_one_fewer_do_not(sizing: Sizing, rate_per_s: float) -> None:
    units = int(sizing.units(np.array([rate_per_s]))[0])
    working = units * sizing.replicas_per_unit - sizing.spare_replicas
    assert working >= 1
    assert rate_per_s / working <= sizing.rate_of_one(np.array([working]))[0]
    fewer = working - sizing.replicas_per_unit
    assert fewer < 1 or rate_per_s / fewer > sizing.rate_of_one(np.array([fewer]))[0]


@given(sizings(), st.lists(st.floats(1e-6, 1e4), min_size=2, max_size=20))
def test_less_never_needs_more(sizing: Sizing, rates: list[float]) -> None:
    assert np.all(np.diff(sizing.units(np.sort(rates))) >= 0)
    assert np.all(sizing.units(np.array(rates), sizing.spare_replicas + 1) >= sizing.units(np.array(rates)))


@pytest.mark.parametrize("working", [1, 3, 7, 49])
def test_a_rate_that_replicas_just_carry_needs_no_more_of_them(working: int) -> None:
    rate = np.array([115.27431973687307])
    sizing = Sizing(np.array([1]), rate / working, 0, 1)
    assert sizing.units(rate).tolist() == [working]
    assert sizing.load(rate, np.array([working]))[0] == pytest.approx(1.0)


def test_fewer_than_any_number_that_carries_something_carry_nothing() -> None:
    sizing = Sizing(np.array([3, 5]), np.array([1.0, 2.0]), 0, 1)
    assert sizing.units(np.array([[0.1, 3.0], [3.5, 9.0]])).tolist() == [[3, 3], [4, 5]]
    assert sizing.load(np.array([1.0, 3.0]), np.array([2, 3])).tolist() == [np.inf, 1.0]
