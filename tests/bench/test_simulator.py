"""The simulator against theory at a million requests, seeds drawn at run time, and its speed; figures are printed."""

import time
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from catalog.read import load
from optimizer.additions import read_question
from optimizer.answers import Answer
from optimizer.simulation import fleet_of
from optimizer.solve import answer
from optimizer.traffic.simulate import Router, draw_requests, serve
from tests.optimizer.traffic.simulate.queues import errors, many_servers_stays, one_server_waits, stay_law, wait_law

pytestmark = pytest.mark.bench
EXAMPLE = Path(__file__).parents[2] / "examples" / "chat_70b.yaml"
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


def test_speed_on_a_design() -> None:
    spec, snapshot = read_question(EXAMPLE, load())
    found = answer(spec, snapshot)
    assert isinstance(found, Answer)
    fleet = fleet_of(found, 0.0, Router.ROUND_ROBIN)
    requests = draw_requests(spec.workload, found.problem.demand.rate_per_s, 100_000, 1)
    speeds = []
    for _ in range(RUNS):
        started = time.process_time()
        serve(fleet.steps, fleet.limits, fleet.pipelines, requests, fleet.router, np.inf)
        speeds.append(len(requests) / (time.process_time() - started))
    print(f"\nrequests/s: {', '.join(f'{speed:,.0f}' for speed in speeds)}")
    assert median(speeds) >= LEAST_REQUESTS_PER_S
