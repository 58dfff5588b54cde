"""What a design will do: percentiles with intervals, and how full its walls are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from catalog.read import Snapshot
from optimizer.answers import Answer
from optimizer.bottleneck.binding import Binding
from optimizer.bottleneck.walls import (
    HEADLINE_FAMILY,
    HEADLINE_WALLS,
    ServingWall,
    StepShares,
    memory_in_use,
)
from optimizer.confidence import INTERVAL_DEVIATIONS
from optimizer.evaluate import Candidates, Laws, State, mean_state
from optimizer.outcome import Latency, Predicted, WallOut
from optimizer.search.columns import candidates_of, rate_of
from requirements_specs.requirement import Metric, Statistic
from requirements_specs.serving import ServingSpec


def state_at(found: Answer, deviations: float) -> tuple[Candidates, State]:
    """The design in a scenario."""
    candidates = candidates_of(found.problem.physics, found.design)
    there = replace(found.problem.question, deviations=deviations)
    return candidates, mean_state(candidates, rate_of(found.problem.demand, found.design), there)


def predicted(spec: ServingSpec, found: Answer, capacity_per_s: float) -> Predicted:
    """Percentiles of a design at the stated rate, and the highest rate that it carries."""
    candidates, state = state_at(found, 0.0)
    laws = Laws(candidates, state)
    ends = []
    for deviations in (-INTERVAL_DEVIATIONS, INTERVAL_DEVIATIONS):
        _, there = state_at(found, deviations)
        ends.append(Laws(candidates, there) if there.steady[0] else None)
    risky = Laws(*state_at(found, found.problem.question.deviations))

    def latency(metric: Metric) -> Latency:
        def at(statistic: Statistic) -> float:
            return float(laws.statistic(metric, statistic)[0])

        interval = [None if end is None else float(end.statistic(metric, Statistic.P99)[0]) for end in ends]
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
        at_risk_s={limit.id: float(risky.statistic(limit.metric, limit.statistic)[0]) for limit in spec.slo},
        output_tokens_per_s=spec.workload.mean_request_rate_per_s * spec.workload.output_tokens.mean,
        utilization=min(found.problem.demand.rate_per_s / capacity_per_s, 1.0),
        memory_bytes_per_accelerator=used,
        highest_rate_per_s=capacity_per_s,
    )


def wall_utilizations(
    spec: ServingSpec, found: Answer, snapshot: Snapshot, candidates: Candidates, state: State, shares: StepShares
) -> tuple[WallOut, ...]:
    """Every wall that a serving design is held against, in number order."""
    used, has = memory_in_use(candidates, state, 0)
    most = found.problem.demand.most_usd_micro_per_hour
    filled = {
        ServingWall.COMPUTE: shares.compute,
        ServingWall.MEMORY_CAPACITY: used / has,
        ServingWall.MEMORY_BANDWIDTH: shares.memory_bandwidth,
        ServingWall.SERVING: float(state.point.queue_load[0]),
        ServingWall.BATCHING: float(state.kv_tokens_needed[0] / state.kv_tokens[0]),
        ServingWall.TAIL_LATENCY: found.design.largest_ratio if spec.slo else None,
        ServingWall.COMMUNICATION: shares.network,
        ServingWall.ECONOMIC_COST: None if most is None else found.design.usd_micro_per_hour / most,
        ServingWall.LATENCY_FLOOR: shares.fixed,
    }
    return walls_out(filled, found.binding, snapshot)


def walls_out(filled: Mapping[ServingWall, float | None], binding: Binding, snapshot: Snapshot) -> tuple[WallOut, ...]:
    """Walls as they are printed: how full each is, whether it binds, and what more of its resource would gain."""
    binds = {HEADLINE_WALLS[family] for family in (binding.wall, *binding.also)}
    numbers = {wall.id: wall.number for wall in snapshot.walls}
    return tuple(
        WallOut(
            id=wall,
            number=numbers[wall],
            utilization=share,
            binding=wall in binds,
            gain_of_10_percent=binding.gains.get(HEADLINE_FAMILY[wall]) if wall in HEADLINE_FAMILY else None,
            cost_falls_at_factor=None,
        )
        for wall, share in filled.items()
    )
