"""The CP-SAT count model: how many instances of which offer, which replicas on them, which design.

Variables: z chooses a column, x counts its replicas, y counts the instances of an offer. Rows are one law each. Prices
are integer micro-dollars; everything physical was decided when the columns were built.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optimizer.errors import VerificationError
from optimizer.search.columns import Column
from optimizer.search.solvers import SolveResult, SolveStatus, solve
from optimizer.topology.layouts import CandidateSpace

if TYPE_CHECKING:
    from ortools.sat.python import cp_model


@dataclass(frozen=True)
class CountSolution:
    """The chosen column and the two solves: least cost, then least rank in the order of ties at that cost."""

    column: int
    instances: dict[int, int]
    cost: SolveResult
    rank: SolveResult


@dataclass(frozen=True)
class _Variables:
    """z per column, x per column, y per offer."""

    chosen: list[cp_model.IntVar]
    replicas: list[cp_model.IntVar]
    instances: dict[int, cp_model.IntVar]


def solve_counts(
    space: CandidateSpace, columns: Sequence[Column], most_accelerators: int | None
) -> CountSolution | SolveResult:
    """Cheapest choice among columns that are already in the order of ties; a bare result if none can be chosen."""
    from ortools.sat.python import cp_model as cp

    model = cp.CpModel()
    variables = _define_variables(model, columns)
    _add_one_design(model, variables)
    _add_replicas(model, variables, columns)
    _add_whole_instances(model, variables, columns)
    if most_accelerators is not None:
        _add_inventory(model, variables, space, most_accelerators)

    price = cp.LinearExpr.weighted_sum(
        list(variables.instances.values()),
        [space.offers[offer].usd_micro_per_hour for offer in variables.instances],
    )
    model.minimize(price)
    _, cost = solve(model)
    if cost.status not in (SolveStatus.OPTIMAL, SolveStatus.FEASIBLE) or cost.objective is None:
        return cost
    model.add(price == cost.objective)
    model.minimize(cp.LinearExpr.weighted_sum(variables.chosen, list(range(len(columns)))))
    solver, rank = solve(model)
    if rank.objective is None:
        raise VerificationError("CP-SAT found a cost but no design at that cost")
    chosen = next(index for index, variable in enumerate(variables.chosen) if solver.value(variable))
    instances = {
        offer: solver.value(variable) for offer, variable in variables.instances.items() if solver.value(variable)
    }
    return CountSolution(chosen, instances, cost, rank)


def _define_variables(model: cp_model.CpModel, columns: Sequence[Column]) -> _Variables:
    """Domains end at the largest count that any column asks for."""
    most_instances: dict[int, int] = {}
    for column in columns:
        most_instances[column.offer] = max(column.instances, most_instances.get(column.offer, 0))
    return _Variables(
        chosen=[model.new_bool_var(f"z{index}") for index in range(len(columns))],
        replicas=[model.new_int_var(0, column.replicas, f"x{index}") for index, column in enumerate(columns)],
        instances={offer: model.new_int_var(0, most, f"y{offer}") for offer, most in most_instances.items()},
    )


def _add_one_design(model: cp_model.CpModel, variables: _Variables) -> None:
    """One workload is served by one design: Σ z = 1."""
    model.add_exactly_one(variables.chosen)


def _add_replicas(model: cp_model.CpModel, variables: _Variables, columns: Sequence[Column]) -> None:
    """The chosen design runs the replicas that its evaluation asked for: x = replicas·z."""
    for column, chosen, replicas in zip(columns, variables.chosen, variables.replicas, strict=True):
        model.add(replicas == column.replicas * chosen)


def _add_whole_instances(model: cp_model.CpModel, variables: _Variables, columns: Sequence[Column]) -> None:
    """Whole instances hold the replicas: replicas·y ≥ instances·x of every column on the offer, one at a time."""
    for column, replicas in zip(columns, variables.replicas, strict=True):
        instances = variables.instances[column.offer]
        model.add(column.replicas * instances >= column.instances * replicas)


def _add_inventory(
    model: cp_model.CpModel, variables: _Variables, space: CandidateSpace, most_accelerators: int
) -> None:
    """Σ accelerators·y within the inventory."""
    rented = sum(space.offers[offer].accelerators * count for offer, count in variables.instances.items())
    model.add(rented <= most_accelerators)
