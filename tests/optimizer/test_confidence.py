"""How well step times are known, and what a scenario makes of that."""

from math import exp, log

import numpy as np
import pytest

from catalog.parts import Evidence
from catalog.read import Snapshot, load
from optimizer.arithmetic.replica_rows import Estimate, ReplicaRow
from optimizer.confidence import evidence_of, measured_spread
from optimizer.question import Problem, pose
from requirements_specs.lengths import LengthDistribution
from requirements_specs.serving import Formats, IntegerChoice, Inventory, Layout, ServingSpec
from requirements_specs.workload import Workload


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return load()


def problem_of(part: str, weights: str, snapshot: Snapshot, stages: tuple[int, ...] = (1,)) -> Problem:
    """An 8B model on one rank of the part, at risk 0.1."""
    lengths = LengthDistribution.constant(500.0)
    problem = pose(
        ServingSpec(
            name="known",
            model="llama-3.1-8b",
            risk=0.1,
            slo=(),
            workload=Workload(request_rate_per_s=10.0, prompt_tokens=lengths, output_tokens=lengths),
            inventory=Inventory(accelerators=(part,), estimated_parts=True, undated=True),
            layout=Layout(tp=IntegerChoice(values=(1,)), pp=IntegerChoice(values=stages)),
            formats=Formats(weights=(weights,)),
        ),
        snapshot,
    )
    assert isinstance(problem, Problem)
    return problem


@pytest.mark.parametrize(
    ("part", "evidence", "assumed"),
    [
        ("h100-sxm-80gb", Evidence.MEASURED, None),
        ("h100-nvl-94gb", Evidence.CLASS, 1.7),
        ("mi300x-192gb", Evidence.ESTIMATED, 2.5),
    ],
)
def test_the_scenario_of_a_part(snapshot: Snapshot, part: str, evidence: Evidence, assumed: float | None) -> None:
    """Nine of ten step times lie within the factor; risk .1 takes the one-sided 0.9 quantile of that."""
    problem = problem_of(part, "bf16", snapshot)
    assert problem.space.keys[0].accelerator.evidence is evidence
    measured = measured_spread(evidence, "vllm", "bf16", snapshot)
    assert (measured is None) is (assumed is not None)
    ninety_percent, faster = (measured.slower_factor, measured.faster_factor) if measured else (assumed, assumed)
    assert ninety_percent is not None
    keys = np.arange(len(problem.space.keys))
    slow = problem.physics.slowdown(keys, problem.question.deviations)
    np.testing.assert_allclose(slow, exp(log(ninety_percent) / 1.6448536 * 1.2815516), rtol=1e-6)
    np.testing.assert_allclose(problem.physics.slowdown(keys, 1.6448536), ninety_percent, rtol=1e-6)
    np.testing.assert_allclose(1.0 / problem.physics.slowdown(keys, -1.6448536), faster, rtol=1e-6)
    kv = problem.physics.kv_tokens_per_pipeline(keys, problem.question.deviations)
    point = problem.physics.kv_tokens_per_pipeline(keys, 0.0)
    np.testing.assert_allclose(kv / point, 1.0 - 0.05 * 1.2815516, rtol=1e-6)


def test_measured_runs_narrow_what_a_plan_allows_for(snapshot: Snapshot) -> None:
    """With fp8 weights vLLM was predicted too slow: its steps may be much faster, and are hardly thought slower."""
    problem = problem_of("h100-sxm-80gb", "fp8", snapshot)
    key = np.zeros(1, dtype=np.int64)
    assert 1.2 < problem.physics.slowdown(key, problem.question.deviations)[0] < 1.37
    assert problem.physics.slowdown(key, -1.6448536)[0] < 1.0 / 1.5


@pytest.mark.parametrize(
    ("part", "estimates", "evidence"),
    [
        ("h100-sxm-80gb", Estimate.NONE, Evidence.MEASURED),
        ("h100-sxm-80gb", Estimate.COLLECTIVE, Evidence.CLASS),
        ("h100-sxm-80gb", Estimate.PIPELINE_HOP, Evidence.CLASS),
        ("h100-sxm-80gb", Estimate.DENSE_KERNELS, Evidence.ESTIMATED),
        ("h100-sxm-80gb", Estimate.EXPERT_KERNELS | Estimate.COLLECTIVE, Evidence.ESTIMATED),
        ("h100-nvl-94gb", Estimate.NONE, Evidence.CLASS),
        ("h100-nvl-94gb", Estimate.NO_MULTIPROCESSORS, Evidence.ESTIMATED),
        ("mi300x-192gb", Estimate.NONE, Evidence.ESTIMATED),
    ],
)
def test_a_rule_in_place_of_a_fit_widens_the_interval(
    snapshot: Snapshot, part: str, estimates: Estimate, evidence: Evidence
) -> None:
    kernels = snapshot.formats["bf16"]
    row = ReplicaRow(
        accelerator=snapshot.accelerators[part],
        link=snapshot.accelerators[part].link.kind,
        p2p=True,
        stage_bytes_per_s=None,
        tp=1,
        pp=1,
        ep=1,
        dp_attention=1,
        weights=kernels,
        activations=kernels,
        kv=kernels,
        experts=kernels,
        engine=snapshot.engines["vllm"],
    )
    assert evidence_of(row, estimates) is evidence


def test_pipelines_have_the_interval_of_a_rule(snapshot: Snapshot) -> None:
    """Stage hops are estimated, so a measured part in two stages has the interval of its class, which no run tells."""
    problem = problem_of("h100-sxm-80gb", "bf16", snapshot, stages=(1, 2))
    spread = problem.physics.spread
    stages = [row.pp for row in problem.space.keys]
    one, two = stages.index(1), stages.index(2)
    (measured,) = (
        each
        for each in snapshot.efficiency.step_spread
        if (each.evidence, each.engine, each.weights) == (Evidence.MEASURED, "vllm", "bf16")
    )
    ends = (measured.slower_factor, measured.faster_factor)
    assert (spread.slower[one], spread.faster[one]) == pytest.approx([log(end) / 1.6448536 for end in ends], rel=1e-6)
    assert (spread.slower[two], spread.faster[two]) == pytest.approx([log(1.7) / 1.6448536] * 2, rel=1e-6)
