"""Paid units of a cycle against a clock that looks at every minute."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.arithmetic.cycle import cycle_of

MINUTES = 60


@st.composite
def days(draw: st.DrawFn) -> tuple[list[int], list[int], int]:
    """Minutes of each period of three hours, the units that each needs, and a lead in minutes."""
    cuts = sorted(draw(st.sets(st.integers(1, 179), max_size=5)))
    minutes = np.diff([0, *cuts, 180]).tolist()
    units = draw(st.lists(st.integers(0, 9), min_size=len(minutes), max_size=len(minutes)))
    return minutes, units, draw(st.integers(0, 200))


@given(days())
def test_as_many_units_are_paid_as_any_period_within_the_lead_needs(day: tuple[list[int], list[int], int]) -> None:
    minutes, units, lead = day
    needed = np.repeat(units, minutes)
    paid = [max(np.roll(needed, -minute)[: lead + 1]) for minute in range(180)]
    cycle = cycle_of(np.array(minutes) / MINUTES, lead / MINUTES)
    assert cycle.hours.sum() == pytest.approx(3.0)
    idle = (max(units) - np.array(paid)).sum() / MINUTES
    assert float(cycle.idle_unit_hours(np.array(units))) == pytest.approx(idle, abs=1e-9)


@given(days(), st.integers(0, 200))
def test_a_longer_lead_never_costs_less(day: tuple[list[int], list[int], int], longer: int) -> None:
    minutes, units, lead = day
    hours = np.array(minutes) / MINUTES
    idle, less = (
        float(cycle_of(hours, each / MINUTES).idle_unit_hours(np.array(units))) for each in (lead, lead + longer)
    )
    assert less <= idle + 1e-9


def test_several_days_at_once_are_each_as_alone() -> None:
    cycle = cycle_of(np.array([8.0, 10.0, 6.0]), 0.5)
    days = np.array([[2, 4, 5], [1, 1, 1], [7, 3, 9]])
    assert cycle.idle_unit_hours(days).tolist() == [float(cycle.idle_unit_hours(day)) for day in days]
    assert cycle.idle_unit_hours(days)[1] == 0.0


def test_a_unit_is_paid_from_the_lead_before_its_period_begins() -> None:
    cycle = cycle_of(np.array([12.0, 12.0]), 0.5)
    assert float(cycle.idle_unit_hours(np.array([1, 3]))) == 2 * 11.5
    assert float(cycle.idle_unit_hours(np.array([3, 1]))) == 2 * 11.5, "the first period follows the last"
