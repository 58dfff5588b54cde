"""p99 of TTFT and TPOT of the laws against event simulation, on named workloads without pressure on the KV cache."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from catalog.read import load
from optimizer.additions import read_question
from optimizer.answers import Answer
from optimizer.evaluate import Laws, mean_state
from optimizer.evaluate.state import LARGEST_QUEUE_LOAD
from optimizer.search.columns import candidates_of
from optimizer.simulation import fleet_of
from optimizer.solve import answer
from optimizer.traffic.simulate import Plan, Router, estimate, run
from requirements_specs.requirement import Metric, Statistic

pytestmark = pytest.mark.bench

WORKLOADS = ("azure-conv", "azure-code", "sharegpt", "arxiv-summarization", "mooncake-chat")
LOADS = (0.3, 0.5, 0.7, 0.8)
DESIGNS = (("llama-3.1-8b", 1), ("llama-3.1-70b", 4))
BOUNDLESS_KV_BLOCKS = 10**7
SPEC = """kind: serving
name: law
model: {model}
workload: {{request_rate: 0.2 req/s, prompt_tokens: {lengths}, output_tokens: {lengths}}}
slo: {{ttft: {{p99: 60 s}}}}
inventory: {{accelerators: [h100-sxm-80gb]}}
layout: {{tp: {tp}, pp: 1}}
formats: {{weights: [fp8], kv: [bf16]}}
risk: 0.5
"""


def errors(path: Path, model: str, tp: int, lengths: str, seeds: tuple[int, ...]) -> Iterator[dict[Metric, float]]:
    """Relative errors of the p99 at each load whose prompts the law is trusted with."""
    path.write_text(SPEC.format(model=model, tp=tp, lengths=lengths), encoding="utf-8")
    spec, snapshot = read_question(path, load())
    found = answer(spec, snapshot)
    assert isinstance(found, Answer)
    found = replace(found, design=replace(found.design, token_budget=8192, max_num_seqs=1024))
    candidate, question = candidates_of(found.problem.physics, found.design), found.problem.question
    highest = 0.1 / mean_state(candidate, np.array([0.1]), question).point.load[0]
    fleet = fleet_of(found, 0.0, Router.ROUND_ROBIN)
    fleet = replace(fleet, pipelines=1, limits=replace(fleet.limits, kv_blocks=BOUNDLESS_KV_BLOCKS))
    for share in LOADS:
        rate = float(highest * share)
        state = mean_state(candidate, np.array([rate]), question)
        if state.point.queue_load[0] > LARGEST_QUEUE_LOAD or state.point.budget_load[0] > 1.0:
            print(f"{model} {lengths} load {share}: beyond the load walls of every design")
            continue
        laws = Laws(candidate, state)
        stay_s = float(laws.statistic(Metric.E2E, Statistic.MEAN)[0])
        sample = run(fleet, spec.workload, rate, Plan(seeds, 20_000, int(max(2_000, 5.0 * rate * stay_s))))
        each = {}
        for metric in (Metric.TTFT, Metric.TPOT):
            predicted = float(laws.statistic(metric, Statistic.P99)[0])
            each[metric] = predicted / estimate(sample.of(metric), 0.99).value - 1.0
        print(f"{model} {lengths} load {share}: ttft {each[Metric.TTFT]:+.1%}, tpot {each[Metric.TPOT]:+.1%}")
        yield each


def test_percentiles_of_the_laws_are_those_of_the_simulation(tmp_path: Path) -> None:
    seeds = tuple(int(each) for each in np.random.default_rng().integers(1, 2**31, size=3))
    print(f"\nseeds {seeds}")
    found = [
        each
        for model, tp in DESIGNS
        for lengths in WORKLOADS
        for each in errors(tmp_path / "spec.yaml", model, tp, lengths, seeds)
    ]
    missed = []
    for metric, median, worst in ((Metric.TTFT, 0.08, 0.30), (Metric.TPOT, 0.10, 0.30)):
        sizes = np.abs([each[metric] for each in found])
        figures = f"p99 {metric}: median {np.median(sizes):.1%}, worst {sizes.max():.1%} of {len(sizes)}"
        print(figures)
        if np.median(sizes) > median or sizes.max() > worst:
            missed.append(f"{figures}; at most {median:.0%} and {worst:.0%}")
    assert not missed
