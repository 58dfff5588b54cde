"""The alternatives, and the designs near the optimum, are those of trying everything."""

from collections import Counter

import numpy as np
from hypothesis import given, settings

from optimizer.evaluate import largest_ratio
from optimizer.question import Nothing, pose
from optimizer.search.alternatives import distinct_designs, near_designs
from optimizer.search.refine import Refinement
from optimizer.solve import search
from tests.property.brute_force import (
    COUNTED,
    TieKey,
    cost_in,
    fewest_units,
    key_of,
    rows_of,
    tie_key_of_column,
    within_caps,
)
from tests.property.small_spaces import Case, wide_cases

ALTERNATIVES = 5


def every_design(case: Case) -> tuple[list[TieKey], float]:
    """The least tie key of each part, layout and choice of formats, in order; and the cost up to which none lacks."""
    best: dict[tuple[object, ...], TieKey] = {}
    complete = float("inf")
    for rows in rows_of(case):
        units = fewest_units(rows, case.spec, COUNTED)
        next_cost = rows.offer.usd_micro_per_hour * (COUNTED + 1) * rows.instances_per_unit()
        if (units == 0).any():
            complete = min(complete, float(next_cost[units == 0].min()))
        allowed = np.zeros(len(units), dtype=bool)
        for count in np.unique(units[units > 0]).tolist():
            allowed |= (units == count) & within_caps(rows, case.spec, count)
        held = np.flatnonzero(allowed)
        if not len(held):
            continue
        ratios = largest_ratio(rows.candidates.take(held), rows.rate(units, case.spec)[held], rows.question)
        cost = rows.offer.usd_micro_per_hour * units * rows.instances_per_unit()
        for row, ratio in zip(held.tolist(), ratios.tolist(), strict=True):
            key = int(rows.candidates.keys[row])
            design = (rows.offer.accelerator, rows.layouts[key], rows.formats[key])
            tied = key_of(rows, row, int(cost[row]), ratio)
            best[design] = min(tied, best.get(design, tied))
    return sorted(best.values()), complete


def check_against_every_design(case: Case, tally: Counter[str]) -> None:
    """Designs, costs and order agree as far as everything was tried."""
    tally["examples"] += 1
    problem = pose(case.spec, case.snapshot)
    if isinstance(problem, Nothing):
        return
    found = search(problem, 1 + ALTERNATIVES, near=True)
    everything, complete = every_design(case)
    known = [key for key in everything if cost_in(key) < complete]
    if isinstance(found, Refinement):
        assert not known
        return
    designs = distinct_designs(problem.space, found.columns)[: 1 + ALTERNATIVES]
    keys = [tie_key_of_column(problem.space, column) for column in designs]
    assert keys == sorted(keys)
    assert [key for key in keys if cost_in(key) < complete] == known[: 1 + ALTERNATIVES]
    near = near_designs(problem.space, found.columns)
    if 1.05 * cost_in(keys[0]) < complete:
        assert [tie_key_of_column(problem.space, column) for column in near] == [
            key for key in everything if 100 * cost_in(key) <= 105 * cost_in(everything[0])
        ]
        tally["several near"] += len(near) > 1
    tally["all alternatives"] += len(known) > ALTERNATIVES


def test_the_alternatives_are_those_of_trying_everything() -> None:
    tally: Counter[str] = Counter()

    @settings(max_examples=settings.default.max_examples // 5)
    @given(wide_cases())
    def agree(case: Case) -> None:
        check_against_every_design(case, tally)

    agree()
    assert tally["all alternatives"] >= 0.1 * tally["examples"], tally
    assert tally["several near"] >= 0.1 * tally["examples"], tally
