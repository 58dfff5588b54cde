"""Bursts and routing: what replicas get of a fleet's arrivals, and what that does to their requirements."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.evaluate import (
    POISSON,
    FleetArrivals,
    Laws,
    Question,
    ReplicaArrivals,
    StepSpread,
    highest_rate,
    mean_state,
    meets,
    prepare,
    tabulate,
)
from optimizer.traffic.workload_bins import WorkloadBins
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from tests.optimizer.traffic.linear_steps import linear_steps

P99 = LatencyLimit(metric=Metric.TTFT, statistic=Statistic.P99, limit_s=0.4)
QUESTION = Question((P99,), 0.8, 0.0)
BINS = WorkloadBins(
    prompt_tokens=np.array([[200.0, 4000.0]]),
    prompt_share=np.array([0.9, 0.1]),
    prefix_cache_hit=np.zeros((1, 1)),
    output_tokens=np.array([[50.0, 400.0]]),
    output_share=np.array([0.5, 0.5]),
)
PHYSICS = prepare(linear_steps(fixed_s=5e-3, per_sequence_s=4e-5, per_token_s=2e-5), BINS, StepSpread.none(1))
ONE = tabulate(PHYSICS, np.zeros(1, dtype=np.int64), np.array([8192.0]), np.array([1024.0]))


def with_dispersion(dispersion: float) -> Question:
    return replace(QUESTION, arrivals=ReplicaArrivals(dispersion))


def statistic(rate_per_s: float, dispersion: float, metric: Metric, which: Statistic) -> float:
    state = mean_state(ONE, np.array([rate_per_s]), with_dispersion(dispersion))
    return float(Laws(ONE, state).statistic(metric, which)[0])


def test_replicas_get_their_part_of_the_dispersion() -> None:
    fleet = FleetArrivals(rate_per_s=40.0, dispersion=8.0)
    assert fleet.dispersion_at(np.array([40.0, 10.0, 1.0])).tolist() == pytest.approx([8.0, 2.0, 0.2])
    assert fleet.dispersion_at(np.array([80.0])).tolist() == [8.0]  # nobody gets more than all
    assert fleet.among(4).dispersion_at(np.array([10.0, 77.0])).tolist() == [2.0, 2.0]
    assert POISSON.among(4) == POISSON
    assert POISSON.dispersion_at(np.array([3.0])).tolist() == [1.0]


@given(st.floats(0.0, 30.0), st.floats(0.0, 30.0), st.floats(0.5, 6.0))
def test_burstier_arrivals_wait_longer_and_need_more_slots(one: float, other: float, rate: float) -> None:
    less, more = sorted((one, other))
    for metric, which in ((Metric.TTFT, Statistic.MEAN), (Metric.TTFT, Statistic.P99), (Metric.TPOT, Statistic.P99)):
        assert statistic(rate, less, metric, which) <= statistic(rate, more, metric, which) * 1.002
    smooth, bursty = (mean_state(ONE, np.array([rate]), with_dispersion(each)) for each in (less, more))
    assert smooth.sequences_needed[0] <= bursty.sequences_needed[0] * (1.0 + 1e-12)
    assert smooth.point.step_s[0] == bursty.point.step_s[0]


@settings(max_examples=40)
@given(st.floats(1.0, 30.0), st.integers(1, 30))
def test_more_replicas_carry_more_each(dispersion: float, replicas: int) -> None:
    fleet = FleetArrivals(rate_per_s=100.0, dispersion=dispersion)
    few, many = (
        float(highest_rate(ONE, replace(QUESTION, arrivals=fleet.among(each)))[0]) for each in (replicas, replicas + 1)
    )
    assert many >= few * (1.0 - 1e-4)


def test_a_rate_that_one_poisson_replica_carries_is_too_much_in_bursts() -> None:
    rate = highest_rate(ONE, QUESTION) * 0.9
    assert meets(ONE, rate, QUESTION)[0]
    assert not meets(ONE, rate, with_dispersion(8.0))[0]
    assert meets(ONE, rate, with_dispersion(0.25))[0]
