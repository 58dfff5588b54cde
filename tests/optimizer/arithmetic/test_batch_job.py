import numpy as np
import pytest

from optimizer.arithmetic.batch_job import fewest_replicas, job_seconds, job_usd_micro, useful_share

RATES = np.array([0.1, 1.0, 25.0])
DRAINS = np.array([5.0, 60.0, 600.0])


def test_a_job_takes_the_share_of_the_fullest_replica_and_the_drain() -> None:
    # 100 requests on 4 replicas: 25 each and one more at most, at 2 per second, then 10 s of drain
    assert job_seconds(100, 4, np.array([2.0]), np.array([10.0]))[0] == 26 / 2 + 10
    assert job_seconds(100, 4, np.array([0.0]), np.array([10.0]))[0] == np.inf


def test_no_replica_has_more_than_its_assumed_share() -> None:
    for requests in range(1, 60):
        for replicas in range(1, 30):
            assert -(-requests // replicas) <= requests / replicas + 1


def test_more_replicas_end_sooner_and_cost_more() -> None:
    replicas = np.arange(1, 500)[:, None]
    seconds = job_seconds(100_000, replicas, RATES, DRAINS)
    assert (np.diff(seconds, axis=0) < 0.0).all()
    cost = job_usd_micro(2_000_000 * replicas, seconds)
    assert (np.diff(cost, axis=0) > 0).all()


def test_the_fewest_replicas_end_exactly_with_the_window() -> None:
    replicas = fewest_replicas(100_000, 7200.0, RATES, DRAINS)
    assert job_seconds(100_000, replicas, RATES, DRAINS) == pytest.approx(7200.0)
    assert fewest_replicas(10, 60.0, np.array([1.0]), np.array([60.0]))[0] == np.inf
    assert fewest_replicas(10, 60.0, np.array([0.0]), np.array([1.0]))[0] == np.inf


def test_interruptions_take_a_share_that_rises_with_their_rate_and_their_cost() -> None:
    rates = np.array([0.0, 0.05, 1.0, 6.0, 60.0, 1e9]) / 3600
    share = useful_share(rates, 300.0, np.array(30.0))
    assert share[0] == 1.0
    assert share[1] == pytest.approx(1 - 0.05 * 330 / 3600)
    assert (np.diff(share) <= 0.0).all()
    assert share[-1] == 0.0
    assert useful_share(rates, 600.0, np.array(30.0))[2] < share[2]
    assert useful_share(rates, 300.0, np.array(60.0))[2] < share[2]


def test_the_share_is_never_above_that_of_simulated_interruptions() -> None:
    generator = np.random.default_rng(7)
    restart, redone = 400.0, 90.0
    for per_hour in (0.5, 2.0, 8.0):
        up = generator.exponential(3600 / per_hour, 200_000)
        measured = np.maximum(up - redone, 0.0).sum() / (up + restart).sum()
        assert useful_share(per_hour / 3600, restart, np.array(redone)) <= measured


def test_a_job_is_paid_by_the_second_and_rounded_up() -> None:
    assert job_usd_micro(np.array([3_600_000]), np.array([10.0])).tolist() == [10_000]
    assert job_usd_micro(np.array([1]), np.array([1.0])).tolist() == [1]
    assert job_usd_micro(np.array([10**12]), np.array([1e30])).tolist() == [10**18]
