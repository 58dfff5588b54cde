"""Bound and refine: the exact units of every placement that could be among the cheapest designs.

A cost is guessed, and every placement whose optimistic cost is within it is evaluated once at the most units that it
buys; only if that holds are its fewest units sought. Every law is monotone in the rate, so a placement refused there
is refused at every smaller, cheaper number. Too small a guess is raised; once enough designs are known, their cost
takes its place. The search goes on through every placement whose bound equals that cost, so that all ties are seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.evaluate import Physics, Question, meets, tabulate
from optimizer.search.bounds import (
    Demand,
    most_units,
    rate_per_replica,
    unit_prices,
    units_bound,
)
from optimizer.topology.layouts import MAX_NUM_SEQS, TOKEN_BUDGETS, CandidateSpace

Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]
# Placements evaluated together; after each block the cost of the designs found so far prunes the next.
BLOCK = 24
# Rows that are evaluated together cost hardly more than one: while fewer are left, each is tried at several numbers.
FEW_ROWS = 24
# So few placements are not worth a guess of the cost.
FEW_PLACEMENTS = 6
# The first guesses of the cost, as powers of this over the cheapest bound; after them no cost is assumed.
GUESS_GROWTH = 1.75
GUESSES = 8
# What counts as nearly optimal.
NEAR_PERCENT = 5


@dataclass(frozen=True)
class Refinement:
    """What is known of the placements after the search.

    units (P, B): exact fewest units per token budget where found, 0 where refused, −1 where not evaluated.
    reached (P,): whether the placement was evaluated. feasible_bound (P,): whether any number of units within the
    caps could carry the demand by the bound. threshold_usd_micro: cost up to which everything was searched, None if
    nothing was found.
    """

    units: Integers
    reached: Bools
    feasible_bound: Bools
    prices: Integers
    threshold_usd_micro: int | None


def refine(
    space: CandidateSpace,
    physics: Physics,
    question: Question,
    demand: Demand,
    distinct_designs: int,
    near: bool = False,
    least_units: Integers | None = None,
) -> Refinement:
    """Search until every placement within the cost of the cheapest `distinct_designs` is exact or refused.

    Designs are distinct if part, layout or formats differ. near: search through all within `NEAR_PERCENT` too.
    least_units (P, B): fewer are not admitted, though they may meet the requirements (`search/cuts.py`).
    """
    prices = unit_prices(space)
    cap = most_units(space, demand, prices, demand.most_usd_micro_per_hour)
    least = np.repeat(units_bound(space, physics, question, demand)[:, None], len(TOKEN_BUDGETS), axis=1)
    if least_units is not None:
        least = np.maximum(least, least_units)
    feasible_bound = least.min(axis=1) <= cap
    bound_usd_micro = prices * least.min(axis=1)
    order = np.lexsort((space.placement_key, bound_usd_micro))
    order = order[feasible_bound[order]]

    units = np.full((len(prices), len(TOKEN_BUDGETS)), -1, dtype=np.int64)
    best: dict[tuple[object, ...], int] = {}
    for guess in _guesses(bound_usd_micro[order]):
        waiting = order
        while True:
            limit = _lower(guess, threshold(best, distinct_designs, near))
            if limit is not None:
                waiting = waiting[bound_usd_micro[waiting] <= limit]
            if not len(waiting):
                break
            block, waiting = waiting[:BLOCK], waiting[BLOCK:]
            affordable = np.minimum(cap, most_units(space, demand, prices, limit))
            units[block] = _exact_units(space, physics, question, demand, block, least, affordable)
            _note_costs(best, space, prices, units, block)
        searched = threshold(best, distinct_designs, near)
        if searched is not None and (guess is None or searched <= guess):
            break
    reached: Bools = np.all(units >= 0, axis=1)
    return Refinement(units, reached, feasible_bound, prices, threshold(best, distinct_designs, near))


def _guesses(bounds_usd_micro: Integers) -> Iterator[int | None]:
    """Costs to try, rising from the cheapest bound, then None, no limit; for few placements only that."""
    if len(bounds_usd_micro) > FEW_PLACEMENTS:
        for power in range(1, GUESSES + 1):
            yield int(float(bounds_usd_micro[0]) * GUESS_GROWTH**power)
    yield None


def _lower(guess: int | None, threshold: int | None) -> int | None:
    """The smaller of two costs, None being no limit."""
    known = [cost for cost in (guess, threshold) if cost is not None]
    return min(known, default=None)


def _note_costs(
    best: dict[tuple[object, ...], int], space: CandidateSpace, prices: Integers, units: Integers, block: Integers
) -> None:
    """Keep the least cost of every distinct design."""
    for placement in block.tolist():
        found = units[placement][units[placement] > 0]
        if len(found):
            signature = design_signature(space, placement)
            cost = int(prices[placement] * found.min())
            best[signature] = min(cost, best.get(signature, cost))


def design_signature(space: CandidateSpace, placement: int) -> tuple[object, ...]:
    """What makes two designs distinct to a reader: part, layout and formats."""
    key = int(space.placement_key[placement])
    machine = space.machines[int(space.placement_machine[placement])]
    return (machine.accelerator_id, space.layouts[key], space.formats[key])


def threshold(best: dict[tuple[object, ...], int], distinct_designs: int, near: bool) -> int | None:
    """Cost, or value, up to which everything must be searched; None while too few designs are known."""
    if len(best) < distinct_designs:
        return None
    values = sorted(best.values())
    last = values[distinct_designs - 1]
    return max(last, worst_near(values[0])) if near else last


def worst_near(best: int) -> int:
    """The worst cost or value that is within `NEAR_PERCENT` of the best; less is better, even below zero."""
    return best + abs(best) * NEAR_PERCENT // 100


def _exact_units(
    space: CandidateSpace,
    physics: Physics,
    question: Question,
    demand: Demand,
    block: Integers,
    least: Integers,
    affordable: Integers,
) -> Integers:
    """Fewest units per placement and token budget, (len(block), B); 0 where none within `affordable` holds.

    `least` (P, B): fewer units than these are known not to do.
    """
    budgets = len(TOKEN_BUDGETS)
    placements = np.repeat(block, budgets)
    candidates = tabulate(
        physics,
        space.placement_key[placements],
        np.tile(TOKEN_BUDGETS, len(block)),
        np.full(len(placements), MAX_NUM_SEQS[-1]),
    )
    replicas = space.replicas_per_unit[placements]
    lower = least[block].ravel() - 1
    upper = affordable[placements].copy()

    def holds(rows: Integers, units: Integers) -> Bools:
        rate = rate_per_replica(demand, units, replicas[rows])
        met = np.isfinite(rate)
        met[met] = meets(candidates.take(rows[met]), rate[met], question)
        return met

    rows = np.flatnonzero(upper > lower)
    found = np.zeros(len(placements), dtype=bool)
    found[rows] = holds(rows, upper[rows])
    while True:
        rows = np.flatnonzero(found & (upper - lower > 1))
        if not len(rows):
            break
        tried = _numbers_between(lower[rows], upper[rows], max(1, FEW_ROWS // len(rows)))
        met = holds(np.repeat(rows, tried.shape[1]), tried.ravel()).reshape(tried.shape)
        ends = np.concatenate([lower[rows, None], tried, upper[rows, None]], axis=1)
        first_met = 1 + np.where(met.any(axis=1), met.argmax(axis=1), tried.shape[1])
        each = np.arange(len(rows))
        lower[rows], upper[rows] = ends[each, first_met - 1], ends[each, first_met]
    return np.where(found, upper, 0).reshape(len(block), budgets)


def _numbers_between(lower: Integers, upper: Integers, count: int) -> Integers:
    """So many whole numbers between two, (R, count), closer together near the lower: bounds are seldom far too low."""
    shares = np.arange(1, count + 1) / (count + 1)
    start, stop = lower[:, None] + 1.0, upper[:, None] + 1.0
    numbers = np.floor(start * (stop / start) ** shares).astype(np.int64) - 1
    return np.clip(numbers, lower[:, None] + 1, upper[:, None] - 1)
