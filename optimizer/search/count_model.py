"""The CP-SAT count model: how many instances of which offer, which replicas on them, which design.

Variables: z chooses a column, x counts its replicas, y counts the instances of an offer. Rows are one law each. Prices
are integer micro-dollars; everything physical was decided when the columns were built.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from optimizer.errors import VerificationError
from optimizer.search.columns import Column
from optimizer.search.integer_program import IntegerProgram, SolveResult, SolveStatus, Term
from optimizer.topology.layouts import CandidateSpace

Solver = Callable[[IntegerProgram], SolveResult]


@dataclass(frozen=True)
class CountSolution:
    """The chosen column and the solves: least cost, then least rank in the order of ties at that cost.

    instances: rented instances per offer. value: where the objective is a value within a budget, that value is made
    least before the cost; None where cost is the objective.
    """

    column: int
    instances: dict[int, int]
    cost: SolveResult
    rank: SolveResult
    value: SolveResult | None = None

    @property
    def proved(self) -> bool:
        """Whether every solve ended with bound == objective."""
        return self.cost.proved and self.rank.proved and (self.value is None or self.value.proved)


@dataclass(frozen=True)
class _Variables:
    """z and x per column, y per offer."""

    chosen: list[int]
    replicas: list[int]
    instances: dict[int, int]


def solve_counts(
    space: CandidateSpace,
    columns: Sequence[Column],
    most_accelerators: int | None,
    solver: Solver,
) -> CountSolution | SolveResult:
    """Best choice among columns that are already in their order; a bare result if none can be chosen."""
    program = IntegerProgram()
    variables = _define_variables(program, columns)
    _add_one_design(program, variables)
    _add_replicas(program, variables, columns)
    _add_whole_instances(program, variables, columns)
    if most_accelerators is not None:
        _add_inventory(program, variables, space, most_accelerators)
    _add_stock(program, variables, space)

    price = _cost(variables, columns, space)
    value = None
    if any(column.value for column in columns):
        terms = [Term(variable, column.value) for column, variable in zip(columns, variables.chosen, strict=True)]
        value = solver(program.minimize(terms))
        if value.objective is None:
            return value
        program.add_row(terms, lower=value.objective, upper=value.objective)
    cost = solver(program.minimize(price))
    if cost.objective is None:
        return cost
    program.add_row(price, lower=cost.objective, upper=cost.objective)
    rank = solver(program.minimize([Term(variable, place) for place, variable in enumerate(variables.chosen)]))
    if rank.objective is None:
        raise VerificationError("CP-SAT found a cost but no design at that cost")
    chosen = next(column for column, variable in enumerate(variables.chosen) if rank.values[variable])
    rented = {offer: rank.values[variable] for offer, variable in variables.instances.items()}
    return CountSolution(chosen, {offer: count for offer, count in rented.items() if count}, cost, rank, value)


def agreed(columns: Sequence[Column], solution: CountSolution | SolveResult) -> CountSolution:
    """The solution for the first of the columns, which the list that was searched says is the best.

    A solver that was stopped may have found another or none; then the first is the best that is known, not proved.

    Raises:
        VerificationError: the solver proves another column better, or that there is none.

    """
    if isinstance(solution, SolveResult):
        if solution.status is SolveStatus.INFEASIBLE:
            raise VerificationError("CP-SAT finds no design where the bound-and-refine list has one")
        return CountSolution(0, {columns[0].offer: columns[0].instances}, solution, solution)
    if solution.column == 0:
        return solution
    if solution.proved:
        raise VerificationError("CP-SAT and the bound-and-refine list disagree about the best design")
    return replace(solution, column=0, instances={columns[0].offer: columns[0].instances})


def _cost(variables: _Variables, columns: Sequence[Column], space: CandidateSpace) -> list[Term]:
    """Σ price·y by the hour; a job costs what its column says, since its duration is the column's."""
    jobs = [(variable, column.job) for variable, column in zip(variables.chosen, columns, strict=True)]
    if any(job is not None for _, job in jobs):
        return [Term(variable, job.usd_micro) for variable, job in jobs if job is not None]
    return [Term(variable, space.offers[offer].usd_micro_per_hour) for offer, variable in variables.instances.items()]


def _define_variables(program: IntegerProgram, columns: Sequence[Column]) -> _Variables:
    """Domains end at the largest count that any column asks for."""
    most_instances: dict[int, int] = {}
    for column in columns:
        most_instances[column.offer] = max(column.instances, most_instances.get(column.offer, 0))
    return _Variables(
        chosen=[program.add_variable(0, 1) for _ in columns],
        replicas=[program.add_variable(0, column.replicas) for column in columns],
        instances={offer: program.add_variable(0, most) for offer, most in most_instances.items()},
    )


def _add_one_design(program: IntegerProgram, variables: _Variables) -> None:
    """One workload is served by one design: Σ z = 1."""
    program.add_row([Term(variable, 1) for variable in variables.chosen], lower=1, upper=1)


def _add_replicas(program: IntegerProgram, variables: _Variables, columns: Sequence[Column]) -> None:
    """The chosen design runs the replicas that its evaluation asked for: x = replicas·z."""
    for column, chosen, replicas in zip(columns, variables.chosen, variables.replicas, strict=True):
        program.add_row([Term(replicas, 1), Term(chosen, -column.replicas)], lower=0, upper=0)


def _add_whole_instances(program: IntegerProgram, variables: _Variables, columns: Sequence[Column]) -> None:
    """Whole instances hold the replicas: replicas·y ≥ instances·x of every column on the offer, one at a time."""
    for column, replicas in zip(columns, variables.replicas, strict=True):
        instances = variables.instances[column.offer]
        program.add_row([Term(instances, column.replicas), Term(replicas, -column.instances)], lower=0)


def _add_inventory(
    program: IntegerProgram, variables: _Variables, space: CandidateSpace, most_accelerators: int
) -> None:
    """Σ accelerators·y within the inventory."""
    terms = [Term(variable, space.offers[offer].accelerators) for offer, variable in variables.instances.items()]
    program.add_row(terms, upper=most_accelerators)


def _add_stock(program: IntegerProgram, variables: _Variables, space: CandidateSpace) -> None:
    """No more instances of an offer than there are: y ≤ most instances, where somebody says how many."""
    for offer, variable in variables.instances.items():
        most = space.offers[offer].most_instances
        if most is not None:
            program.add_row([Term(variable, 1)], upper=most)
