"""Rounds of search and simulation until both accept the same design.

The cheapest design that the laws accept is simulated. If it is refused, its candidate needs more replicas than were
refused: one cut, and the model is solved again. The first winner that simulation accepts is the cheapest design that
both accept, for every cheaper row was refused by the laws, or by simulation at that many replicas or more.

A refused candidate would come back one unit larger as long as it is the cheapest. So a round tries such units at once,
one, two, four … more, up to the cost of the next candidate, and then halves the gap between the refused and the
accepted: the cut stands at units that were simulated and refused. As the bisection of the laws does, this trusts that
a design refused with some replicas is refused with fewer; common random numbers make it so but for noise.
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

MOST_ROUNDS = 40
# How far a refused candidate grows in one round where nothing else is known to compete with it.
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
    cuts = NO_CUTS
    refusals: list[Judgement] = []
    accepted: list[Judgement] = []
    while not isinstance(found, Refinement) and len(refusals) < MOST_ROUNDS:
        judged = judge(found.design)
        if judged.accepted:
            columns = tuple(judged.column if column is found.design else column for column in found.columns)
            verification = Verification(first.design, len(refusals) + 1, tuple(refusals), judged)
            return Verified(replace(found, columns=columns), verification)
        refused, larger = _larger(problem, judged, _cost_of_rival(found), judge)
        refusals.append(refused)
        accepted += [] if larger is None else [larger]
        cuts = cuts.refusing(refused.column)
        found = find(cuts)
    if not accepted and not isinstance(found, Refinement):
        _, larger = _larger(problem, refusals[-1], None, judge)
        accepted += [] if larger is None else [larger]
    best = min(accepted, key=lambda each: place(problem.space, each.column), default=None)
    known = first if best is None or isinstance(found, Refinement) else found
    design = known.design if best is None else best.column
    verification = Verification(first.design, len(refusals), tuple(refusals), best)
    ended = _not_proved(problem, known, design)
    if best is None:  # what the laws proved is not what was asked
        cost = replace(ended.solution.cost, bound=None)
        ended = replace(ended, solution=replace(ended.solution, cost=cost))
    return Verified(ended, verification)


def _cost_of_rival(found: Found) -> int:
    """Cost of the cheapest column of another candidate; if none is known, a multiple of the design's own."""
    design = found.design
    rivals = [
        column.usd_micro_per_hour
        for column in found.columns
        if (column.key, column.token_budget) != (design.key, design.token_budget)
    ]
    return min(rivals, default=GROWTH * design.usd_micro_per_hour)


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
        trial = judge(_with_units(problem, column, min(refused.column.units + step, most)))
        if trial.accepted:
            accepted = trial
        else:
            refused, step = trial, 2 * step
    while accepted is not None and accepted.column.units - refused.column.units > 1:
        trial = judge(_with_units(problem, column, (accepted.column.units + refused.column.units) // 2))
        if trial.accepted:
            accepted = trial
        else:
            refused = trial
    return refused, accepted


def _with_units(problem: Problem, column: Column, units: int) -> Column:
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
