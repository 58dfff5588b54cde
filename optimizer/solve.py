"""From a specification to its answer: search, count model, verification, walls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from catalog.read import Snapshot
from optimizer.answers import (
    DESIGNS_REPORTED,
    NOTHING_BESIDE,
    Alternative,
    Answer,
    Beside,
    Found,
    NoAnswer,
    Verification,
)
from optimizer.bottleneck.binding import Binding, binding_wall
from optimizer.bottleneck.speed import speed_wall
from optimizer.errors import VerificationError
from optimizer.evaluate import FleetArrivals, Question, meets
from optimizer.question import POINT_PREDICTION, Nothing, Problem, more_allowed, pose, question_at, without_caps
from optimizer.search.aims import Fastest
from optimizer.search.alternatives import distinct_designs, near_designs
from optimizer.search.bounds import Demand
from optimizer.search.columns import Column, candidates_of, exact_columns, rate_of, tie_key
from optimizer.search.count_model import Solver, agreed, solve_counts
from optimizer.search.cp_sat import solve_with_cp_sat
from optimizer.search.cuts import NO_CUTS, Cuts
from optimizer.search.ledger import Ledger
from optimizer.search.proof import count_rows, refined_rows
from optimizer.search.refine import Refinement, refine
from optimizer.topology.layouts import CandidateSpace
from requirements_specs.requirement import Metric, Statistic
from requirements_specs.serving import Objective, ServingSpec

if TYPE_CHECKING:
    from optimizer.search.frontier import Frontier
    from optimizer.search.sizing import Sizing
    from optimizer.ways_out import WaysOut


def search(
    problem: Problem,
    distinct_designs: int,
    solver: Solver = solve_with_cp_sat,
    *,
    near: bool = False,
    cuts: Cuts = NO_CUTS,
) -> Found | Refinement:
    """Best design of a problem, re-evaluated; the bare refinement where no candidate meets the requirements.

    Args:
        problem: what is sought.
        distinct_designs: of so many different designs the best columns are found.
        solver: of the count model.
        near: find those of all designs within `NEAR_PERCENT` of the best, too.
        cuts: what simulation refused, where the cost of arriving requests is made least.

    Raises:
        VerificationError: CP-SAT and the bound-and-refine list disagree, or the design fails its re-evaluation.

    """
    if problem.job is not None:
        from optimizer.solve_job import best_job_design  # only a job pays for what jobs need

        return best_job_design(problem, problem.job, distinct_designs, solver)
    space, physics, question, demand = problem.space, problem.physics, problem.question, problem.demand
    if problem.aim is None:
        refinement = refine(space, physics, question, demand, distinct_designs, near, cuts.least_units(space))
        columns = exact_columns(space, physics, question, demand, refinement)
    else:
        from optimizer.search.within_budget import best_values  # only who asks for a value pays for it

        best = best_values(space, physics, question, demand, problem.aim, distinct_designs, near)
        refinement, columns = best.refinement, best.columns
    if not columns:
        return refinement
    solution = agreed(columns, solve_counts(space, columns, demand.most_accelerators, solver))
    found = Found(columns, solution, refinement)
    _verify(problem, found.design)
    return found


def answer(
    spec: ServingSpec,
    snapshot: Snapshot,
    solver: Solver = solve_with_cp_sat,
    beside: Beside = NOTHING_BESIDE,
    *,
    simulated: bool = False,
) -> Answer | NoAnswer:
    """The best design that meets the specification, proved; or why there is none.

    simulated: the design must be accepted by simulated requests, too. That takes arrivals and latency limits, and the
    least cost as the objective; otherwise nothing is simulated.

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
    designs, near = DESIGNS_REPORTED if more is None else 1 + more, more is not None
    find = partial(search, problem, designs, solver, near=near)
    verification: Verification | None = None
    if simulated and problem.aim is None and problem.job is None and problem.question.limits:
        from optimizer.verification import Judge, Verified, verified  # only who simulates pays for it

        ended = verified(problem, lambda cuts: find(cuts=cuts), Judge(problem, spec.workload))
        found, verification = (ended.found, ended.verification) if isinstance(ended, Verified) else (ended, None)
    else:
        found = find()
    if isinstance(found, Refinement):
        without = _no_answer(problem, found, _ways_out(spec, snapshot, problem, solver))
        return replace(without, frontier=frontier)
    if problem.job is not None:
        from optimizer.solve_job import job_answer

        return job_answer(spec, snapshot, problem, problem.job, found, more)
    design, by_cost = found.design, problem.aim is None
    sizing = _sizing(spec, problem, design, verification)
    by_laws = design if verification is None else verification.analytic  # what stands beside it is by the laws, too
    problem = problem.carrying(_carried_per_s(problem, design))
    return Answer(
        problem=problem,
        columns=found.columns,
        design=design,
        alternatives=_alternatives(problem, found.columns, more),
        near=None if more is None else near_designs(problem.space, found.columns),
        solution=found.solution,
        ledger=count_rows(problem.space, found.refinement, found.columns),
        refined=refined_rows(found.refinement),
        binding=_carrying(_binding(problem, design), problem.demand, design, verification),
        point_usd_micro=_point_cost(spec, problem, by_laws.usd_micro_per_hour)
        if by_cost and spec.risk < POINT_PREDICTION
        else None,
        allowed_usd_micro=_cost_if_more_is_allowed(spec, snapshot, by_laws.usd_micro_per_hour) if by_cost else None,
        poisson_usd_micro=_poisson_cost(problem, by_laws.usd_micro_per_hour)
        if by_cost and spec.workload.bursty
        else None,
        frontier=frontier,
        verification=verification,
        sizing=sizing,
        period_units=_period_units(spec, problem, design, sizing, verification),
    )


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


def _carried_per_s(problem: Problem, column: Column) -> float:
    """The rate that a design carries: the stated one, unless the most requests are sought."""
    if problem.aim is None:
        return problem.demand.rate_per_s
    return float(problem.aim.rate_per_s(problem.demand, np.array([column.value]))[0])


def _binding(problem: Problem, column: Column) -> Binding:
    """What keeps a design from carrying more, or from being faster where that is sought."""
    wall = speed_wall if isinstance(problem.aim, Fastest) else binding_wall
    return wall(problem.physics, problem.question, problem.demand, column)


def _carrying(binding: Binding, demand: Demand, design: Column, verification: Verification | None) -> Binding:
    """The binding with a rate that simulation does not refute: fewer replicas of the candidate missed the demand."""
    refused = _refused_per_s(demand, design, verification)
    return replace(binding, highest_rate_per_s=min([binding.highest_rate_per_s, *refused]))


def _refused_per_s(demand: Demand, design: Column, verification: Verification | None) -> list[float]:
    """Rates of one replica that simulation refused of the design's candidate."""
    return [
        demand.rate_per_s / (each.column.replicas - demand.spare_replicas)
        for each in (() if verification is None else verification.refusals)
        if (each.column.key, each.column.token_budget) == (design.key, design.token_budget)
    ]


def _sizing(spec: ServingSpec, problem: Problem, design: Column, verification: Verification | None) -> Sizing | None:
    """How many units other rates need, where the specification says anything of them or of spare replicas."""
    workload = spec.workload
    asked = workload.profile or workload.growth or spec.availability.spare_replicas
    if spec.objective is not Objective.CHEAPEST or not asked:
        return None
    from optimizer.search.sizing import sizing_of  # only who asks for it pays for it

    accepted = verification is None or verification.judgement is not None
    refused = _refused_per_s(problem.demand, design, verification) if accepted else []
    return sizing_of(problem.physics, problem.question, problem.demand, design, np.array(refused))


def _period_units(
    spec: ServingSpec, problem: Problem, design: Column, sizing: Sizing | None, verification: Verification | None
) -> tuple[int, ...] | None:
    """Units of each period, simulated as the design was; None without a profile, or where nothing was accepted."""
    accepted = verification is not None and verification.judgement is not None
    if sizing is None or not spec.workload.profile or not accepted:
        return None
    from optimizer.verification import verified_units

    rates = problem.demand.rate_per_s * np.array(spec.workload.shares_of_peak)
    units: list[int] = verified_units(problem, spec.workload, design, rates, sizing.units(rates)).tolist()
    return tuple(units)


def _alternatives(problem: Problem, columns: Sequence[Column], asked: int | None) -> tuple[Alternative, ...]:
    """The next distinct designs, with what binds them where so many are asked for."""
    count = DESIGNS_REPORTED - 1 if asked is None else asked
    losers = distinct_designs(problem.space, columns)[1 : 1 + count]
    theirs = [problem.carrying(_carried_per_s(problem, column)) for column in losers]
    return tuple(
        Alternative(column, carrying.demand, None if asked is None else _binding(carrying, column))
        for column, carrying in zip(losers, theirs, strict=True)
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


def _poisson_cost(problem: Problem, usd_micro: int) -> int | None:
    """Cost if requests came without bursts, which is no dearer than with them."""
    at_most = replace(problem.demand, most_usd_micro_per_hour=usd_micro)
    question = replace(problem.question, arrivals=FleetArrivals(problem.demand.rate_per_s, 1.0))
    return _least_cost(replace(problem, demand=at_most), question)


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
        from optimizer.solve_job import job_limits

        return NoAnswer(problem, ledger, refined, *job_limits(problem, problem.job), None)
    from optimizer.bottleneck.infeasible import impossible_at_any_rate  # only who has no answer pays for it

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
