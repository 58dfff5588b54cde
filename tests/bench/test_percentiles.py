"""p99 of TTFT and TPOT of the laws against event simulation, on named workloads without pressure on the KV cache."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from catalog.read import load
from optimizer.additions import read_question
from optimizer.answers import Answer
from optimizer.evaluate import Laws, ReplicaArrivals, mean_state
from optimizer.evaluate.state import LARGEST_QUEUE_LOAD
from optimizer.search.columns import candidates_of
from optimizer.simulation import fleet_of
from optimizer.solve import answer
from optimizer.traffic.simulate import Estimate, Plan, Router, Sample, estimate, run
from requirements_specs.requirement import Metric, Statistic

pytestmark = pytest.mark.bench

WORKLOADS = ("azure-conv", "azure-code", "sharegpt", "arxiv-summarization", "mooncake-chat")
LOADS = (0.3, 0.5, 0.7, 0.8)
DESIGNS = (("llama-3.1-8b", 1), ("llama-3.1-70b", 4))
BOUNDLESS_KV_BLOCKS = 10**7
REQUESTS = (20_000, 60_000, 180_000)
NARROW = 0.05
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


def known_well(
    simulate: Callable[[Plan], Sample], seeds: tuple[int, ...], margin: int, dispersion: float
) -> dict[Metric, Estimate]:
    """The p99 of TTFT and TPOT, of as many requests as make their 95 % intervals narrow: long prompts are rare."""
    for requests in REQUESTS:
        sample = simulate(Plan(seeds, requests, margin, dispersion))
        simulated = {metric: estimate(sample.of(metric), 0.99) for metric in (Metric.TTFT, Metric.TPOT)}
        if all(each.high - each.value <= NARROW * each.value for each in simulated.values()):
            break
    return simulated


def errors(
    path: Path, model: str, tp: int, lengths: str, seeds: tuple[int, ...], dispersion: float = 1.0, pipelines: int = 1
) -> Iterator[dict[Metric, float]]:
    """Relative errors of the p99 at each load whose prompts the law is trusted with.

    dispersion: of what arrives at all `pipelines` together, which a router takes in turn.
    """
    path.write_text(SPEC.format(model=model, tp=tp, lengths=lengths), encoding="utf-8")
    spec, snapshot = read_question(path, load())
    found = answer(spec, snapshot)
    assert isinstance(found, Answer)
    found = replace(found, design=replace(found.design, token_budget=8192, max_num_seqs=1024))
    candidate = candidates_of(found.problem.physics, found.design)
    question = replace(found.problem.question, arrivals=ReplicaArrivals(dispersion / pipelines))
    highest = 0.1 / mean_state(candidate, np.array([0.1]), question).point.load[0]
    fleet = fleet_of(found, 0.0, Router.ROUND_ROBIN)
    fleet = replace(fleet, pipelines=pipelines, limits=replace(fleet.limits, kv_blocks=BOUNDLESS_KV_BLOCKS))
    for share in LOADS:
        rate = float(highest * share)
        state = mean_state(candidate, np.array([rate]), question)
        if state.point.queue_load[0] > LARGEST_QUEUE_LOAD or state.point.budget_load[0] > 1.0:
            print(f"{model} {lengths} load {share}: beyond the load walls of every design")
            continue
        laws = Laws(candidate, state)
        stay_s = float(laws.statistic(Metric.E2E, Statistic.MEAN)[0])
        margin = int(max(2_000, 5.0 * rate * stay_s)) * pipelines
        simulated = known_well(partial(run, fleet, spec.workload, rate * pipelines), seeds, margin, dispersion)
        each = {}
        for metric in (Metric.TTFT, Metric.TPOT):
            predicted = float(laws.statistic(metric, Statistic.P99)[0])
            each[metric] = predicted / simulated[metric].value - 1.0
        print(f"{model} {lengths} load {share}: ttft {each[Metric.TTFT]:+.1%}, tpot {each[Metric.TPOT]:+.1%}")
        yield each


def drawn_seeds() -> tuple[int, ...]:
    seeds = tuple(int(each) for each in np.random.default_rng().integers(1, 2**31, size=3))
    print(f"\nseeds {seeds}")
    return seeds


def summary(found: list[dict[Metric, float]], metric: Metric) -> tuple[float, float]:
    """Median and largest of the errors, which are printed."""
    sizes = np.abs([each[metric] for each in found])
    print(f"p99 {metric}: median {np.median(sizes):.1%}, worst {sizes.max():.1%} of {len(sizes)}")
    return float(np.median(sizes)), float(sizes.max())


def test_percentiles_of_the_laws_are_those_of_the_simulation(tmp_path: Path) -> None:
    seeds = drawn_seeds()
    found = [
        each
        for model, tp in DESIGNS
        for lengths in WORKLOADS
        for each in errors(tmp_path / "spec.yaml", model, tp, lengths, seeds)
    ]
    ttft, tpot = summary(found, Metric.TTFT), summary(found, Metric.TPOT)
    assert ttft[0] <= 0.08
    assert ttft[1] <= 0.30
    assert tpot[0] <= 0.10
    assert tpot[1] <= 0.30


@pytest.mark.parametrize(("dispersion", "pipelines"), [(4.0, 1), (4.0, 2), (1.0, 4)])
def test_first_tokens_of_bursts_and_behind_a_router(tmp_path: Path, dispersion: float, pipelines: int) -> None:
    seeds = drawn_seeds()
    found = [
        each
        for model, tp in DESIGNS
        for lengths in WORKLOADS
        for each in errors(tmp_path / "spec.yaml", model, tp, lengths, seeds, dispersion, pipelines)
    ]
    summary(found, Metric.TPOT)
    assert summary(found, Metric.TTFT)[0] <= 0.20
