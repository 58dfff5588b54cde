"""The simulator against theory at a million requests, seeds drawn at run time, and its speed; figures are printed."""

import os
import time
from dataclasses import replace
from statistics import median

import numpy as np
import pytest

from catalog.read import load
from optimizer.additions import read_question
from optimizer.answers import Answer
from optimizer.evaluate import mean_state
from optimizer.search.columns import candidates_of
from optimizer.simulation import fleet_of
from optimizer.solve import answer
from optimizer.traffic.simulate import Fleet, Router, draw_requests, serve
from requirements_specs.workload import Workload
from tests.optimizer.traffic.simulate.queues import errors, many_servers_stays, one_server_waits, stay_law, wait_law

pytestmark = pytest.mark.bench
CONVERSATION = """kind: serving
name: conversation
model: llama-3.1-8b
workload: {request_rate: 0.2 req/s, prompt_tokens: azure-conv, output_tokens: azure-conv}
slo: {ttft: {p99: 60 s}}
inventory: {accelerators: [h100-sxm-80gb]}
layout: {tp: 1, pp: 1}
formats: {weights: [fp8], kv: [bf16]}
risk: 0.5
"""
REQUESTS = 1_000_000
LEAST_REQUESTS_PER_S = 150_000
RUNS = 9


@pytest.mark.parametrize("load_of_server", [0.3, 0.5, 0.7])
@pytest.mark.parametrize(
    ("services", "shares"), [([1.0], [1.0]), ([0.5, 1.0, 4.0], [0.6, 0.3, 0.1])], ids=["M/D/1", "M/G/1"]
)
def test_single_servers(load_of_server: float, services: list[float], shares: list[float]) -> None:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    service, share = np.array(services), np.array(shares)
    rate = load_of_server / float((service * share).sum())
    found = errors(one_server_waits(rate, service, share, REQUESTS, seed), *wait_law(rate, service, share, 0.99))
    print(f"\nload {load_of_server}, services {services}, seed {seed}: mean {found[0]:+.2%}, p99 {found[1]:+.2%}")
    assert abs(found[0]) < 0.02
    assert abs(found[1]) < 0.03


@pytest.mark.parametrize("load_of_server", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("slots", [4, 16])
def test_many_servers(load_of_server: float, slots: int) -> None:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    rate = load_of_server * slots
    stays = many_servers_stays(rate, slots, 500.0, 1.0 / 500.0, REQUESTS, seed)
    found = errors(stays, *stay_law(rate, slots, 1.0, 0.99))
    print(f"\nload {load_of_server}, {slots} slots, seed {seed}: mean {found[0]:+.2%}, p99 {found[1]:+.2%}")
    assert abs(found[0]) < 0.02
    assert abs(found[1]) < 0.03


@pytest.fixture(scope="module")
def conversation(tmp_path_factory: pytest.TempPathFactory) -> tuple[Fleet, Workload, float]:
    """One replica of an 8B model under azure-conv at 0.7 of what it carries, and that rate."""
    path = tmp_path_factory.mktemp("bench") / "spec.yaml"
    path.write_text(CONVERSATION, encoding="utf-8")
    spec, snapshot = read_question(path, load())
    found = answer(spec, snapshot)
    assert isinstance(found, Answer)
    found = replace(found, design=replace(found.design, token_budget=8192, max_num_seqs=1024))
    candidate, question = candidates_of(found.problem.physics, found.design), found.problem.question
    least = 0.1
    rate = 0.7 * least / mean_state(candidate, np.array([least]), question).point.load[0]
    return replace(fleet_of(found, 0.0, Router.ROUND_ROBIN), pipelines=1), spec.workload, float(rate)


def test_skipping_against_every_step(conversation: tuple[Fleet, Workload, float]) -> None:
    fleet, workload, rate = conversation
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    requests = draw_requests(workload, rate, 50_000, seed)
    skipped, walked = (
        serve(fleet.steps, fleet.limits, 1, requests, fleet.router, np.inf, skipping=skipping)
        for skipping in (True, False)
    )
    print(f"\nseed {seed}")
    for what, first, second in (
        ("ttft", skipped.first_s - requests.arrival_s, walked.first_s - requests.arrival_s),
        ("e2e", skipped.end_s - requests.arrival_s, walked.end_s - requests.arrival_s),
    ):
        error = np.quantile(first, 0.99) / np.quantile(second, 0.99) - 1.0
        print(f"p99 {what}: skipping {error:+.1e} beside every step")
        assert abs(error) < 0.005


def test_speed(conversation: tuple[Fleet, Workload, float]) -> None:
    fleet, workload, rate = conversation
    requests = draw_requests(workload, rate, 100_000, 1)
    speeds, preemptions = [], 0
    for _ in range(RUNS):
        started = time.process_time()
        preemptions += serve(fleet.steps, fleet.limits, 1, requests, fleet.router, np.inf).preemptions
        speeds.append(len(requests) / (time.process_time() - started))
    print(
        f"\nrequests/s: {', '.join(f'{speed:,.0f}' for speed in speeds)}; median {median(speeds):,.0f}, "
        f"load average {os.getloadavg()[0]:.1f}"
    )
    assert preemptions == 0
    assert median(speeds) >= LEAST_REQUESTS_PER_S
