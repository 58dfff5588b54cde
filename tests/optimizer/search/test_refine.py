from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from optimizer.evaluate import Physics, Question, StepSpread, meets, prepare, tabulate
from optimizer.search.bounds import Demand, unit_prices
from optimizer.search.columns import exact_columns
from optimizer.search.ledger import Ledger
from optimizer.search.proof import count_rows, refined_rows
from optimizer.search.refine import Refinement, refine
from optimizer.topology.layouts import MAX_NUM_SEQS, TOKEN_BUDGETS, CandidateSpace, Illegal
from optimizer.traffic.workload_bins import constant_lengths
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from tests.optimizer.traffic.linear_steps import linear_steps

GetSpace = Callable[..., CandidateSpace]

LIMITS = (
    LatencyLimit(metric=Metric.TTFT, statistic=Statistic.P99, limit_s=0.08),
    LatencyLimit(metric=Metric.TPOT, statistic=Statistic.P99, limit_s=0.03),
)
QUESTION = Question(LIMITS, 0.8, 1.0)


def physics_of(space: CandidateSpace) -> Physics:
    """The A100 is half as fast as the H100."""
    slow = np.array([2.0 if row.accelerator.id.startswith("a100") else 1.0 for row in space.keys])
    steps = linear_steps(len(slow), kv_capacity_tokens=200_000.0)
    steps = replace(steps, fixed_s=6e-3 * slow, per_sequence_s=4e-5 * slow, per_token_s=4e-6 * slow)
    bins = constant_lengths(np.array([2500.0]), np.array([200.0]), np.zeros(1))
    return prepare(steps, bins, StepSpread.alike(np.full(len(slow), 0.1)))


def counted_up(space: CandidateSpace, physics: Physics, demand: Demand, most: int) -> np.ndarray:
    """Fewest units per placement and token budget, one unit more at a time; 0 where `most` are too few."""
    found = np.zeros((len(space.placement_key), len(TOKEN_BUDGETS)), dtype=np.int64)
    for placement, key in enumerate(space.placement_key.tolist()):
        for place, budget in enumerate(TOKEN_BUDGETS.tolist()):
            candidate = tabulate(physics, np.array([key]), np.array([budget]), MAX_NUM_SEQS[-1:])
            for units in range(1, most + 1):
                working = units * space.replicas_per_unit[placement] - demand.spare_replicas
                if working > 0 and meets(candidate, np.array([demand.rate_per_s / working]), QUESTION)[0]:
                    found[placement, place] = units
                    break
    return found


@pytest.mark.parametrize("rate", [2.0, 30.0, 130.0])
@pytest.mark.parametrize("spares", [0, 2])
def test_the_search_finds_the_fewest_units_of_every_cheap_placement(
    space_of: GetSpace, rate: float, spares: int
) -> None:
    space = space_of([4_000_000, 30_000_000, 5_000_000, 5_500_000])
    physics, demand = physics_of(space), Demand(rate, spares, None, None)
    exact = counted_up(space, physics, demand, 40)
    assert exact.any()
    found = refine(space, physics, QUESTION, demand, 1)
    costs = np.where(exact > 0, exact * found.prices[:, None], np.iinfo(np.int64).max)
    assert found.threshold_usd_micro == costs.min()
    within = costs <= found.threshold_usd_micro
    np.testing.assert_array_equal(found.units[within], exact[within])
    # what was evaluated and not found costs more
    assert (costs[found.units == 0] > found.threshold_usd_micro).all()
    assert not within[~found.reached].any()


def test_the_search_goes_on_through_bounds_equal_to_the_threshold(
    space_of: GetSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One unit of either machine is enough and costs the same: both are found, though one would do."""
    monkeypatch.setattr("optimizer.search.refine.BLOCK", 1)
    space = space_of([5_000_000, 5_000_001, 5_000_000])
    found = refine(space, physics_of(space), QUESTION, Demand(0.5, 0, None, None), 1)
    assert found.threshold_usd_micro == 5_000_000
    reached = {
        space.machines[machine].accelerators: bool(reached)
        for machine, reached in zip(space.placement_machine.tolist(), found.reached.tolist(), strict=True)
    }
    assert reached == {1: True, 2: True, 8: False}


def test_caps_make_it_infeasible(space_of: GetSpace) -> None:
    space = space_of([4_000_000, 30_000_000, 5_000_000])
    physics = physics_of(space)
    least = refine(space, physics, QUESTION, Demand(30.0, 0, None, None), 1).threshold_usd_micro
    assert least is not None
    for cap, expected in ((least, least), (least - 1, None)):
        found = refine(space, physics, QUESTION, Demand(30.0, 0, None, cap), 1)
        assert found.threshold_usd_micro == expected
        assert bool(exact_columns(space, physics, QUESTION, Demand(30.0, 0, None, cap), found)) is (
            expected is not None
        )
    assert refine(space, physics, QUESTION, Demand(30.0, 0, 1, None), 1).threshold_usd_micro is None


def test_columns_of_equal_offers_stand_in_the_order_of_ties(space_of: GetSpace) -> None:
    """Two offers of the same machine at one price are two columns, the dearer third none."""
    space = space_of([400_000_000, 400_000_000, 5_000_000, 5_000_000, 5_000_001])
    physics, demand = physics_of(space), Demand(10.0, 0, None, None)
    found = refine(space, physics, QUESTION, demand, 1)
    columns = exact_columns(space, physics, QUESTION, demand, found)
    assert columns
    assert {space.offers[column.offer].region for column in columns} == {"eastus", "eastus2"}
    assert len({column.usd_micro_per_hour for column in columns}) == 1
    first, second = columns[:2]
    assert (space.offers[first.offer].region, space.offers[second.offer].region) == ("eastus", "eastus")
    assert first.largest_ratio <= second.largest_ratio
    for column in columns:
        rate = np.array([demand.rate_per_s / column.replicas])
        budget = np.array([float(column.token_budget)])
        fits = [
            bool(meets(tabulate(physics, np.array([column.key]), budget, slots[None]), rate, QUESTION)[0])
            for slots in MAX_NUM_SEQS
        ]
        assert MAX_NUM_SEQS[fits.index(True)] == column.max_num_seqs
        assert all(fits[fits.index(True) :])
        assert column.accelerators == column.instances * 2
        assert column.usd_micro_per_hour == column.instances * 5_000_000


def test_rows_by_hand(space_of: GetSpace) -> None:
    """Five offers on three machines; per offer 20 layouts, one left; a placement of n offers has 128·n rows."""
    space = space_of([4_000_000, 30_000_000, 5_000_000, 5_000_000, 6_000_000])
    rows = [space.rows_of(placement) for placement in range(3)]
    assert sorted(rows) == [128, 128, 3 * 128]
    assert space.candidates == 5 * 20 * 128
    assert space.illegal == {Illegal.PINNED: 5 * 19 * 128}
    order = [int(np.flatnonzero([each.accelerators == size for each in space.machines])[0]) for size in (1, 8, 2)]
    placements = [space.placement_machine.tolist().index(machine) for machine in order]
    units = np.full((3, 8), -1, dtype=np.int64)
    reached = np.zeros(3, dtype=bool)
    feasible = np.ones(3, dtype=bool)
    single, _, pair = placements
    feasible[single] = False  # its 128 rows are refused
    # the board's 128 rows are bounded; of the pair, budgets 3 and 5 hold at two units, the others at none
    units[pair] = 0
    units[pair, [3, 5]] = 2
    reached[pair] = True
    refinement = Refinement(units, reached, feasible, unit_prices(space), 10_000_000)
    free = replace(QUESTION, limits=())
    columns = exact_columns(space, physics_of(space), free, Demand(1.0, 0, None, None), refinement)
    assert [(each.offer, each.token_budget) for each in columns] == [(2, 3072), (2, 8192), (3, 3072), (3, 8192)]
    assert {each.max_num_seqs for each in columns} == {8}
    ledger = count_rows(space, refinement, columns)
    # four columns of sixteen slots each tie; of the dearer third offer 2 budgets × 16 rows are dominated
    assert ledger == Ledger(
        candidates=12_800,
        illegal=12_160,
        bounded=128,
        refused=128 + 6 * 16 * 3,
        dominated=2 * 16,
        optimal=1,
        tied=4 * 16 - 1,
    )
    assert refined_rows(refinement) == 8
    # where 32 slots are needed, the four smaller numbers of slots (8 to 24) are refused, not tied
    crowded = [replace(each, max_num_seqs=32) for each in columns]
    assert count_rows(space, refinement, crowded) == replace(
        ledger, refused=ledger.refused + 4 * 4, tied=ledger.tied - 4 * 4
    )
    nothing = count_rows(space, replace(refinement, units=np.minimum(units, 0)), ())
    assert (nothing.optimal, nothing.tied, nothing.dominated) == (0, 0, 0)
    assert nothing.refused == 128 + 128 * 3
