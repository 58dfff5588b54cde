"""An offline job: the search for its best design, and its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from catalog.read import Snapshot
from optimizer.answers import DESIGNS_REPORTED, Alternative, Answer, Found
from optimizer.bottleneck.infeasible import Impossible
from optimizer.bottleneck.job_walls import impossible_job, job_binding
from optimizer.errors import VerificationError
from optimizer.question import POINT_PREDICTION, Nothing, Problem, more_allowed, pose, question_at
from optimizer.search.alternatives import distinct_designs
from optimizer.search.columns import Column, tie_key
from optimizer.search.count_model import Solver, agreed, solve_counts
from optimizer.search.job_search import job_columns, search_job
from optimizer.search.jobs import Job, job_run
from optimizer.search.proof import count_rows, refined_rows
from optimizer.search.refine import Refinement
from requirements_specs.serving import ServingSpec


def best_job_design(problem: Problem, job: Job, distinct_designs: int, solver: Solver) -> Found | Refinement:
    """As `search`, for an offline job."""
    space = problem.space
    searched, refinement = search_job(space, problem.physics, problem.question, job, distinct_designs)
    columns = job_columns(space, refinement, job)
    if not columns:
        return refinement
    solution = agreed(columns, solve_counts(space, columns, searched.most_accelerators, solver))
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


def job_answer(
    spec: ServingSpec, snapshot: Snapshot, problem: Problem, job: Job, found: Found, alternatives: int | None
) -> Answer:
    """The answer around a job's best design; the designs at other terms are found without the solver."""
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
        point_column=best_job_column(at_point, job) if spec.risk < POINT_PREDICTION else None,
        allowed_column=_job_if_more_is_allowed(spec, snapshot, job, found.design),
    )


def _job_alternatives(problem: Problem, columns: Sequence[Column], asked: int | None) -> tuple[Alternative, ...]:
    """The next distinct designs of a job, which have no latency figures."""
    count = DESIGNS_REPORTED - 1 if asked is None else asked
    losers = distinct_designs(problem.space, columns)[1 : 1 + count]
    return tuple(Alternative(column, problem.demand, None) for column in losers)


def best_job_column(problem: Problem, job: Job) -> Column | None:
    """The best design for a job, without the solver."""
    _, refinement = search_job(problem.space, problem.physics, problem.question, job, 1)
    return next(iter(job_columns(problem.space, refinement, job)), None)


def _job_if_more_is_allowed(spec: ServingSpec, snapshot: Snapshot, job: Job, design: Column) -> Column | None:
    """The design with estimated parts and undated prices allowed, where it is cheaper, or of a smaller fleet."""
    wider = more_allowed(spec, snapshot, None)
    problem = None if wider is None else pose(*wider)
    if problem is None or isinstance(problem, Nothing):
        return None
    if job.smallest_fleet:
        return best_job_column(problem, replace(job, most_accelerators=design.accelerators - 1))
    return best_job_column(problem, replace(job, most_usd_micro=design.cost_usd_micro - 1))


def job_limits(problem: Problem, job: Job) -> tuple[Impossible | None, Column | None]:
    """Why no design does a job: the wall that no number of replicas passes, or the best design without caps.

    Without caps there is any number of the owned machines, too.
    """
    impossible = impossible_job(problem.space, problem.physics, problem.question, job)
    if impossible is not None:
        return impossible, None
    uncapped = replace(job, most_accelerators=None, most_usd_micro_per_hour=None, most_usd_micro=None)
    return None, best_job_column(replace(problem, space=problem.space.of_any_number()), uncapped)
