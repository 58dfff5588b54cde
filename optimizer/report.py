"""An answer of the search as the object that every command prints."""

from __future__ import annotations

from datetime import date
from importlib.metadata import version

from catalog.parts import Evidence
from catalog.read import Snapshot
from catalog.walls import Wall, WallFamily
from optimizer.arithmetic.money import (
    MICRO_DOLLARS,
    idle_share,
    usd_per_hour,
    usd_per_million_tokens,
    usd_per_month,
)
from optimizer.bottleneck.infeasible import Impossible
from optimizer.bottleneck.walls import StepShares, memory_in_use, step_shares
from optimizer.errors import VerificationError
from optimizer.evaluate import Candidates, Question, State, first_token, mean_state, statistic_of
from optimizer.outcome import (
    Allowance,
    Assumed,
    Cost,
    Design,
    EngineOut,
    Floor,
    FormatsOut,
    Latency,
    LayoutOut,
    Objective,
    Outcome,
    Pool,
    Predicted,
    RunnerUp,
    Scope,
    SearchOut,
    Status,
    Timing,
    WallOut,
)
from optimizer.question import POINT_PREDICTION, Nothing
from optimizer.search.columns import Column
from optimizer.solve import Answer, NoAnswer, candidates_of, rate_of
from optimizer.topology.layouts import CandidateSpace
from requirements_specs.requirement import Metric, Statistic
from requirements_specs.serving import ServingSpec

# Ends of the central 90 % interval, in standard deviations.
INTERVAL_DEVIATIONS = 1.6448536269514722
# Spot prices move daily, list prices within a quarter.
STALE_DAYS = 90
STALE_SPOT_DAYS = 1


def outcome_of(spec: ServingSpec, found: Answer | NoAnswer, snapshot: Snapshot, seconds: float, today: date) -> Outcome:
    """The answer to a spec as one object; `today` judges how old prices are."""
    if isinstance(found, NoAnswer):
        return _infeasible(spec, found, snapshot, seconds)
    space, design = found.problem.space, found.design
    candidates, state = _state_at(found, found.problem.question.deviations)
    shares = step_shares(found.problem.physics, design, state)
    served = spec.workload.request_rate_per_s
    working = design.replicas - spec.availability.spare_replicas
    capacity = found.binding.highest_rate_per_s * working
    proved = found.solution.cost.proved and found.solution.rank.proved
    cost = usd_per_hour(design.usd_micro_per_hour)
    bound = found.solution.cost.bound
    return Outcome(
        status=Status.OPTIMAL if proved else Status.FEASIBLE,
        proved=proved,
        objective=Objective(value=cost, bound=None if bound is None else usd_per_hour(bound), analytic_bound=cost),
        scope=_scope(spec, space),
        assumed=_assumed(spec),
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
        design=Design(pools=(_pool(space, design),)),
        predicted=_predicted(spec, found, capacity),
        binding_wall=found.binding.wall,
        also_binding=tuple(found.binding.also),
        walls=_walls(spec, found, snapshot, candidates, state, shares),
        runners_up=tuple(_runner_up(space, column, design) for column in found.runners_up),
        allowances=_allowances(spec, found),
        search=_search(found, space),
        catalog_hash=snapshot.hash,
        warnings=_warnings(space, design, today),
        timing=Timing(seconds=seconds),
    )


def _scope(spec: ServingSpec, space: CandidateSpace) -> Scope:
    weights = dict.fromkeys(choice.weights for choice in space.formats)
    return Scope(
        pools=spec.pools.value,
        engines=spec.engines,
        formats=tuple(weights),
        estimated_parts=spec.inventory.estimated_parts,
        undated=spec.inventory.undated,
    )


def _assumed(spec: ServingSpec) -> tuple[Assumed, ...]:
    return tuple(Assumed(key=each.key, value=each.value, why=each.why) for each in spec.assumed)


def _layout(space: CandidateSpace, column: Column) -> LayoutOut:
    layout = space.layouts[column.key]
    return LayoutOut(tp=layout.tp, pp=layout.pp, ep=layout.ep, dp_attention=layout.dp_attention)


def _formats(space: CandidateSpace, column: Column) -> FormatsOut:
    formats = space.formats[column.key]
    return FormatsOut(weights=formats.weights, activations=formats.activations, kv=formats.kv)


def _pool(space: CandidateSpace, column: Column) -> Pool:
    offer, row = space.offers[column.offer], space.keys[column.key]
    return Pool(
        accelerator=row.accelerator.id,
        evidence=row.accelerator.evidence.value,
        offer=offer.id,
        price_kind=offer.price_kind.value,
        price_date=None if offer.price_date is None else offer.price_date.isoformat(),
        usd_per_hour_per_instance=usd_per_hour(offer.usd_micro_per_hour),
        instances=column.instances,
        replicas=column.replicas,
        accelerators=column.accelerators,
        accelerators_per_replica=space.layouts[column.key].accelerators,
        layout=_layout(space, column),
        formats=_formats(space, column),
        engine=EngineOut(
            name=row.engine.id,
            max_num_seqs=column.max_num_seqs,
            max_num_batched_tokens=column.token_budget,
        ),
    )


def _state_at(found: Answer, deviations: float) -> tuple[Candidates, State]:
    """The design in a scenario."""
    candidates = candidates_of(found.problem.physics, found.design)
    question = found.problem.question
    there = Question(question.limits, question.load_cap, deviations)
    return candidates, mean_state(candidates, rate_of(found.problem.demand, found.design), there)


def _predicted(spec: ServingSpec, found: Answer, capacity_per_s: float) -> Predicted:
    candidates, state = _state_at(found, 0.0)
    law = first_token(candidates, state)
    ends = []
    for deviations in (-INTERVAL_DEVIATIONS, INTERVAL_DEVIATIONS):
        _, there = _state_at(found, deviations)
        ends.append((there, first_token(candidates, there)) if there.steady[0] else None)
    risky, risky_state = _state_at(found, found.problem.question.deviations)
    risky_law = first_token(risky, risky_state)

    def latency(metric: Metric) -> Latency:
        def at(statistic: Statistic) -> float:
            return float(statistic_of(metric, statistic, candidates, state, law)[0])

        interval = [
            None if end is None else float(statistic_of(metric, Statistic.P99, candidates, *end)[0]) for end in ends
        ]
        low = interval[0] if interval[0] is not None else at(Statistic.P99)
        return Latency(
            mean=at(Statistic.MEAN),
            p50=at(Statistic.P50),
            p90=at(Statistic.P90),
            p95=at(Statistic.P95),
            p99=at(Statistic.P99),
            p99_interval=(low, interval[1]),
        )

    used, _ = memory_in_use(candidates, state, 0)
    return Predicted(
        ttft_s=latency(Metric.TTFT),
        tpot_s=latency(Metric.TPOT),
        e2e_s=latency(Metric.E2E),
        at_risk_s={
            limit.id: float(statistic_of(limit.metric, limit.statistic, risky, risky_state, risky_law)[0])
            for limit in spec.slo
        },
        output_tokens_per_s=spec.workload.request_rate_per_s * spec.workload.output_tokens.mean,
        utilization=min(found.problem.demand.rate_per_s / capacity_per_s, 1.0),
        memory_bytes_per_accelerator=used,
        highest_rate_per_s=capacity_per_s,
    )


def _walls(
    spec: ServingSpec, found: Answer, snapshot: Snapshot, candidates: Candidates, state: State, shares: StepShares
) -> tuple[WallOut, ...]:
    """Every wall that a serving design can be held against, in number order."""
    used, has = memory_in_use(candidates, state, 0)
    most = found.problem.demand.most_usd_micro_per_hour
    filled = {
        "compute": shares.compute,
        "memory-capacity": used / has,
        "memory-bandwidth": shares.memory_bandwidth,
        "serving": float(state.point.queue_load[0]),
        "batching": float(state.kv_tokens_needed[0] / state.kv_tokens[0]),
        "tail-latency": found.design.largest_ratio if spec.slo else None,
        "communication": shares.network,
        "economic-cost": None if most is None else found.design.usd_micro_per_hour / most,
        "latency-floor": shares.fixed,
    }
    headline = {
        "compute": WallFamily.COMPUTE,
        "memory-capacity": WallFamily.MEMORY_CAPACITY,
        "memory-bandwidth": WallFamily.MEMORY_BANDWIDTH,
        "communication": WallFamily.NETWORK,
        "economic-cost": WallFamily.DOLLARS,
        "latency-floor": WallFamily.LATENCY_FLOOR,
    }
    binding = {found.binding.wall, *found.binding.also}
    return tuple(
        WallOut(
            id=wall.id,
            number=wall.number,
            utilization=filled[wall.id],
            binding=headline.get(wall.id) in binding,
            gain_of_10_percent=_gain(found, headline.get(wall.id)),
            cost_falls_at_factor=None,
        )
        for wall in snapshot.walls
        if wall.id in filled
    )


def _gain(found: Answer, family: WallFamily | None) -> float | None:
    return None if family is None else found.binding.gains.get(family)


def _runner_up(space: CandidateSpace, column: Column, design: Column) -> RunnerUp:
    offer = space.offers[column.offer]
    extra = usd_per_hour(column.usd_micro_per_hour - design.usd_micro_per_hour)
    if extra:
        why = (
            f"+${extra:,.2f}/h: needs {column.instances} × ${usd_per_hour(offer.usd_micro_per_hour):,.2f}/h "
            f"for {column.replicas} replicas"
        )
    elif column.largest_ratio > design.largest_ratio:
        why = f"same cost, nearer its limit ({column.largest_ratio:.0%} against {design.largest_ratio:.0%})"
    else:
        why = "same cost, later in the order of ties"
    return RunnerUp(
        accelerator=space.keys[column.key].accelerator.id,
        offer=offer.id,
        instances=column.instances,
        layout=_layout(space, column),
        formats=_formats(space, column),
        usd_per_hour=usd_per_hour(column.usd_micro_per_hour),
        why_not=why,
    )


def _allowances(spec: ServingSpec, found: Answer) -> tuple[Allowance, ...]:
    allowances = []
    if spec.risk != POINT_PREDICTION and found.point_usd_micro is not None:
        allowances.append(
            Allowance(
                change=f"risk: {POINT_PREDICTION} (point prediction) instead of {spec.risk:g}",
                usd_per_hour=usd_per_hour(found.point_usd_micro),
            )
        )
    if found.allowed_usd_micro is not None:
        allowances.append(
            Allowance(
                change="inventory.estimated_parts and inventory.undated: true",
                usd_per_hour=usd_per_hour(found.allowed_usd_micro),
            )
        )
    return tuple(allowances)


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


def _warnings(space: CandidateSpace, design: Column, today: date) -> tuple[str, ...]:
    warnings = []
    offer, part = space.offers[design.offer], space.keys[design.key].accelerator
    if offer.price_date is None:
        warnings.append(f"the price of {offer.id} has no date")
    else:
        age = (today - offer.price_date).days
        stale = STALE_SPOT_DAYS if offer.tier.value == "spot" else STALE_DAYS
        if age > stale:
            warnings.append(f"the price of {offer.id} is {age} days old; availability is unknown")
    if part.evidence is not Evidence.MEASURED:
        warnings.append(f"{part.id} is not measured itself ({part.evidence.value}); its interval is wider")
    return tuple(warnings)


def _infeasible(spec: ServingSpec, found: NoAnswer, snapshot: Snapshot, seconds: float) -> Outcome:
    space = found.problem.space
    wall, floor = _floor(spec, found)
    return Outcome(
        status=Status.INFEASIBLE,
        proved=True,
        objective=Objective(value=None, bound=None, analytic_bound=None),
        scope=_scope(spec, space),
        assumed=_assumed(spec),
        cost=None,
        design=None,
        predicted=None,
        binding_wall=wall,
        walls=tuple(_bare_wall(each, wall) for each in snapshot.walls if each.number in (1, 2, 3, 14, 19, None)),
        floor=floor,
        search=_search(found, space),
        catalog_hash=snapshot.hash,
        timing=Timing(seconds=seconds),
    )


def _bare_wall(wall: Wall, binding: WallFamily | None) -> WallOut:
    return WallOut(
        id=wall.id,
        number=wall.number,
        utilization=None,
        binding=wall.family is binding,
        gain_of_10_percent=None,
        cost_falls_at_factor=None,
    )


def _floor(spec: ServingSpec, found: NoAnswer) -> tuple[WallFamily | None, Floor | None]:
    """The wall and the least number that any admitted design reaches."""
    if found.impossible is not None:
        return found.impossible.wall, _physical_floor(found.impossible)
    if found.uncapped is None:
        return None, None
    return WallFamily.DOLLARS, _cap_floor(spec, found, found.uncapped)


def _physical_floor(impossible: Impossible) -> Floor:
    replica = f"{impossible.accelerators_per_replica} × {impossible.accelerator}"
    if impossible.wall is WallFamily.MEMORY_CAPACITY and impossible.requirement.endswith("per_accelerator"):
        explanation = (
            f"weights, overhead and one longest request need {impossible.least / 1e9:.1f} GB on each of {replica}, "
            f"which has {impossible.limit / 1e9:.1f} GB"
        )
    else:
        explanation = (
            f"one request alone takes {impossible.least * 1e3:.1f} ms on {replica}, the closest of all, "
            f"against {impossible.limit * 1e3:.1f} ms; no number of replicas changes that"
        )
    return Floor(
        requirement=impossible.requirement,
        limit=impossible.limit,
        least=impossible.least,
        accelerator=impossible.accelerator,
        explanation=explanation,
    )


def _cap_floor(spec: ServingSpec, found: NoAnswer, uncapped: Column) -> Floor:
    """A budget or an accelerator cap below the cheapest design."""
    if isinstance(found.problem, Nothing):
        raise VerificationError("a design was found in a space without candidates")
    space, demand = found.problem.space, found.problem.demand
    part = space.keys[uncapped.key].accelerator.id
    most_usd = demand.most_usd_micro_per_hour
    if most_usd is not None and uncapped.usd_micro_per_hour > most_usd:
        least, limit = usd_per_hour(uncapped.usd_micro_per_hour), most_usd / MICRO_DOLLARS
        return Floor(
            requirement=next(each.id for each in spec.requirements if each.id.startswith("budget.")),
            limit=limit,
            least=least,
            accelerator=part,
            explanation=f"the cheapest design costs ${least:,.2f}/h, the budget is ${limit:,.2f}/h",
        )
    limit_accelerators = float(demand.most_accelerators or 0)
    return Floor(
        requirement="inventory.max_accelerators",
        limit=limit_accelerators,
        least=float(uncapped.accelerators),
        accelerator=part,
        explanation=(
            f"the cheapest design rents {uncapped.accelerators} accelerators, the inventory allows "
            f"{limit_accelerators:.0f}"
        ),
    )
