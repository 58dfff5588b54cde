"""Rounds of search and simulation until both accept the same design.

A round simulates the cheapest design that the laws accept, and where it is refused the others of its cost in the
order of ties, up to the first that is accepted. Each that is refused adds one cut, that its candidate needs more
replicas than were refused, and the model is solved again. The first winner that simulation accepts is the cheapest
design that both accept, for every cheaper row was refused by the laws, or by simulation at that many replicas or more.

A refused candidate would come back one unit larger for as long as it is the cheapest. So where nothing of a cost is
accepted, its candidates are tried with more units at once, one, two, four … more, up to the next cost that is known,
and then the gap between refused and accepted is halved: the cut stands at units that were simulated and refused. As
the search by the laws does, this trusts that a design refused with some replicas is refused with fewer; common
random numbers make it so but for noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from optimizer.answers import Found, Judgement, Verification
from optimizer.question import Problem
from optimizer.search.bounds import most_units, rate_per_replica, unit_prices
from optimizer.search.columns import Column, Rows, columns_of, place
from optimizer.search.cuts import NO_CUTS, Cuts
from optimizer.search.integer_program import SolveStatus
from optimizer.search.refine import Refinement
from optimizer.topology.layouts import TOKEN_BUDGETS

Find = Callable[[Cuts], Found | Refinement]
Verdict = Callable[[Column], Judgement]

# So many cuts, and the search ends at the next solve; a simulation takes about a tenth of a second.
MOST_REFUSALS = 100
# How far a refused candidate grows in one round where no dearer design is known.
GROWTH = 2


@dataclass(frozen=True)
class Verified:
    """The design that search and simulation end with, and how they came to it."""

    found: Found
    verification: Verification


def verified(problem: Problem, find: Find, judge: Verdict) -> Verified | Refinement:
    """The cheapest design that the laws and `judge` accept; the bare refinement where the laws accept none.

    If no round ends in acceptance, the cheapest design known that both accept, not proved; if there is none, the
    optimum of the laws, not proved, and no judgement that accepts it.
    """
    first = found = find(NO_CUTS)
    if isinstance(first, Refinement):
        return first
    cuts, rounds = NO_CUTS, 0
    refusals: list[Judgement] = []
    accepted: list[Judgement] = []
    while not isinstance(found, Refinement) and len(refusals) < MOST_REFUSALS:
        rounds += 1
        refused, judged = _judged_of_one_cost(found, judge)
        if judged is not None and not refused:
            columns = tuple(judged.column if column is found.design else column for column in found.columns)
            verification = Verification(first.design, rounds, tuple(refusals), judged)
            return Verified(replace(found, columns=columns), verification)
        if judged is None:
            grown = [_larger(problem, each, _next_cost(found), judge) for each in refused]
            refused = [each for each, _ in grown]
            accepted += [larger for _, larger in grown if larger is not None]
        else:
            accepted.append(judged)
        refusals += refused
        for each in refused:
            cuts = cuts.refusing(each.column)
        found = find(cuts)
    if not accepted and not isinstance(found, Refinement):
        judged = judge(found.design)
        larger = judged if judged.accepted else _larger(problem, judged, None, judge)[1]
        accepted += [] if larger is None else [larger]
    best = min(accepted, key=lambda each: place(problem.space, each.column), default=None)
    known = first if best is None or isinstance(found, Refinement) else found
    design = known.design if best is None else best.column
    verification = Verification(first.design, rounds, tuple(refusals), best)
    ended = _not_proved(problem, known, design)
    if best is None:  # what the laws proved is not what was asked
        cost = replace(ended.solution.cost, bound=None)
        ended = replace(ended, solution=replace(ended.solution, cost=cost))
    return Verified(ended, verification)


def _judged_of_one_cost(found: Found, judge: Verdict) -> tuple[list[Judgement], Judgement | None]:
    """The candidates that are as cheap as the design: those refused, up to the first accepted, None if none is."""
    cuts = NO_CUTS
    refused: list[Judgement] = []
    for column in found.columns:
        if column.usd_micro_per_hour == found.design.usd_micro_per_hour and not cuts.refuse(column):
            judged = judge(column)
            if judged.accepted:
                return refused, judged
            refused.append(judged)
            cuts = cuts.refusing(column)
    return refused, None


def _next_cost(found: Found) -> int:
    """The least cost known above that of the design; if none is known, a multiple of it."""
    cost = found.design.usd_micro_per_hour
    dearer = [column.usd_micro_per_hour for column in found.columns if column.usd_micro_per_hour > cost]
    return min(dearer, default=GROWTH * cost)


def _larger(
    problem: Problem, refused: Judgement, most_usd_micro: int | None, judge: Verdict
) -> tuple[Judgement, Judgement | None]:
    """The most units within a cost that were refused, and the next larger number if that was accepted."""
    column = refused.column
    prices, demand = unit_prices(problem.space), problem.demand
    caps = [cost for cost in (most_usd_micro, demand.most_usd_micro_per_hour) if cost is not None]
    most = int(most_units(problem.space, demand, prices, min(caps, default=None))[column.placement])
    accepted, step = None, 1
    while accepted is None and refused.column.units < most:
        trial = judge(with_units(problem, column, min(refused.column.units + step, most)))
        if trial.accepted:
            accepted = trial
        else:
            refused, step = trial, 2 * step
    while accepted is not None and accepted.column.units - refused.column.units > 1:
        trial = judge(with_units(problem, column, (accepted.column.units + refused.column.units) // 2))
        if trial.accepted:
            accepted = trial
        else:
            refused = trial
    return refused, accepted


def with_units(problem: Problem, column: Column, units: int) -> Column:
    """The candidate of a column with other units, as the search would make it."""
    number = np.array([units])
    rows = Rows(
        placements=np.array([column.placement]),
        budgets=np.searchsorted(TOKEN_BUDGETS, [column.token_budget]),
        units=number,
        values=np.zeros(1, dtype=np.int64),
        best=np.ones(1, dtype=bool),
    )
    rate = rate_per_replica(problem.demand, number, problem.space.replicas_per_unit[[column.placement]])
    columns = columns_of(problem.space, problem.physics, problem.question, rate, rows)
    return next(each for each in columns if each.offer == column.offer)


def _not_proved(problem: Problem, found: Found, design: Column) -> Found:
    """What was found with another design in front; the bound is that of what was found."""
    after = [column for column in found.columns if place(problem.space, column) > place(problem.space, design)]
    cost = replace(found.solution.cost, status=SolveStatus.FEASIBLE, objective=design.usd_micro_per_hour)
    solution = replace(found.solution, column=0, instances={design.offer: design.instances}, cost=cost)
    return replace(found, columns=(design, *after), solution=solution)
