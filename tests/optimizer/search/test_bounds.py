from collections.abc import Callable
from dataclasses import replace
from math import ceil

import numpy as np
import pytest

from optimizer.evaluate import Physics, Question, StepSpread, prepare
from optimizer.search.bounds import MOST_UNITS, Demand, most_units, rate_per_replica, unit_prices, units_bound
from optimizer.topology.layouts import CandidateSpace
from optimizer.traffic.workload_bins import constant_lengths
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from requirements_specs.serving import IntegerChoice, Layout
from tests.optimizer.traffic.linear_steps import linear_steps

GetSpace = Callable[..., CandidateSpace]

A, B, KAPPA = 5e-3, 4e-5, 2e-6
PROMPT, OUTPUT = 1000.0, 200.0
# S(N) = a + N·(b + κ·s/o): every step carries the prompt tokens of N/o requests.
SLOPE = B + KAPPA * PROMPT / OUTPUT
FREE = Question((), 0.8, 0.0)


def physics_of(keys: int, **values: float) -> Physics:
    steps = linear_steps(keys, fixed_s=A, per_sequence_s=B, per_token_s=KAPPA, **values)
    return prepare(steps, constant_lengths(np.array([PROMPT]), np.array([OUTPUT]), np.zeros(1)), StepSpread.none(keys))


def rate_at(sequences: float) -> float:
    """λ = N/(o·S(N))."""
    return sequences / (OUTPUT * (A + SLOPE * sequences))


def bound_on_one(space: CandidateSpace, physics: Physics, question: Question, rate: float, spares: int = 0) -> int:
    """Units of the single-accelerator offer."""
    units = units_bound(space, physics, question, Demand(rate, spares, None, None))
    return int(units[0])


def tpot(limit_s: float, statistic: Statistic = Statistic.MEAN) -> Question:
    return replace(FREE, limits=(LatencyLimit(metric=Metric.TPOT, statistic=statistic, limit_s=limit_s),))


def test_slots_bound_the_rate(space_of: GetSpace) -> None:
    space = space_of([3_000_000])
    most = rate_at(1024.0)
    for rate, units in ((0.5 * most, 1), (most * 0.999, 1), (most * 1.001, 2), (most * 9.999, 10), (most * 10.001, 11)):
        assert bound_on_one(space, physics_of(1), FREE, rate) == units


def test_the_kv_cache_bounds_the_rate(space_of: GetSpace) -> None:
    """50 sequences of 1,100 tokens and half a block each."""
    space, physics = space_of([3_000_000]), physics_of(1, kv_capacity_tokens=50.0 * 1108.0)
    assert bound_on_one(space, physics, FREE, 4.0 * rate_at(50.0) * 0.999) == 4
    assert bound_on_one(space, physics, FREE, 4.0 * rate_at(50.0) * 1.001) == 5


@pytest.mark.parametrize("statistic", [Statistic.MEAN, Statistic.P99])
def test_a_tpot_limit_bounds_the_rate(space_of: GetSpace, statistic: Statistic) -> None:
    """S(100) is the step that the limit allows."""
    question = tpot(A + SLOPE * 100.0, statistic)
    space = space_of([3_000_000])
    assert bound_on_one(space, physics_of(1), question, 3.0 * rate_at(100.0) * 0.999) == 3
    assert bound_on_one(space, physics_of(1), question, 3.0 * rate_at(100.0) * 1.001) == 4


@pytest.mark.parametrize(
    "question",
    [
        tpot(A),
        replace(FREE, limits=(LatencyLimit(metric=Metric.TTFT, statistic=Statistic.P99, limit_s=A),)),
        replace(FREE, limits=(LatencyLimit(metric=Metric.E2E, statistic=Statistic.MEAN, limit_s=A * OUTPUT),)),
    ],
    ids=["tpot", "ttft", "e2e"],
)
def test_what_one_request_alone_misses_has_no_bound(space_of: GetSpace, question: Question) -> None:
    assert bound_on_one(space_of([3_000_000]), physics_of(1), question, 1e-6) == MOST_UNITS + 1


def test_too_little_memory_for_one_request_has_no_bound(space_of: GetSpace) -> None:
    assert bound_on_one(space_of([3_000_000]), physics_of(1, kv_capacity_tokens=1215.0), FREE, 1e-6) == MOST_UNITS + 1
    assert bound_on_one(space_of([3_000_000]), physics_of(1, kv_capacity_tokens=1216.0), FREE, 1e-6) == 1


@pytest.mark.parametrize("spares", [0, 1, 3, 8])
def test_units_hold_whole_replicas_and_spares(space_of: GetSpace, spares: int) -> None:
    """One replica on the first offer, eight on the second, two on the third."""
    space = space_of([3_000_000, 24_000_000, 7_000_000])
    physics = physics_of(len(space.keys))
    demand = Demand(rate_at(1024.0) * 5.5, spares, None, None)
    found = dict(
        zip(
            (space.machines[index].accelerators for index in space.placement_machine.tolist()),
            units_bound(space, physics, FREE, demand).tolist(),
            strict=True,
        )
    )
    assert found == {each: ceil((6 + spares) / each) for each in (1, 8, 2)}


def test_pipelines_multiply_the_bound(space_of: GetSpace) -> None:
    physics = physics_of(1, pp=2)
    assert bound_on_one(space_of([3_000_000]), physics, FREE, 2.0 * rate_at(1024.0) * 0.999) == 1
    assert bound_on_one(space_of([3_000_000]), physics, FREE, 2.0 * rate_at(1024.0) * 1.001) == 2


def test_prices_and_caps(space_of: GetSpace) -> None:
    """Of offers of one machine the cheapest speaks; a unit of two instances costs two."""
    space = space_of([3_000_000, 24_000_000, 7_000_000, 6_500_000, 8_000_000])
    prices = unit_prices(space)
    by_size = {space.machines[machine].accelerators: place for place, machine in enumerate(space.placement_machine)}
    assert {size: int(prices[place]) for size, place in by_size.items()} == {1: 3_000_000, 8: 24_000_000, 2: 6_500_000}

    def most(accelerators: int | None, dollars: int | None) -> dict[int, int]:
        demand = Demand(1.0, 0, accelerators, None)
        units = most_units(space, demand, prices, None if dollars is None else dollars * 1_000_000)
        return {size: int(units[place]) for size, place in by_size.items()}

    assert most(None, None) == dict.fromkeys((1, 8, 2), MOST_UNITS)
    assert most(7, None) == {1: 7, 8: 0, 2: 3}
    assert most(None, 24) == {1: 8, 8: 1, 2: 3}
    assert most(5, 24) == {1: 5, 8: 0, 2: 2}


def test_a_stock_of_machines_caps_units_and_parts_machines(space_of: GetSpace) -> None:
    """Three pairs of one offer and any number of another; a replica over two pairs has one unit."""
    pins = Layout(tp=IntegerChoice(values=(2,)), pp=IntegerChoice(values=(1, 2)))
    space = space_of([0, 0, 7_000_000, 6_000_000], pins, stock={2: 3})
    prices, demand = unit_prices(space), Demand(1.0, 0, None, None)
    stocked = {space.offers[offers[0]].most_instances: index for index, offers in enumerate(space.offers_of_machine)}
    most = most_units(space, demand, prices, None)
    of_three = space.placement_machine == stocked[3]
    assert dict(zip(space.instances_per_unit[of_three].tolist(), most[of_three].tolist(), strict=True)) == {1: 3, 2: 1}
    assert set(most[~of_three].tolist()) == {MOST_UNITS}
    assert set(most_units(space.of_any_number(), demand, prices, None).tolist()) == {MOST_UNITS}
    of_pairs = np.array([machine.accelerators == 2 for machine in space.machines])[space.placement_machine]
    assert set(space.placement_key[of_pairs]) == set(space.placement_key[of_three]), "a number is no physics"


def test_a_unit_of_two_instances_costs_two(space_of: GetSpace) -> None:
    pins = Layout(tp=IntegerChoice(values=(2,)), pp=IntegerChoice(values=(1, 2)))
    space = space_of([0, 0, 7_000_000], pins)
    pair = next(index for index, machine in enumerate(space.machines) if machine.accelerators == 2)
    prices = unit_prices(space)[space.placement_machine == pair]
    assert sorted(prices.tolist()) == [7_000_000, 14_000_000]


def test_spares_carry_nothing() -> None:
    units = np.array([1, 2, 3])
    rate = rate_per_replica(Demand(12.0, 2, None, None), units, np.array([2, 2, 1]))
    np.testing.assert_array_equal(rate, [np.inf, 6.0, 12.0])
