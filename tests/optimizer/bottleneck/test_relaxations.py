from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.read import Snapshot
from optimizer.bottleneck.atoms import atoms_of
from optimizer.bottleneck.relaxations import caps_for, rounded_up
from optimizer.question import demand_of
from requirements_specs.paths import with_values
from requirements_specs.serving import Budget, ServingSpec

SpecOf = Callable[..., ServingSpec]


@given(st.floats(1e-6, 1e6))
def test_a_number_is_rounded_up_to_three_digits(value: float) -> None:
    found = rounded_up(value)
    assert value < found <= value * 1.0101
    assert len(Decimal(repr(found)).normalize().as_tuple().digits) <= 3


@pytest.mark.parametrize(("value", "wanted"), [(0.00978112, 0.00979), (0.3, 0.301), (99.95, 100.0), (1234.5, 1240.0)])
def test_a_number_on_its_last_digit_goes_to_the_next(value: float, wanted: float) -> None:
    assert rounded_up(value) == wanted


@pytest.mark.parametrize("cost", [1, 2_690_000, 26_987_654, 712_080_001, 98_765_432_109_876_543])
@pytest.mark.parametrize("budget", ["usd_per_hour", "usd_per_month", "usd_per_million_output_tokens"])
def test_a_relaxed_budget_just_allows_the_cost(snapshot: Snapshot, spec_of: SpecOf, budget: str, cost: int) -> None:
    spec = spec_of(rate=3.7, output=123.4, budget=Budget(**{budget: 1e-9}))
    atoms = atoms_of(spec, snapshot)
    allowed = caps_for(spec, atoms, frozenset(atoms.cap_numbers), cost, 8)
    assert set(allowed) == {f"budget.{budget}"}
    most = demand_of(with_values(spec, allowed)).most_usd_micro_per_hour
    assert most is not None
    assert cost <= most <= cost + max(1, cost // 100_000)


def test_the_accelerator_cap_allows_what_the_design_rents(snapshot: Snapshot, spec_of: SpecOf) -> None:
    spec = spec_of(most=2, budget=Budget(usd_per_hour=1.0))
    atoms = atoms_of(spec, snapshot)
    accelerators = atoms.ids.index("inventory.max_accelerators")
    assert caps_for(spec, atoms, frozenset({accelerators}), 5, 8) == {"inventory.max_accelerators": 8}
