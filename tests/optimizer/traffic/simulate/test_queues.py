"""The simulator against queues with a known law; tests/bench/test_simulator.py has a million requests."""

import numpy as np
import pytest

from tests.optimizer.traffic.simulate.queues import errors, many_servers_stays, one_server_waits, stay_law, wait_law

REQUESTS = 150_000
# The bar at a million requests is 2 % and 3 %; the error of a mean grows with the root of what is missing.
MEAN_TOLERANCE, P99_TOLERANCE = 0.05, 0.08


@pytest.mark.parametrize("load", [0.3, 0.7])
@pytest.mark.parametrize(
    ("services", "shares"),
    [([1.0], [1.0]), ([0.5, 1.0, 4.0], [0.6, 0.3, 0.1])],
    ids=["M/D/1", "M/G/1"],
)
def test_one_slot_is_a_single_server(load: float, services: list[float], shares: list[float]) -> None:
    service, share = np.array(services), np.array(shares)
    rate = load / float((service * share).sum())
    waits = one_server_waits(rate, service, share, REQUESTS, seed=11)
    mean_error, p99_error = errors(waits, *wait_law(rate, service, share, 0.99))
    assert abs(mean_error) < MEAN_TOLERANCE
    assert abs(p99_error) < P99_TOLERANCE


@pytest.mark.parametrize(("load", "slots"), [(0.3, 4), (0.7, 4), (0.7, 16)])
def test_slots_with_geometric_answers_are_that_many_servers(load: float, slots: int) -> None:
    rate = load * slots
    stays = many_servers_stays(rate, slots, mean_output=500.0, step_s=1.0 / 500.0, count=REQUESTS // 3, seed=12)
    mean_error, p99_error = errors(stays, *stay_law(rate, slots, 1.0, 0.99))
    assert abs(mean_error) < MEAN_TOLERANCE
    assert abs(p99_error) < P99_TOLERANCE


def test_the_laws_know_a_case_by_heart() -> None:
    mean, _ = wait_law(0.5, np.array([1.0]), np.array([1.0]), 0.99)
    assert mean == pytest.approx(0.5)
    # A single server stays exponentially long: mean 1/(1 − ρ), and ln 100 of them at the 99th percentile.
    assert stay_law(0.5, 1, 1.0, 0.99) == pytest.approx((2.0, 2.0 * np.log(100.0)))
