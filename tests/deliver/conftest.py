import pytest

from optimizer.outcome import (
    Allowance,
    Alternative,
    Assumed,
    Change,
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
    Relaxation,
    Scope,
    SearchOut,
    SpecValue,
    Status,
    Timing,
    WallOut,
)
from requirements_specs.lengths import LengthDistribution
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from requirements_specs.serving import Assumption, Budget, Inventory, ServingSpec
from requirements_specs.workload import Workload

ASSUMED = (
    ("objective", "cheapest"),
    ("risk", "0.1"),
    ("pools", "mixed"),
    ("engines", "vllm"),
    ("workload.prefix_cache_hit", "0"),
    ("workload.peak_factor", "1"),
    ("workload.arrivals", "Poisson"),
    ("workload.lengths", "prompt and output independent"),
    ("inventory.tiers", "on_demand"),
    ("inventory.estimated_parts", "false"),
    ("inventory.undated", "false"),
    ("formats.weights", "the checkpoint's own, and fp8 where native"),
    ("formats.kv", "bf16"),
    ("availability.spare_replicas", "0"),
    ("availability.load_cap", "0.8"),
)


@pytest.fixture(scope="session")
def chat() -> ServingSpec:
    """A chat service with two limits and a budget."""
    return ServingSpec(
        name="chat 70B",
        model="llama-3.1-70b",
        workload=Workload(
            request_rate_per_s=10.0,
            prompt_tokens=LengthDistribution.from_statistics(mean=512, p50=400, p90=1000, p99=1500),
            output_tokens=LengthDistribution.from_statistics(mean=200, p50=150, p90=420, p99=800),
        ),
        slo=(
            LatencyLimit(metric=Metric.TTFT, statistic=Statistic.P99, limit_s=0.2),
            LatencyLimit(metric=Metric.TPOT, statistic=Statistic.P99, limit_s=0.05),
        ),
        budget=Budget(usd_per_hour=60.0),
        assumed=tuple(Assumption(key=key, value=value, why="not stated") for key, value in ASSUMED),
    )


SEARCH = SearchOut(
    candidates=1_312_768,
    illegal=1_021_952,
    illegal_by_reason={"leaves_domain": 600_000, "estimated_part": 421_952},
    bounded=284_672,
    refused=4_608,
    dominated=1_529,
    optimal=1,
    tied=6,
    refined=576,
    columns=40,
    solver="cp-sat 9.15.6755",
)
SCOPE = Scope(pools="mixed", engines=("vllm",), formats=("bf16", "fp8"), estimated_parts=False, undated=False)


def _assumed(spec: ServingSpec) -> tuple[Assumed, ...]:
    return tuple(Assumed(key=each.key, value=each.value, why=each.why) for each in spec.assumed)


@pytest.fixture(scope="session")
def solved(chat: ServingSpec) -> Outcome:
    """A proved design for the chat service; the numbers are invented, only their relations hold."""
    return Outcome(
        status=Status.OPTIMAL,
        proved=True,
        objective=Objective(value=47.84, bound=47.84, analytic_bound=47.84),
        scope=SCOPE,
        assumed=_assumed(chat),
        cost=Cost(
            usd_per_hour=47.84,
            usd_per_month=34_923.2,
            usd_per_million_input_tokens=2.5955,
            usd_per_million_output_tokens=6.6444,
            usd_per_million_tokens=1.8664,
            idle_share=0.2354,
        ),
        design=Design(
            pools=(
                Pool(
                    accelerator="h100-sxm-80gb",
                    evidence="measured",
                    offer="lambda/gpu_8x_h100_sxm5/us-east-1/on_demand",
                    price_kind="list",
                    price_date="2026-05-20",
                    price_source="anycloud-lambda-62ff0a9",
                    available_instances=None,
                    usd_per_hour_per_instance=23.92,
                    instances=2,
                    replicas=4,
                    accelerators=16,
                    accelerators_per_replica=4,
                    layout=LayoutOut(tp=4, pp=1, ep=1, dp_attention=1),
                    formats=FormatsOut(weights="fp8", activations="fp8", kv="bf16"),
                    engine=EngineOut(name="vllm", max_num_seqs=256, max_num_batched_tokens=8192),
                ),
            )
        ),
        predicted=Predicted(
            ttft_s=Latency(mean=0.0841, p50=0.0763, p90=0.1102, p95=0.1219, p99=0.1413, p99_interval=(0.0962, 0.2153)),
            tpot_s=Latency(mean=0.01634, p50=0.0163, p90=0.0171, p95=0.0174, p99=0.018, p99_interval=(0.012, 0.0273)),
            e2e_s=Latency(mean=3.341, p50=2.51, p90=7.02, p95=8.9, p99=13.37, p99_interval=(8.9, None)),
            at_risk_s={"slo.ttft.p99": 0.1874, "slo.tpot.p99": 0.0247},
            output_tokens_per_s=2000.0,
            utilization=0.7646,
            memory_bytes_per_accelerator=66.4e9,
            highest_rate_per_s=13.08,
        ),
        binding_wall="memory-bandwidth",
        also_binding=("compute",),
        walls=(
            _wall("compute", 1, 0.31, 0.058),
            _wall("memory-capacity", 2, 0.934, 0.0),
            _wall("memory-bandwidth", 3, 0.72, 0.061),
            _wall("serving", 4, 0.22, None),
            _wall("communication", 14, 0.113, 0.009),
            _wall("economic-cost", 19, 0.797, None),
            _wall("latency-floor", None, 0.2, None),
        ),
        alternatives=(
            _alternative("h200-sxm-141gb", "nebius/gpu-h200-sxm_8gpu/eu-north1/on_demand", 2, 56.0),
            _alternative("a100-sxm-80gb", "oci/BM.GPU.A100-v2.8/global/on_demand", 8, 64.0),
        ),
        allowances=(
            Allowance(change="risk: 0.5 (point prediction) instead of 0.1", usd_per_hour=23.92),
            Allowance(change="inventory.estimated_parts and inventory.undated: true", usd_per_hour=31.2),
        ),
        search=SEARCH,
        catalog_hash="2889ec71a8" + "0" * 54,
        warnings=("the price of lambda/gpu_8x_h100_sxm5/us-east-1/on_demand is 188 days old",),
        timing=Timing(seconds=0.93),
    )


def _wall(name: str, number: int | None, utilization: float, gain: float | None) -> WallOut:
    return WallOut(
        id=name,
        number=number,
        utilization=utilization,
        binding=name in ("memory-bandwidth", "compute"),
        gain_of_10_percent=gain,
        cost_falls_at_factor=None,
    )


def _alternative(part: str, offer: str, instances: int, usd_per_hour: float) -> Alternative:
    each, replicas = usd_per_hour / instances, 2 * instances
    return Alternative(
        accelerator=part,
        offer=offer,
        instances=instances,
        replicas=replicas,
        layout=LayoutOut(tp=4, pp=1, ep=1, dp_attention=1),
        formats=FormatsOut(weights="bf16", activations="bf16", kv="bf16"),
        price_kind="list",
        price_date="2026-05-20",
        price_source="anycloud-62ff0a9",
        usd_per_hour=usd_per_hour,
        value=usd_per_hour,
        ttft_p99_s=None,
        tpot_p99_s=None,
        binding_wall=None,
        why_not=f"+${usd_per_hour - 47.84:,.2f}/h: needs {instances} × ${each:,.2f}/h for {replicas} replicas",
    )


@pytest.fixture(scope="session")
def stalled(solved: Outcome) -> Outcome:
    """The same design where time ran out before a proof."""
    objective = Objective(value=47.84, bound=40.0, analytic_bound=47.84)
    return solved.model_copy(update={"status": Status.FEASIBLE, "proved": False, "objective": objective})


@pytest.fixture(scope="session")
def tight(chat: ServingSpec) -> ServingSpec:
    """A limit that no part can hold, on one part only."""
    return chat.model_copy(
        update={
            "slo": (LatencyLimit(metric=Metric.TPOT, statistic=Statistic.P99, limit_s=0.005),),
            "inventory": Inventory(accelerators=("h100-sxm-80gb",)),
        }
    )


@pytest.fixture(scope="session")
def infeasible(tight: ServingSpec) -> Outcome:
    """No design, for a wall of physics."""
    return Outcome(
        status=Status.INFEASIBLE,
        proved=True,
        objective=Objective(value=None, bound=None, analytic_bound=None),
        scope=SCOPE,
        assumed=_assumed(tight),
        cost=None,
        design=None,
        predicted=None,
        binding_wall="memory-bandwidth",
        walls=(),
        floor=Floor(
            requirement="slo.tpot.p99",
            limit=0.005,
            least=0.00792,
            accelerator="h100-sxm-80gb",
            explanation="one request alone takes 7.9 ms on 1 × h100-sxm-80gb, the closest of all, against 5.0 ms; "
            "no number of replicas changes that",
        ),
        allowances=(Allowance(change="risk: 0.5 (point prediction) instead of 0.1", usd_per_hour=None),),
        search=SEARCH.model_copy(
            update={"bounded": 0, "refused": 290_816, "dominated": 0, "optimal": 0, "tied": 0, "columns": 0}
        ),
        catalog_hash="2889ec71a8" + "0" * 54,
    )


@pytest.fixture(scope="session")
def with_ways_out(infeasible: Outcome) -> Outcome:
    """The same with two conflicts, and a relaxation of every kind of requirement."""

    def way(usd_per_hour: float, *changes: tuple[str, SpecValue, SpecValue]) -> Relaxation:
        return Relaxation(
            changes=tuple(Change(requirement=path, stated=stated, to=to) for path, stated, to in changes),
            usd_per_hour=usd_per_hour,
            verified=True,
        )

    parts = ("h100-sxm-80gb", "b200-sxm-180gb")
    return infeasible.model_copy(
        update={
            "conflicts": (
                ("slo.tpot.p99", "inventory.accelerators", "inventory.estimated_parts"),
                ("slo.tpot.p99", "budget.usd_per_hour"),
            ),
            "relaxations": (
                way(9.5, ("slo.tpot.p99", 0.005, 0.0081)),
                way(
                    11.96, ("inventory.accelerators", parts[:1], parts), ("formats.weights", ("bf16",), ("bf16", "fp8"))
                ),
                way(
                    13.0,
                    ("inventory.exclude_offers", ("lambda/gpu/x/on_demand", "y"), ("y",)),
                    ("layout.tp", {"min": 4, "max": 8}, {"min": 2, "max": 8}),
                ),
                way(100.0, ("budget.usd_per_hour", 60.0, 100.0), ("inventory.max_accelerators", 8, 16)),
                way(120.0, ("inventory.undated", False, True)),
                way(130.0, ("risk", 0.1, 0.5)),
                way(140.0, ("layout.tp", 1, (1, 8))),
            ),
        }
    )
