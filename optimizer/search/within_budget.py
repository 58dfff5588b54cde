"""Bound and refine within a budget: the best value that each placement reaches at the most units that it may have.

The twin of `refine`, which makes the cost least: here the cost is capped and the value is made least. A placement whose
optimistic value is worse than those of the designs that are reported is never evaluated; ties are searched through.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.evaluate import Candidates, Physics, Question, tabulate
from optimizer.search.aims import MISSED, Aim
from optimizer.search.bounds import Demand, most_units, unit_prices, units_bound
from optimizer.search.columns import Column, Rows, columns_of
from optimizer.search.refine import BLOCK, Refinement, design_signature, threshold
from optimizer.topology.layouts import MAX_NUM_SEQS, TOKEN_BUDGETS, CandidateSpace

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class BestValues:
    """What the search found: how rows ended, and exact columns in the order of value and ties.

    The refinement's units are the most that the budget buys, and its threshold is unset.
    """

    refinement: Refinement
    columns: tuple[Column, ...]


def best_values(
    space: CandidateSpace,
    physics: Physics,
    question: Question,
    demand: Demand,
    aim: Aim,
    distinct_designs: int,
    near: bool = False,
) -> BestValues:
    """Search until every placement within the value of the best `distinct_designs` is exact or refused."""
    prices = unit_prices(space)
    most = most_units(space, demand, prices, demand.most_usd_micro_per_hour)
    working = most * space.replicas_per_unit - demand.spare_replicas
    feasible_bound = (units_bound(space, physics, question, demand) <= most) & (working > 0)
    bound = aim.bound(physics, question, space.placement_key, np.maximum(working, 1))
    waiting = np.lexsort((space.placement_key, bound))
    waiting = waiting[feasible_bound[waiting]]

    values = np.full((len(prices), len(TOKEN_BUDGETS)), MISSED)
    reached = np.zeros(len(prices), dtype=bool)
    best: dict[tuple[object, ...], int] = {}
    while True:
        worst = threshold(best, distinct_designs, near)
        if worst is not None:
            waiting = waiting[bound[waiting] <= worst]
        if not len(waiting):
            break
        block, waiting = waiting[:BLOCK], waiting[BLOCK:]
        rows = np.repeat(block, len(TOKEN_BUDGETS))
        candidates = _candidates(space, physics, rows, np.tile(np.arange(len(TOKEN_BUDGETS)), len(block)))
        found = aim.values(candidates, question, demand, working[rows], worst).reshape(len(block), -1)
        values[block], reached[block] = found, True
        for placement, value in zip(block.tolist(), found.min(axis=1).tolist(), strict=True):
            if value != MISSED:
                signature = design_signature(space, placement)
                best[signature] = min(value, best.get(signature, value))

    units = np.where(reached[:, None], np.where(values != MISSED, most[:, None], 0), -1)
    refinement = Refinement(units, reached, feasible_bound, prices, None)
    worst = threshold(best, distinct_designs, near)
    placements, budgets = np.nonzero(values <= (MISSED - 1 if worst is None else worst))
    if not len(placements):
        return BestValues(refinement, ())
    chosen = values[placements, budgets]
    fewest = _fewest_units(space, physics, question, demand, aim, placements, budgets, chosen, most[placements])
    cost = prices[placements] * fewest
    least_value = chosen == chosen.min()
    rows_of_design = Rows(placements, budgets, fewest, chosen, best=least_value & (cost == cost[least_value].min()))
    working = fewest * space.replicas_per_unit[placements] - demand.spare_replicas
    rate, question = aim.rate_per_s(demand, chosen) / working, question.among(working.astype(np.float64))
    return BestValues(refinement, columns_of(space, physics, question, rate, rows_of_design))


def _candidates(space: CandidateSpace, physics: Physics, placements: Integers, budgets: Integers) -> Candidates:
    """Candidates with as many engine slots as there are, (R,)."""
    slots = np.full(len(placements), MAX_NUM_SEQS[-1])
    return tabulate(physics, space.placement_key[placements], TOKEN_BUDGETS[budgets], slots)


def _fewest_units(
    space: CandidateSpace,
    physics: Physics,
    question: Question,
    demand: Demand,
    aim: Aim,
    placements: Integers,
    budgets: Integers,
    values: Integers,
    most: Integers,
) -> Integers:
    """Fewest units with which candidates still reach their values, (R,); with `most` they do."""
    candidates = _candidates(space, physics, placements, budgets)
    replicas = space.replicas_per_unit[placements]
    lower = np.full(len(most), demand.spare_replicas) // replicas  # so many units are all spare
    upper = most.copy()
    while True:
        rows = np.flatnonzero(upper - lower > 1)
        if not len(rows):
            return upper
        middle = (lower[rows] + upper[rows]) // 2
        working = middle * replicas[rows] - demand.spare_replicas
        met = aim.reached(candidates.take(rows), question, demand, working, values[rows])
        upper[rows] = np.where(met, middle, upper[rows])
        lower[rows] = np.where(met, lower[rows], middle)
