"""An answer of the search as the object that every command prints."""

from __future__ import annotations

from datetime import date
from importlib.metadata import version

from catalog.read import Snapshot
from optimizer.answers import Answer, NoAnswer
from optimizer.arithmetic.money import (
    idle_share,
    usd_per_hour,
    usd_per_million_tokens,
    usd_per_million_tokens_of_job,
    usd_per_month,
)
from optimizer.bottleneck.walls import step_shares
from optimizer.inventory import idle_discounts
from optimizer.outcome import (
    Assumed,
    Cost,
    Design,
    FailureOut,
    GrowthOut,
    Objective,
    Outcome,
    PriceFileOut,
    ProfileOut,
    Scope,
    SearchOut,
    Status,
)
from optimizer.report.choice_part import alternatives, frontier, near_optimum
from optimizer.report.design_part import allowances, doubts, pool
from optimizer.report.hardware_part import minimum_hardware
from optimizer.report.objective_part import as_served, metric_of, objective
from optimizer.report.predicted_part import predicted, state_at, wall_utilizations
from optimizer.report.trace_part import arrival_doubts, trace_read
from optimizer.report.verified_part import not_accepted, verification_out
from optimizer.search.columns import JobCost
from optimizer.search.jobs import Job
from optimizer.topology.layouts import CandidateSpace
from requirements_specs.serving import Objective as Sought
from requirements_specs.serving import ServingSpec

__all__ = ["outcome_of"]


def outcome_of(spec: ServingSpec, found: Answer | NoAnswer, snapshot: Snapshot, today: date) -> Outcome:
    """The answer to a spec as one object; `today` judges how old prices are. Whoever prints it times it."""
    if isinstance(found, NoAnswer):
        return _infeasible(spec, found, snapshot)
    if found.problem.job is not None and found.design.job is not None:
        return _job_done(spec, found, found.problem.job, found.design.job, snapshot, today)
    space, design = found.problem.space, found.design
    spec = as_served(spec, found)
    candidates, state = state_at(found, found.problem.question.deviations)
    shares = step_shares(found.problem.physics, design, state)
    served = spec.workload.mean_request_rate_per_s
    working = design.replicas - spec.availability.spare_replicas
    capacity = found.binding.highest_rate_per_s * working
    proved = found.solution.proved
    cost = usd_per_hour(design.usd_micro_per_hour)
    periods, growth, failure = _operation(spec, found)
    return Outcome(
        status=_status(found),
        proved=proved,
        objective=objective(spec, found),
        scope=_scope(spec, space),
        assumed=_assumed(spec, snapshot),
        cost=Cost(
            usd_per_hour=cost,
            usd_per_month=usd_per_month(design.usd_micro_per_hour),
            usd_per_million_input_tokens=usd_per_million_tokens(
                design.usd_micro_per_hour, served * spec.workload.prompt_tokens.mean
            ),
            usd_per_million_output_tokens=usd_per_million_tokens(
                design.usd_micro_per_hour, served * spec.workload.output_tokens.mean
            ),
            usd_per_million_tokens=usd_per_million_tokens(
                design.usd_micro_per_hour,
                served * (spec.workload.prompt_tokens.mean + spec.workload.output_tokens.mean),
            ),
            idle_share=idle_share(found.problem.demand.rate_per_s, max(capacity, found.problem.demand.rate_per_s)),
        ),
        design=Design(pools=(pool(space, design),)),
        predicted=predicted(spec, found, capacity),
        profile=periods,
        growth=growth,
        failure=failure,
        binding_wall=found.binding.wall,
        also_binding=tuple(found.binding.also),
        walls=wall_utilizations(spec, found, snapshot, candidates, state, shares),
        minimum_hardware=None if spec.objective is Sought.FASTEST else minimum_hardware(found),
        alternatives=alternatives(spec, found),
        near_optimum=near_optimum(found),
        frontier=frontier(space, found.frontier),
        verification=None if found.verification is None else verification_out(space, found.verification),
        allowances=allowances(spec, found),
        search=_search(found, space),
        catalog_hash=snapshot.hash,
        prices=_prices(spec, space),
        trace=trace_read(spec.workload.trace),
        warnings=(
            *not_accepted(found.verification),
            *_idle_discounts(spec, space),
            *arrival_doubts(spec.workload, found.verification),
            *doubts(spec, space, design, snapshot, today),
        ),
    )


def _operation(spec: ServingSpec, found: Answer) -> tuple[ProfileOut | None, GrowthOut | None, FailureOut | None]:
    """The design over time, where the specification says anything about it."""
    if found.sizing is None:
        return None, None, None
    from optimizer.report import operation_part  # only who asks for it pays for it

    design = operation_part.operated(found, found.sizing)
    return operation_part.profile(spec, design), operation_part.growth(spec, design), operation_part.failure(design)


def _status(found: Answer) -> Status:
    """Unknown where simulation refuses the design: whether another one meets the specification was not found out."""
    if found.verification is not None and found.verification.judgement is None:
        return Status.UNKNOWN
    return Status.OPTIMAL if found.solution.proved else Status.FEASIBLE


def _job_done(spec: ServingSpec, found: Answer, job: Job, cost: JobCost, snapshot: Snapshot, today: date) -> Outcome:
    from optimizer.report import job_part  # only a job pays for what jobs need

    space, design = found.problem.space, found.design
    proved = found.solution.proved
    tokens = spec.workload.prompt_tokens.mean + spec.workload.output_tokens.mean
    prediction = job_part.predicted(spec, found, job)

    def per_million(mean: float) -> float:
        return usd_per_million_tokens_of_job(cost.usd_micro, job.requests * mean)

    return Outcome(
        status=Status.OPTIMAL if proved else Status.FEASIBLE,
        proved=proved,
        objective=job_part.objective(found, cost),
        scope=_scope(spec, space),
        assumed=_assumed(spec, snapshot),
        cost=Cost(
            usd_per_hour=usd_per_hour(design.usd_micro_per_hour),
            usd_per_month=None,
            usd_per_million_input_tokens=per_million(spec.workload.prompt_tokens.mean),
            usd_per_million_output_tokens=per_million(spec.workload.output_tokens.mean),
            usd_per_million_tokens=per_million(tokens),
            idle_share=1.0 - prediction.utilization,
        ),
        design=Design(pools=(pool(space, design),)),
        predicted=prediction,
        offline=job_part.offline(spec, found, job, cost),
        binding_wall=found.binding.wall,
        also_binding=tuple(found.binding.also),
        walls=job_part.wall_utilizations(found, job, cost, snapshot),
        prices=_prices(spec, space),
        alternatives=tuple(job_part.alternative(found, each.column) for each in found.alternatives),
        allowances=job_part.allowances(spec, found),
        search=_search(found, space),
        catalog_hash=snapshot.hash,
        warnings=(
            *_idle_discounts(spec, space),
            *doubts(spec, space, design, snapshot, today),
        ),
    )


def _infeasible(spec: ServingSpec, found: NoAnswer, snapshot: Snapshot) -> Outcome:
    from optimizer.report.infeasible_part import bare_walls, relaxations, wall_and_floor  # only this answer needs them

    space = found.problem.space
    wall, floor = wall_and_floor(spec, found)
    return Outcome(
        status=Status.INFEASIBLE,
        proved=True,
        objective=Objective(metric=metric_of(spec), value=None, bound=None, analytic_bound=None),
        scope=_scope(spec, space),
        assumed=_assumed(spec, snapshot),
        cost=None,
        design=None,
        predicted=None,
        binding_wall=wall,
        walls=bare_walls(wall, snapshot),
        floor=floor,
        conflicts=None if found.ways_out is None else found.ways_out.conflicts,
        relaxations=None if found.ways_out is None else relaxations(found.ways_out),
        frontier=frontier(space, found.frontier),
        search=_search(found, space),
        catalog_hash=snapshot.hash,
        prices=_prices(spec, space),
        trace=trace_read(spec.workload.trace),
        warnings=_idle_discounts(spec, space),
    )


def _prices(spec: ServingSpec, space: CandidateSpace) -> PriceFileOut | None:
    own = spec.inventory.prices
    if own is None:
        return None
    admitted = len({price.offer for price in own.prices} & {offer.id for offer in space.offers})
    return PriceFileOut(file=own.file, sha256=own.sha256, offers=len(own.prices), admitted=admitted)


def _idle_discounts(spec: ServingSpec, space: CandidateSpace) -> tuple[str, ...]:
    return tuple(
        f"the discount of {each.provider} ({each.source}) changes no price: no admitted offer of theirs has an "
        "on-demand list price"
        for each in idle_discounts(spec.inventory, space.offers)
    )


def _scope(spec: ServingSpec, space: CandidateSpace) -> Scope:
    weights = dict.fromkeys(choice.weights for choice in space.formats)
    return Scope(
        pools=spec.pools.value,
        engines=spec.engines,
        formats=tuple(weights),
        estimated_parts=spec.inventory.estimated_parts,
        undated=spec.inventory.undated,
        custom_parts=spec.inventory.custom_accelerators,
    )


def _assumed(spec: ServingSpec, snapshot: Snapshot) -> tuple[Assumed, ...]:
    """What the specification left open, and the user's own corrections, which stand for the catalog's step times."""
    assumed = tuple(Assumed(key=each.key, value=each.value, why=each.why) for each in spec.assumed)
    mine = [
        f"{each.accelerator} with {each.engine} by {each.results} results of {each.as_of}"
        for each in snapshot.corrections.values()
        if each.model == spec.model and each.engine in spec.engines
    ]
    if not mine:
        return assumed
    parts = f"{len(mine)} part{'' if len(mine) == 1 else 's'}"
    return (*assumed, Assumed(key="calibration", value=parts, why=f"step times are corrected: {'; '.join(mine)}"))


def _search(found: Answer | NoAnswer, space: CandidateSpace) -> SearchOut:
    ledger = found.ledger
    return SearchOut(
        candidates=ledger.candidates,
        illegal=ledger.illegal,
        illegal_by_reason={reason.name.lower(): rows for reason, rows in sorted(space.illegal.items())},
        bounded=ledger.bounded,
        refused=ledger.refused,
        dominated=ledger.dominated,
        optimal=ledger.optimal,
        tied=ledger.tied,
        refined=found.refined,
        columns=len(found.columns) if isinstance(found, Answer) else 0,
        solver=f"cp-sat {version('ortools')}",
    )
