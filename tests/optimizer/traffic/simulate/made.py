"""Small replicas and workloads to simulate."""

from __future__ import annotations

import numpy as np

from optimizer.evaluate import StepSpread, prepare, scenario_tables, tabulate
from optimizer.traffic.simulate import EngineLimits, Fleet, Pipeline, PipelineSteps, Requests, Router, pipeline_steps
from optimizer.traffic.workload_bins import bin_workload
from requirements_specs.lengths import LengthDistribution
from requirements_specs.workload import Workload
from tests.optimizer.traffic.linear_steps import linear_steps

BLOCK = 16


def chat(rate: float = 8.0) -> Workload:
    return Workload(
        request_rate_per_s=rate,
        prompt_tokens=LengthDistribution.from_statistics(mean=600, p99=3000),
        output_tokens=LengthDistribution.from_statistics(mean=150, p99=600),
    )


def steps_for(workload: Workload, token_budget: int = 2048, slots: int = 64) -> PipelineSteps:
    """Ten milliseconds a step, a tenth more per 32 sequences, and a millisecond per 20 prompt tokens."""
    physics = prepare(
        linear_steps(fixed_s=10e-3, per_sequence_s=1e-3 / 32, per_token_s=5e-5, per_pair_s=1e-9),
        bin_workload(workload),
        StepSpread.none(1),
    )
    candidates = tabulate(physics, np.array([0]), np.array([float(token_budget)]), np.array([float(slots)]))
    return pipeline_steps(scenario_tables(candidates, 0.0), physics.bins, float(token_budget), slots)


def limits(token_budget: int = 2048, slots: int = 64, kv_blocks: int = 10**6) -> EngineLimits:
    return EngineLimits(token_budget, slots, kv_blocks, BLOCK)


def fleet(workload: Workload, pipelines: int = 1, router: Router = Router.ROUND_ROBIN, kv_blocks: int = 10**6) -> Fleet:
    return Fleet(steps_for(workload), limits(kv_blocks=kv_blocks), pipelines, router, 5e-3, 1.0)


def requests_of(*rows: tuple[float, int, int]) -> Requests:
    """Requests from (arrival, prompt, output)."""
    arrival, prompt, output = (np.array(column) for column in zip(*rows, strict=True))
    return Requests(arrival.astype(float), prompt, prompt, output)


def check_blocks_until_all_end(pipeline: Pipeline, blocks: int) -> None:
    """Run it in short times: its cache is never beyond its blocks, full where they are few, and empty at the end."""
    time_s, most = 0.0, 0
    while pipeline.load:
        time_s += 0.031
        pipeline.advance(time_s)
        most = max(most, pipeline.kv_blocks_in_use)
    assert pipeline.kv_blocks_in_use == 0
    assert (0.9 * blocks if blocks < 10**6 else 0) < most <= blocks
