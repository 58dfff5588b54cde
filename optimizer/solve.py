"""From a specification to its answer: search, count model, verification, walls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from catalog.read import Snapshot
from optimizer.bottleneck.binding import Binding, binding_wall
from optimizer.bottleneck.infeasible import Impossible, impossible_at_any_rate
from optimizer.bottleneck.job_walls import impossible_job, job_binding
from optimizer.bottleneck.speed import speed_wall
from optimizer.errors import VerificationError
from optimizer.evaluate import Question, meets
from optimizer.question import POINT_PREDICTION, Nothing, Problem, more_allowed, pose, question_at, without_caps
from optimizer.search.aims import Fastest
from optimizer.search.alternatives import distinct_designs, near_designs
from optimizer.search.bounds import Demand, rate_per_replica
from optimizer.search.columns import Column, candidates_of, exact_columns, tie_key
from optimizer.search.count_model import CountSolution, Solver, solve_counts
from optimizer.search.cp_sat import solve_with_cp_sat
from optimizer.search.integer_program import SolveResult
from optimizer.search.job_search import job_columns, search_job
from optimizer.search.jobs import Job, job_run
from optimizer.search.ledger import Ledger
from optimizer.search.proof import count_rows, refined_rows
from optimizer.search.refine import Refinement, refine
from optimizer.topology.layouts import CandidateSpace
from requirements_specs.requirement import Metric, Statistic
from requirements_specs.serving import ServingSpec

if TYPE_CHECKING:
    from optimizer.search.frontier import Frontier
    from optimizer.ways_out import WaysOut

# The optimum and two alternatives.
DESIGNS_REPORTED = 3


@dataclass(frozen=True)
class Beside:
    """What is asked beside the optimum.

    alternatives: how many of the next distinct designs, with their figures, and all within `NEAR_PERCENT` of the
    optimum; None: two, without figures. frontier: the statistic whose limit is moved; None: no frontier.
    """

    alternatives: int | None = None
    frontier: tuple[Metric, Statistic] | None = None


NOTHING_BESIDE = Beside()


@dataclass(frozen=True)
class Alternative:
    """A design that loses, the demand that it carries, and what binds it; None if its figures are not asked for."""

    column: Column
    demand: Demand
    binding: Binding | None


@dataclass(frozen=True)
class Answer:
    """A proved design and what stands beside it.

    columns: exact candidates in their order, the first is the design. alternatives: the best column of each of the
    next distinct designs. near: the same of every design within `NEAR_PERCENT` of the optimum, itself included.
    problem: with the demand that the design carries, which is an answer itself where the most requests are sought.
    point_usd_micro: cost at the point prediction. allowed_usd_micro: cost with estimated parts and undated prices;
    None where that finds nothing cheaper. Both are None unless cost is the objective, and for a job, whose designs at
    these terms are point_column and allowed_column.
    """

    problem: Problem
    columns: tuple[Column, ...]
    design: Column
    alternatives: tuple[Alternative, ...]
    near: tuple[Column, ...] | None
    solution: CountSolution
    ledger: Ledger
    refined: int
    binding: Binding
    point_usd_micro: int | None
    allowed_usd_micro: int | None
    point_column: Column | None = None
    allowed_column: Column | None = None
    frontier: Frontier | None = None


@dataclass(frozen=True)
class NoAnswer:
    """No design meets the specification.

    impossible: the wall at any rate, None where only the caps are in the way. uncapped: the cheapest design without
    budget and accelerator cap and with any number of the owned machines, None where there is none. ways_out: the
    conflicts and the relaxations, None for a job.
    """

    problem: Problem | Nothing
    ledger: Ledger
    refined: int
    impossible: Impossible | None
    uncapped: Column | None
    ways_out: WaysOut | None
    frontier: Frontier | None = None


@dataclass(frozen=True)
class Found:
    """What the search found: exact columns in the order of ties, the first chosen by CP-SAT, and how rows ended."""

    columns: tuple[Column, ...]
    solution: CountSolution
    refinement: Refinement

    @property
    def design(self) -> Column:
        """The proved optimum."""
        return self.columns[self.solution.column]


def search(
    problem: Problem, distinct_designs: int, solver: Solver = solve_with_cp_sat, *, near: bool = False
) -> Found | Refinement:
    """Best design of a problem, re-evaluated; the bare refinement where no candidate meets the requirements.

    Args:
        problem: what is sought.
        distinct_designs: of so many different designs the best columns are found.
        solver: of the count model.
        near: find those of all designs within `NEAR_PERCENT` of the best, too.

    Raises:
        VerificationError: CP-SAT and the bound-and-refine list disagree, or the design fails its re-evaluation.

    """
    if problem.job is not None:
        return _search_job(problem, problem.job, distinct_designs, solver)
    space, physics, question, demand = problem.space, problem.physics, problem.question, problem.demand
    if problem.aim is None:
        refinement = refine(space, physics, question, demand, distinct_designs, near)
        columns = exact_columns(space, physics, question, demand, refinement)
    else:
        from optimizer.search.within_budget import best_values  # only who asks for a value pays for it

        best = best_values(space, physics, question, demand, problem.aim, distinct_designs, near)
        refinement, columns = best.refinement, best.columns
    if not columns:
        return refinement
    solution = solve_counts(space, columns, demand.most_accelerators, solver)
    if isinstance(solution, SolveResult) or solution.column != 0:
        raise VerificationError("CP-SAT and the bound-and-refine list disagree about the best design")
    found = Found(columns, solution, refinement)
    _verify(problem, found.design)
    return found


def answer(
    spec: ServingSpec, snapshot: Snapshot, solver: Solver = solve_with_cp_sat, beside: Beside = NOTHING_BESIDE
) -> Answer | NoAnswer:
    """The best design that meets the specification, proved; or why there is none.

    Raises:
        QuestionError: the catalog cannot be asked this.
        InternalError: a bug of ours.

    """
    problem = pose(spec, snapshot)
    if isinstance(problem, Nothing):
        ledger = _ledger_of_nothing(problem.space)
        return NoAnswer(problem, ledger, 0, None, None, _ways_out(spec, snapshot, problem, solver))
    frontier = None if beside.frontier is None else _frontier(problem, *beside.frontier)
    more = beside.alternatives
    found = search(problem, DESIGNS_REPORTED if more is None else 1 + more, solver, near=more is not None)
    if isinstance(found, Refinement):
        without = _no_answer(problem, found, _ways_out(spec, snapshot, problem, solver))
        return replace(without, frontier=frontier)
    if problem.job is not None:
        return _job_answer(spec, snapshot, problem, problem.job, found, more)
    design, by_cost = found.design, problem.aim is None
    problem = replace(problem, demand=_carried(problem, design))
    return Answer(
        problem=problem,
        columns=found.columns,
        design=design,
        alternatives=_alternatives(problem, found.columns, more),
        near=None if more is None else near_designs(problem.space, found.columns),
        solution=found.solution,
        ledger=count_rows(problem.space, found.refinement, found.columns),
        refined=refined_rows(found.refinement),
        binding=_binding(problem, design),
        point_usd_micro=_point_cost(spec, problem, design.usd_micro_per_hour) if by_cost else None,
        allowed_usd_micro=_cost_if_more_is_allowed(spec, snapshot, design.usd_micro_per_hour) if by_cost else None,
        frontier=frontier,
    )


def _search_job(problem: Problem, job: Job, distinct_designs: int, solver: Solver) -> Found | Refinement:
    """As `search`, for an offline job."""
    space = problem.space
    searched, refinement = search_job(space, problem.physics, problem.question, job, distinct_designs)
    columns = job_columns(space, refinement, job)
    if not columns:
        return refinement
    solution = solve_counts(space, columns, searched.most_accelerators, solver)
    if isinstance(solution, SolveResult) or solution.column != 0:
        raise VerificationError("CP-SAT and the bound-and-refine list disagree about the cheapest design")
    found = Found(columns, solution, refinement)
    if job_seconds_of(problem, job, found.design) > job.window_s:
        raise VerificationError(f"the returned design misses the window: {tie_key(space, found.design)}")
    return found


def job_seconds_of(problem: Problem, job: Job, column: Column) -> float:
    """Duration of a job on a column's own units and engine limits, evaluated alone."""
    run = job_run(
        problem.space,
        problem.physics,
        problem.question,
        job,
        np.array([column.placement]),
        np.array([float(column.token_budget)]),
        np.array([float(column.max_num_seqs)]),
    )
    return float(run.seconds(job, np.array([[column.replicas]]))[0, 0])


def _job_answer(
    spec: ServingSpec, snapshot: Snapshot, problem: Problem, job: Job, found: Found, alternatives: int | None
) -> Answer:
    at_point = replace(problem, question=question_at(spec, POINT_PREDICTION))
    return Answer(
        problem=problem,
        columns=found.columns,
        design=found.design,
        alternatives=_job_alternatives(problem, found.columns, alternatives),
        near=None,
        solution=found.solution,
        ledger=count_rows(problem.space, found.refinement, found.columns),
        refined=refined_rows(found.refinement),
        binding=job_binding(problem.space, problem.physics, problem.question, job, found.design),
        point_usd_micro=None,
        allowed_usd_micro=None,
        point_column=_best_job_column(at_point, job),
        allowed_column=_job_if_more_is_allowed(spec, snapshot, job, found.design),
    )


def _job_alternatives(problem: Problem, columns: Sequence[Column], asked: int | None) -> tuple[Alternative, ...]:
    """The next distinct designs of a job, which have no latency figures."""
    count = DESIGNS_REPORTED - 1 if asked is None else asked
    losers = distinct_designs(problem.space, columns)[1 : 1 + count]
    return tuple(Alternative(column, problem.demand, None) for column in losers)


def _best_job_column(problem: Problem, job: Job) -> Column | None:
    """The best design for a job, without the solver."""
    _, refinement = search_job(problem.space, problem.physics, problem.question, job, 1)
    return next(iter(job_columns(problem.space, refinement, job)), None)


def _job_if_more_is_allowed(spec: ServingSpec, snapshot: Snapshot, job: Job, design: Column) -> Column | None:
    """The design with estimated parts and undated prices allowed, where that is better."""
    wider = more_allowed(spec, snapshot, None)
    problem = None if wider is None else pose(*wider)
    if problem is None or isinstance(problem, Nothing):
        return None
    if job.smallest_fleet:
        return _best_job_column(problem, replace(job, most_accelerators=design.accelerators - 1))
    return _best_job_column(problem, replace(job, most_usd_micro=design.cost_usd_micro - 1))


def rate_of(demand: Demand, column: Column) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Arrivals at one working replica of a column, (1,) per second."""
    return rate_per_replica(demand, np.array([column.replicas]), np.array([1]))


def _verify(problem: Problem, column: Column) -> None:
    """Put the returned design to the evaluation that built its column, alone and with its printed limits."""
    candidate, question = candidates_of(problem.physics, column), problem.question
    if problem.aim is None:
        met = meets(candidate, rate_of(problem.demand, column), question)
    else:
        working = np.array([column.replicas - problem.demand.spare_replicas])
        met = problem.aim.reached(candidate, question, problem.demand, working, np.array([column.value]))
    if not met.all():
        raise VerificationError(
            f"the returned design is not feasible when re-evaluated: {tie_key(problem.space, column)}"
        )


def _carried(problem: Problem, column: Column) -> Demand:
    """The demand that a design carries: the stated one, unless the most requests are sought."""
    if problem.aim is None:
        return problem.demand
    return replace(
        problem.demand, rate_per_s=float(problem.aim.rate_per_s(problem.demand, np.array([column.value]))[0])
    )


def _binding(problem: Problem, column: Column) -> Binding:
    """What keeps a design from carrying more, or from being faster where that is sought."""
    wall = speed_wall if isinstance(problem.aim, Fastest) else binding_wall
    return wall(problem.physics, problem.question, problem.demand, column)


def _alternatives(problem: Problem, columns: Sequence[Column], asked: int | None) -> tuple[Alternative, ...]:
    """The next distinct designs, with what binds them where so many are asked for."""
    count = DESIGNS_REPORTED - 1 if asked is None else asked
    losers = distinct_designs(problem.space, columns)[1 : 1 + count]
    demands = [_carried(problem, column) for column in losers]
    return tuple(
        Alternative(
            column,
            demand,
            None if asked is None else _binding(replace(problem, demand=demand), column),
        )
        for column, demand in zip(losers, demands, strict=True)
    )


def _frontier(problem: Problem, metric: Metric, statistic: Statistic) -> Frontier:
    """Least cost against a limit; the objective is the cost."""
    from optimizer.search.frontier import Staircase  # only who asks for it pays for it

    stairs = Staircase(problem.space, problem.physics, problem.question, problem.demand, metric, statistic)
    return stairs.frontier()


def _point_cost(spec: ServingSpec, problem: Problem, usd_micro: int) -> int | None:
    """Cost at the point prediction, which is no dearer than the design at a smaller risk."""
    at_most = replace(problem.demand, most_usd_micro_per_hour=usd_micro)
    return _least_cost(replace(problem, demand=at_most), question_at(spec, POINT_PREDICTION))


def _least_cost(problem: Problem, question: Question) -> int | None:
    """Cost of the cheapest design under another scenario, micro-dollars per hour."""
    refinement = refine(problem.space, problem.physics, question, problem.demand, 1)
    return refinement.threshold_usd_micro


def _cost_if_more_is_allowed(spec: ServingSpec, snapshot: Snapshot, usd_micro: int) -> int | None:
    """Cost with estimated parts and undated prices allowed, where that is cheaper."""
    wider = more_allowed(spec, snapshot, usd_micro)
    if wider is None:
        return None
    problem = pose(*wider)
    if isinstance(problem, Nothing):
        return None
    cheaper = replace(problem.demand, most_usd_micro_per_hour=usd_micro - 1)
    return _least_cost(replace(problem, demand=cheaper), problem.question)


def _ways_out(spec: ServingSpec, snapshot: Snapshot, problem: Problem | Nothing, solver: Solver) -> WaysOut | None:
    """Conflicts and relaxations; each relaxation is searched, solved and verified like any other specification.

    None for a job, whose requirements are its window and its caps, which the floor tells apart.
    """
    if spec.workload.offline is not None:
        return None
    from optimizer.ways_out import ways_out  # here, so that a specification with an answer does not pay for it

    def solve_again(relaxed: Problem) -> int | None:
        found = search(relaxed, 1, solver)
        return found.design.usd_micro_per_hour if isinstance(found, Found) else None

    return ways_out(spec, snapshot, problem, solve_again)


def _no_answer(problem: Problem, refinement: Refinement, ways: WaysOut | None) -> NoAnswer:
    """Tell a wall of physics from a cap that is too low."""
    space, physics = problem.space, problem.physics
    ledger = count_rows(space, refinement, ())
    refined = refined_rows(refinement)
    if problem.job is not None:
        impossible = impossible_job(space, physics, problem.question, problem.job)
        uncapped_job = replace(problem.job, most_accelerators=None, most_usd_micro_per_hour=None, most_usd_micro=None)
        best = None if impossible is not None else _best_job_column(problem, uncapped_job)
        return NoAnswer(problem, ledger, refined, impossible, best, None)
    impossible = impossible_at_any_rate(space, physics, problem.question)
    if impossible is not None:
        return NoAnswer(problem, ledger, refined, impossible, None, ways)
    demand, space = without_caps(problem.demand), space.of_any_number()
    uncapped = exact_columns(
        space, physics, problem.question, demand, refine(space, physics, problem.question, demand, 1)
    )
    return NoAnswer(problem, ledger, refined, None, uncapped[0] if uncapped else None, ways)


def _ledger_of_nothing(space: CandidateSpace) -> Ledger:
    """Every row is illegal."""
    return Ledger(space.candidates, sum(space.illegal.values()), 0, 0, 0, 0, 0)
