from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from catalog.read import Snapshot
from catalog.walls import WallFamily
from optimizer.answers import Answer, NoAnswer
from optimizer.bottleneck.infeasible import Impossible, impossible_at_any_rate
from optimizer.evaluate import StepSpread, prepare
from optimizer.question import Nothing, Problem, pose
from optimizer.report import outcome_of
from optimizer.solve import answer
from optimizer.traffic.workload_bins import constant_lengths
from requirements_specs.requirement import BudgetMetric, LatencyLimit, Metric, Statistic
from requirements_specs.serving import Budget, ServingSpec
from tests.optimizer.traffic.linear_steps import linear_steps

SpecOf = Callable[..., ServingSpec]

H100_BYTES = 80 * 2**30


def refused(spec: ServingSpec, snapshot: Snapshot) -> NoAnswer:
    found = answer(spec, snapshot)
    assert isinstance(found, NoAnswer)
    return found


def impossible(spec: ServingSpec, snapshot: Snapshot) -> Impossible:
    found = refused(spec, snapshot)
    assert found.impossible is not None
    assert found.uncapped is None
    return found.impossible


def p99(metric: Metric, limit_s: float) -> list[LatencyLimit]:
    return [LatencyLimit(metric=metric, statistic=Statistic.P99, limit_s=limit_s)]


def test_70b_in_bf16_does_not_fit_one_h100(snapshot: Snapshot, spec_of: SpecOf) -> None:
    """70.55·10⁹ weights of two bytes, 2.5 GB of overhead, the 12 % that the engine leaves, and one request's KV.

    One token takes 80 layers × 2 × 8 heads × 128 values × 2 bytes; 700 tokens and a block of 16.
    """
    found = impossible(spec_of(model="llama-3.1-70b", risk=0.5), snapshot)
    weights, kv = 2 * 70_553_706_496, (700 + 16) * 80 * 2 * 8 * 128 * 2
    assert found.wall is WallFamily.MEMORY_CAPACITY
    assert (found.accelerator, found.accelerators_per_replica) == ("h100-sxm-80gb", 1)
    assert found.limit == H100_BYTES
    assert found.least == pytest.approx(weights + 2.5e9 + 0.12 * H100_BYTES + kv, rel=1e-6)


@pytest.mark.parametrize("risk", [0.1, 0.5])
def test_8b_in_bf16_cannot_decode_in_5_ms_on_one_h100(snapshot: Snapshot, spec_of: SpecOf, risk: float) -> None:
    """15 GB of weights at 3.35 TB/s are 4.5 ms before anything else."""
    found = impossible(spec_of(slo=p99(Metric.TPOT, 0.005), risk=risk), snapshot)
    assert found.wall is WallFamily.MEMORY_BANDWIDTH
    assert (found.requirement, found.limit) == ("slo.tpot.p99", 0.005)
    read_s = 2 * 7_504_924_672 / 3.35e12
    slowest = 1.1 * 1.6 * read_s * (1.37 if risk == 0.1 else 1.0)
    assert read_s < found.least < slowest
    assert found.share is not None
    assert found.share.per_s == 3.35e12
    assert read_s < found.share.resource_s < found.least
    assert found.share.resource_s + found.share.fixed_s >= 0.99 * found.least


def test_a_long_prompt_cannot_be_prefilled_in_time(snapshot: Snapshot, spec_of: SpecOf) -> None:
    """4,000 tokens of 2 · 7.5·10⁹ FLOPs are 61 ms at the peak of 989 TFLOP/s."""
    found = impossible(spec_of(prompt=4000.0, slo=p99(Metric.TTFT, 0.1)), snapshot)
    assert found.wall is WallFamily.COMPUTE
    assert found.least > 0.1
    assert found.share is not None
    assert found.share.per_s == 989e12
    assert 4000 * 2 * 7_504_924_672 / 989e12 < found.share.resource_s < found.least


def test_host_time_is_a_floor(snapshot: Snapshot, spec_of: SpecOf) -> None:
    found = impossible(spec_of(prompt=100.0, slo=p99(Metric.TTFT, 0.03)), snapshot)
    assert found.wall is WallFamily.LATENCY_FLOOR
    assert found.least > snapshot.engines["vllm"].host_s > 0.03
    assert found.share is not None
    assert (found.share.resource_s, found.share.per_s) == (0.0, None)
    assert snapshot.engines["vllm"].host_s <= found.share.fixed_s <= found.least


@pytest.mark.parametrize(
    ("steps", "limit_s", "wall"),
    [
        ({"fixed_s": 1e-3, "network_s": 1e-3, "per_sequence_s": 10e-3}, 8e-3, WallFamily.MEMORY_BANDWIDTH),
        ({"fixed_s": 1e-3, "network_s": 10e-3, "per_sequence_s": 1e-3}, 8e-3, WallFamily.NETWORK),
        ({"fixed_s": 9e-3, "network_s": 1e-3, "per_sequence_s": 1e-3}, 8e-3, WallFamily.LATENCY_FLOOR),
        # no single factor of four is enough, but bandwidth brings it nearest
        ({"fixed_s": 1e-3, "network_s": 8e-3, "per_sequence_s": 9e-3}, 3e-3, WallFamily.MEMORY_BANDWIDTH),
    ],
)
def test_the_wall_is_the_resource_whose_least_factor_is_enough(
    snapshot: Snapshot, spec_of: SpecOf, steps: dict[str, float], limit_s: float, wall: WallFamily
) -> None:
    limits = [LatencyLimit(metric=Metric.TPOT, statistic=Statistic.MEAN, limit_s=limit_s)]
    problem = pose(spec_of(slo=limits, risk=0.5), snapshot)
    assert isinstance(problem, Problem)
    bins = constant_lengths(np.array([500.0]), np.array([200.0]), np.zeros(1))
    physics = prepare(linear_steps(1, **steps), bins, StepSpread.none(1))
    found = impossible_at_any_rate(problem.space, physics, problem.question)
    assert found is not None
    assert found.wall is wall
    assert found.least == pytest.approx(sum(steps.values()), rel=1e-3)
    possible = linear_steps(1, **{name: value / 10.0 for name, value in steps.items()})
    assert impossible_at_any_rate(problem.space, prepare(possible, bins, StepSpread.none(1)), problem.question) is None


def test_the_floor_is_that_of_the_candidate_that_misses_least(snapshot: Snapshot, spec_of: SpecOf) -> None:
    """Two keys: one misses one limit by much, the other both by little; fewer misses come first."""
    limits = [*p99(Metric.TPOT, 0.0095), LatencyLimit(metric=Metric.TTFT, statistic=Statistic.MEAN, limit_s=0.05)]
    problem = pose(spec_of(slo=limits, risk=0.5, part="a100-pcie-80gb"), snapshot)
    assert isinstance(problem, Problem)
    space = replace(problem.space, keys=problem.space.keys[:1] * 2, layouts=problem.space.layouts[:1] * 2)
    bins = constant_lengths(np.array([1000.0]), np.array([200.0]), np.zeros(1))
    steps = replace(
        linear_steps(2), fixed_s=np.array([30e-3, 10e-3]), per_token_s=np.array([0.0, 45e-6])
    )  # TPOT 30 and 10 ms against 9.5; TTFT 45 and 60 ms against 50
    found = impossible_at_any_rate(space, prepare(steps, bins, StepSpread.none(2)), problem.question)
    assert found is not None
    assert found.requirement == "slo.tpot.p99"
    assert found.least == pytest.approx(10e-3, rel=1e-3)  # the least that any key reaches


def test_a_budget_below_the_cheapest_design_names_dollars_and_the_least_cost(
    snapshot: Snapshot, spec_of: SpecOf
) -> None:
    free = answer(spec_of(rate=200.0), snapshot)
    assert isinstance(free, Answer)
    least = free.design.usd_micro_per_hour
    spec = spec_of(rate=200.0, budget=Budget(usd_per_hour=least / 1e6 - 0.01))
    found = refused(spec, snapshot)
    assert found.impossible is None
    assert found.uncapped is not None
    assert found.uncapped.usd_micro_per_hour == least
    outcome = outcome_of(spec, found, snapshot, date(2026, 11, 24))
    assert outcome.binding_wall == "dollars"
    assert outcome.floor is not None
    assert outcome.floor.requirement == "budget.usd_per_hour"
    assert outcome.floor.least == pytest.approx(least / 1e6)
    assert outcome.floor.limit == pytest.approx(least / 1e6 - 0.01)
    just = answer(spec_of(rate=200.0, budget=Budget(usd_per_hour=least / 1e6)), snapshot)
    assert isinstance(just, Answer)
    assert just.design == free.design


@pytest.mark.parametrize(
    ("metric", "of_an_hour"),
    [
        (BudgetMetric.USD_PER_MONTH, 730.0),
        (BudgetMetric.USD_PER_MILLION_OUTPUT_TOKENS, 1e6 / (200.0 * 3600.0 * 200.0)),
    ],
)
def test_the_floor_is_of_the_budget_that_is_exceeded_and_in_its_unit(
    snapshot: Snapshot, spec_of: SpecOf, metric: BudgetMetric, of_an_hour: float
) -> None:
    free = answer(spec_of(rate=200.0), snapshot)
    assert isinstance(free, Answer)
    least = of_an_hour * free.design.usd_micro_per_hour / 1e6

    def within(limit: float) -> ServingSpec:
        return spec_of(rate=200.0, budget=Budget(**{"usd_per_hour": 1e6, metric.value: limit}))

    spec = within(0.9 * least)
    outcome = outcome_of(spec, refused(spec, snapshot), snapshot, date(2026, 11, 24))
    assert outcome.floor is not None
    assert outcome.floor.requirement == f"budget.{metric}"
    assert outcome.floor.limit == pytest.approx(0.9 * least)
    assert outcome.floor.least == pytest.approx(least)
    assert isinstance(answer(within(1.001 * least), snapshot), Answer)


def test_an_accelerator_cap_below_the_cheapest_design(snapshot: Snapshot, spec_of: SpecOf) -> None:
    free = answer(spec_of(rate=200.0), snapshot)
    assert isinstance(free, Answer)
    needed = free.design.accelerators
    spec = spec_of(rate=200.0, most=needed - 1)
    outcome = outcome_of(spec, refused(spec, snapshot), snapshot, date(2026, 11, 24))
    assert outcome.binding_wall == "dollars"
    assert outcome.floor is not None
    assert outcome.floor.requirement == "inventory.max_accelerators"
    assert (outcome.floor.least, outcome.floor.limit) == (needed, needed - 1)


def test_no_legal_placement_has_reasons_instead_of_a_wall(snapshot: Snapshot, spec_of: SpecOf) -> None:
    spec = spec_of(part="v100-sxm2-32gb")
    found = refused(spec, snapshot)
    assert isinstance(found.problem, Nothing)
    assert (found.impossible, found.uncapped) == (None, None)
    assert found.ledger.illegal == found.ledger.candidates > 0
    outcome = outcome_of(spec, found, snapshot, date(2026, 11, 24))
    assert outcome.status == "infeasible"
    assert sum(outcome.search.illegal_by_reason.values()) == outcome.search.candidates


def test_what_does_not_fit_needs_more_than_there_is(snapshot: Snapshot, spec_of: SpecOf) -> None:
    """A request of 420,001 tokens fits the KV cache of the point prediction, not the one of risk .1."""
    endless = snapshot.models["llama-3.1-8b"].model_copy(update={"max_context": 1_000_000})
    models = snapshot.models | {endless.id: endless}
    found = impossible(spec_of(prompt=420_000.0, output=1.0), snapshot.model_copy(update={"models": models}))
    assert found.wall is WallFamily.MEMORY_CAPACITY
    assert found.least > found.limit


def test_a_request_must_fit_the_kv_cache_of_one_attention_rank(snapshot: Snapshot, spec_of: SpecOf) -> None:
    """Eight ranks of 1,000 tokens each do not hold a request of 1,200: its keys and values live on one rank."""
    problem = pose(spec_of(risk=0.5), snapshot)
    assert isinstance(problem, Problem)
    bins = constant_lengths(np.array([1000.0]), np.array([200.0]), np.zeros(1))
    steps = linear_steps(1, fixed_s=1e-3, dp_attention=8, accelerators=8, kv_capacity_tokens=8 * 1008.0)
    found = impossible_at_any_rate(problem.space, prepare(steps, bins, StepSpread.none(1)), problem.question)
    assert found is not None
    assert found.wall is WallFamily.MEMORY_CAPACITY
