"""From a specification to its answer: search, count model, verification, walls."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from catalog.read import Snapshot
from optimizer.bottleneck.binding import Binding, binding_wall
from optimizer.bottleneck.infeasible import Impossible, impossible_at_any_rate
from optimizer.bottleneck.job_walls import impossible_job, job_binding
from optimizer.errors import VerificationError
from optimizer.evaluate import Candidates, Physics, Question, meets, tabulate
from optimizer.question import POINT_PREDICTION, Nothing, Problem, more_allowed, pose, question_at, without_caps
from optimizer.search.bounds import Demand, rate_per_replica
from optimizer.search.columns import Column, exact_columns, tie_key
from optimizer.search.count_model import CountSolution, Solver, solve_counts
from optimizer.search.cp_sat import solve_with_cp_sat
from optimizer.search.integer_program import SolveResult
from optimizer.search.job_search import job_columns, search_job
from optimizer.search.jobs import Job, job_run
from optimizer.search.ledger import Ledger
from optimizer.search.proof import count_rows, refined_rows
from optimizer.search.refine import Refinement, design_signature, refine
from optimizer.topology.layouts import CandidateSpace
from requirements_specs.serving import ServingSpec

# The optimum and two runners-up.
DESIGNS_REPORTED = 3


@dataclass(frozen=True)
class Answer:
    """A proved design and what stands beside it.

    columns: exact candidates in the order of ties, the first is the design. runners_up: the cheapest column of the
    next distinct designs. point_usd_micro: cost at the point prediction. allowed_usd_micro: cost with estimated parts
    and undated prices; None where that finds nothing cheaper. Both are None for a job, whose designs at these terms
    are point_column and allowed_column.
    """

    problem: Problem
    columns: tuple[Column, ...]
    design: Column
    runners_up: tuple[Column, ...]
    solution: CountSolution
    ledger: Ledger
    refined: int
    binding: Binding
    point_usd_micro: int | None
    allowed_usd_micro: int | None
    point_column: Column | None = None
    allowed_column: Column | None = None


@dataclass(frozen=True)
class NoAnswer:
    """No design meets the specification.

    impossible: the wall at any rate, None where only the caps are in the way. uncapped: the cheapest design without
    budget and accelerator cap and with any number of the owned machines, None where there is none.
    """

    problem: Problem | Nothing
    ledger: Ledger
    refined: int
    impossible: Impossible | None
    uncapped: Column | None


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


def search(problem: Problem, distinct_designs: int, solver: Solver = solve_with_cp_sat) -> Found | Refinement:
    """Cheapest design of a problem, re-evaluated; the bare refinement where no candidate meets the requirements.

    Raises:
        VerificationError: CP-SAT and the bound-and-refine list disagree, or the design fails its re-evaluation.

    """
    if problem.job is not None:
        return _search_job(problem, problem.job, distinct_designs, solver)
    space, physics, demand = problem.space, problem.physics, problem.demand
    refinement = refine(space, physics, problem.question, demand, distinct_designs)
    columns = exact_columns(space, physics, problem.question, demand, refinement)
    if not columns:
        return refinement
    solution = solve_counts(space, columns, demand.most_accelerators, solver)
    if isinstance(solution, SolveResult) or solution.column != 0:
        raise VerificationError("CP-SAT and the bound-and-refine list disagree about the cheapest design")
    found = Found(columns, solution, refinement)
    _verify(space, physics, problem.question, demand, found.design)
    return found


def answer(spec: ServingSpec, snapshot: Snapshot, solver: Solver = solve_with_cp_sat) -> Answer | NoAnswer:
    """The cheapest design that meets the specification, proved; or why there is none.

    Raises:
        QuestionError: the catalog cannot be asked this.
        InternalError: a bug of ours.

    """
    problem = pose(spec, snapshot)
    if isinstance(problem, Nothing):
        return NoAnswer(problem, _ledger_of_nothing(problem.space), 0, None, None)
    found = search(problem, DESIGNS_REPORTED, solver)
    if isinstance(found, Refinement):
        return _no_answer(problem, found)
    if problem.job is not None:
        return _job_answer(spec, snapshot, problem, problem.job, found)
    return Answer(
        problem=problem,
        columns=found.columns,
        design=found.design,
        runners_up=_runners_up(problem.space, found.columns),
        solution=found.solution,
        ledger=count_rows(problem.space, found.refinement, found.columns),
        refined=refined_rows(found.refinement),
        binding=binding_wall(problem.physics, problem.question, problem.demand, found.design),
        point_usd_micro=_point_cost(spec, problem, found.design.usd_micro_per_hour),
        allowed_usd_micro=_cost_if_more_is_allowed(spec, snapshot, found.design.usd_micro_per_hour),
    )


def _search_job(problem: Problem, job: Job, distinct_designs: int, solver: Solver) -> Found | Refinement:
    """As `search`, for an offline job."""
    space = problem.space
    searched, refinement = search_job(space, problem.physics, problem.question, job, distinct_designs)
    columns = job_columns(space, refinement)
    if not columns:
        return refinement
    solution = solve_counts(space, columns, searched.most_accelerators, solver, fleet_first=job.smallest_fleet)
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


def _job_answer(spec: ServingSpec, snapshot: Snapshot, problem: Problem, job: Job, found: Found) -> Answer:
    at_point = replace(problem, question=question_at(spec, POINT_PREDICTION))
    return Answer(
        problem=problem,
        columns=found.columns,
        design=found.design,
        runners_up=_runners_up(problem.space, found.columns),
        solution=found.solution,
        ledger=count_rows(problem.space, found.refinement, found.columns),
        refined=refined_rows(found.refinement),
        binding=job_binding(problem.space, problem.physics, problem.question, job, found.design),
        point_usd_micro=None,
        allowed_usd_micro=None,
        point_column=_best_job_column(at_point, job),
        allowed_column=_job_if_more_is_allowed(spec, snapshot, job, found.design),
    )


def _best_job_column(problem: Problem, job: Job) -> Column | None:
    """The best design for a job, without the solver."""
    _, refinement = search_job(problem.space, problem.physics, problem.question, job, 1)
    return next(iter(job_columns(problem.space, refinement)), None)


def _job_if_more_is_allowed(spec: ServingSpec, snapshot: Snapshot, job: Job, design: Column) -> Column | None:
    """The design with estimated parts and undated prices allowed, where that is better."""
    wider = more_allowed(spec, snapshot, None)
    problem = None if wider is None else pose(*wider)
    if problem is None or isinstance(problem, Nothing):
        return None
    if job.smallest_fleet:
        return _best_job_column(problem, replace(job, most_accelerators=design.accelerators - 1))
    return _best_job_column(problem, replace(job, most_usd_micro=design.cost_usd_micro - 1))


def candidates_of(physics: Physics, column: Column) -> Candidates:
    """The one candidate of a column, with its own engine limits."""
    return tabulate(
        physics,
        np.array([column.key]),
        np.array([float(column.token_budget)]),
        np.array([float(column.max_num_seqs)]),
    )


def rate_of(demand: Demand, column: Column) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Arrivals at one working replica of a column, (1,) per second."""
    return rate_per_replica(demand, np.array([column.replicas]), np.array([1]))


def _verify(space: CandidateSpace, physics: Physics, question: Question, demand: Demand, column: Column) -> None:
    """Put the returned design to the evaluation that built its column, alone and with its printed limits."""
    if not meets(candidates_of(physics, column), rate_of(demand, column), question).all():
        raise VerificationError(f"the returned design is not feasible when re-evaluated: {tie_key(space, column)}")


def _runners_up(space: CandidateSpace, columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """First column of each design that differs from the optimum in part, layout or formats."""
    seen = {design_signature(space, columns[0].placement)}
    others = []
    for column in columns[1:]:
        signature = design_signature(space, column.placement)
        if signature not in seen:
            seen.add(signature)
            others.append(column)
    return tuple(others[: DESIGNS_REPORTED - 1])


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


def _no_answer(problem: Problem, refinement: Refinement) -> NoAnswer:
    """Tell a wall of physics from a cap that is too low."""
    space, physics = problem.space, problem.physics
    ledger = count_rows(space, refinement, ())
    refined = refined_rows(refinement)
    if problem.job is not None:
        impossible = impossible_job(space, physics, problem.question, problem.job)
        uncapped_job = replace(problem.job, most_accelerators=None, most_usd_micro_per_hour=None, most_usd_micro=None)
        best = None if impossible is not None else _best_job_column(problem, uncapped_job)
        return NoAnswer(problem, ledger, refined, impossible, best)
    impossible = impossible_at_any_rate(space, physics, problem.question)
    if impossible is not None:
        return NoAnswer(problem, ledger, refined, impossible, None)
    demand, space = without_caps(problem.demand), space.of_any_number()
    uncapped = exact_columns(
        space, physics, problem.question, demand, refine(space, physics, problem.question, demand, 1)
    )
    return NoAnswer(problem, ledger, refined, None, uncapped[0] if uncapped else None)


def _ledger_of_nothing(space: CandidateSpace) -> Ledger:
    """Every row is illegal."""
    return Ledger(space.candidates, sum(space.illegal.values()), 0, 0, 0, 0, 0)
