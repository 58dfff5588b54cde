import numpy as np
import pytest
from numpy.typing import NDArray

from optimizer.arithmetic.step_times import Resource
from optimizer.bottleneck.hypothetical import RESOURCES
from optimizer.bottleneck.inverse_roofline import (
    A_LITTLE_LESS,
    PRECISION,
    Tasks,
    joint_minima,
    least_alone,
    least_multiples,
    minimal_points,
    task_of,
)
from optimizer.evaluate import Question, StepSpread, prepare
from optimizer.search.bounds import Demand
from optimizer.search.columns import Column
from optimizer.traffic.workload_bins import constant_lengths
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from tests.optimizer.traffic.linear_steps import linear_steps

MEMORY, BANDWIDTH, NETWORK, COMPUTE = range(4)
PROMPT, OUTPUT = 1000.0, 200.0
LIMIT_S = 10e-3


def task(*, rate: float, limit_s: float | None = LIMIT_S, load_cap: float = 1.0, **steps: float) -> Tasks:
    bins = constant_lengths(np.array([PROMPT]), np.array([OUTPUT]), np.zeros(1))
    limits = () if limit_s is None else (LatencyLimit(metric=Metric.TPOT, statistic=Statistic.MEAN, limit_s=limit_s),)
    physics = prepare(linear_steps(1, **steps), bins, StepSpread.none(1))
    return Tasks(physics, Question(limits, load_cap, 0.0), 32768.0, np.zeros(1, dtype=np.int64), np.array([rate]))


def just_above(value: float) -> object:
    """What holds and is within the precision of the least value that holds."""
    return pytest.approx(value * PRECISION**0.5, rel=(PRECISION - 1.0) / 2.0 + 1e-4)


def test_least_bandwidth_in_closed_form() -> None:
    """T = a + (b/f)·λ·o·T ≤ L is met from f = b·λ·o/(1 − a/L) on."""
    least = least_alone(task(rate=10.0, fixed_s=5e-3, per_sequence_s=1e-4))
    assert least[BANDWIDTH] == just_above(1e-4 * 10.0 * OUTPUT / (1.0 - 5e-3 / LIMIT_S))


def test_least_network_in_closed_form() -> None:
    """T = a + n/f + b·λ·o·T ≤ L is met from f = n/(L·(1 − b·λ·o) − a) on."""
    steps = {"fixed_s": 3e-3, "network_s": 2e-3, "per_sequence_s": 1e-4}
    least = least_alone(task(rate=10.0, accelerators=2, **steps))
    assert least[NETWORK] == just_above(2e-3 / (LIMIT_S * (1.0 - 1e-4 * 10.0 * OUTPUT) - 3e-3))


def test_least_compute_in_closed_form() -> None:
    """The queue of prompts at its cap: λ·Δ/f ≤ cap."""
    delta = 1e-5 * PROMPT
    least = least_alone(task(rate=20.0, limit_s=None, load_cap=0.8, fixed_s=1e-5, per_token_s=1e-5))
    assert least[COMPUTE] == just_above(20.0 * delta / 0.8)


def test_least_memory_is_where_the_cache_is_full() -> None:
    least = least_alone(task(rate=10.0, limit_s=None, fixed_s=5e-3, per_sequence_s=1e-6, kv_capacity_tokens=5e6))
    whole = task(rate=10.0, limit_s=None, fixed_s=5e-3, per_sequence_s=1e-6, kv_capacity_tokens=5e6 * least[MEMORY])
    full = task(rate=10.0, limit_s=None, fixed_s=5e-3, per_sequence_s=1e-6, kv_capacity_tokens=4.95e6 * least[MEMORY])
    assert least[MEMORY] < 0.1
    assert whole.hold(np.ones((1, 4)))[0]
    assert not full.hold(np.ones((1, 4)))[0]


@pytest.mark.parametrize(("accelerators", "used"), [(1, False), (2, True)])
def test_one_accelerator_per_replica_uses_no_links(accelerators: int, *, used: bool) -> None:
    least = least_alone(task(rate=10.0, accelerators=accelerators, fixed_s=3e-3, network_s=1e-3, per_sequence_s=1e-4))
    assert np.isnan(least[NETWORK]) != used
    assert not np.isnan(np.delete(least, NETWORK)).any()


REAL = {
    "fixed_s": 1e-3,
    "network_s": 2e-3,
    "per_sequence_s": 4e-4,
    "per_token_s": 2e-6,
    "kv_capacity_tokens": 1e5,
    "accelerators": 2,
}


def holds_and_no_less_does(one: Tasks, point: NDArray[np.float64]) -> bool:
    less = np.repeat(point[None, :], 4, axis=0)
    less[np.arange(4), np.arange(4)] *= A_LITTLE_LESS
    many = one.take(np.zeros(5, dtype=np.int64))
    return many.hold(np.concatenate([point[None, :], less])).tolist() == [True, False, False, False, False]


def test_joint_points_are_minimal_and_one_number_of_each_is_as_low_as_alone() -> None:
    one = task(rate=8.0, **REAL)
    alone = least_alone(one)
    minima = joint_minima(one)
    assert [minimum.least for minimum in minima] == [None, *RESOURCES][: len(minima)]
    assert len(minima) == 5
    for minimum in minima:
        assert holds_and_no_less_does(one, minimum.point)
        if minimum.least is not None:
            number = RESOURCES.index(minimum.least)
            assert minimum.point[number] == pytest.approx(alone[number], rel=PRECISION - 1.0)


def test_the_balanced_point_in_closed_form() -> None:
    """Bandwidth and network fill the same share of the step, so they shrink alike: L = a + (n + b·λ·o·L)/s."""
    rate, a, n = 10.0, 1e-3, 4e-3
    b = n / (rate * OUTPUT * LIMIT_S)
    minima = joint_minima(task(rate=rate, fixed_s=a, network_s=n, per_sequence_s=b, accelerators=2))
    expected = 2.0 * n / (LIMIT_S - a)
    assert minima[0].least is None
    np.testing.assert_allclose(minima[0].point[[BANDWIDTH, NETWORK]], expected, rtol=0.01)


def test_points_that_coincide_are_one() -> None:
    """Only the network matters to a step without any other cost, and links are not used: nothing is left to trade."""
    minima = joint_minima(task(rate=10.0, fixed_s=3e-3, per_sequence_s=1e-4))
    points = np.stack([minimum.point for minimum in minima])
    for row in range(len(points)):
        for other in range(row):
            assert not np.allclose(points[row], points[other], rtol=1e-3)


def test_many_tasks_at_once_are_as_one_by_one() -> None:
    one = task(rate=8.0, **REAL)
    starts = np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 0.95, 1.0, 1.0], [0.9, 1.0, 1.0, 0.9]])
    together = minimal_points(one.take(np.zeros(3, dtype=np.int64)), starts)
    for start, point in zip(starts, together, strict=True):
        np.testing.assert_allclose(minimal_points(one, start[None, :])[0], point, rtol=1e-12)
        assert np.all(point <= start)


def test_a_common_multiple_shrinks_what_it_is_told_to() -> None:
    """Bandwidth and network together against one of them."""
    one = task(rate=8.0, **REAL)
    two = one.take(np.zeros(2, dtype=np.int64))
    shrunk = np.array([[False, True, True, False], [False, True, False, False]])
    both, single = least_multiples(two, np.ones((2, 4)), shrunk)
    assert single < both < 1.0
    points = np.where(shrunk, np.array([[both], [single]]), 1.0)
    assert two.hold(points).all()
    assert not two.hold(np.where(shrunk, points * A_LITTLE_LESS, points)).any()


def test_the_task_of_a_design_is_what_a_working_replica_carries() -> None:
    chosen = Column(
        placement=0, offer=0, key=0, token_budget=4096, max_num_seqs=8, units=3, replicas=6, instances=3,
        accelerators=12, usd_micro_per_hour=1, largest_ratio=0.5,
    )  # fmt: skip
    known = task(rate=1.0, **REAL)
    found = task_of(known.physics, known.question, Demand(10.0, 2, None, None), chosen)
    assert (found.keys.tolist(), found.rate_per_s.tolist(), found.token_budget) == ([0], [2.5], 4096)


def test_resources_are_in_the_order_of_the_numbers() -> None:
    assert [RESOURCES[index] for index in (MEMORY, BANDWIDTH, NETWORK, COMPUTE)] == [
        Resource.MEMORY_CAPACITY,
        Resource.MEMORY_BANDWIDTH,
        Resource.NETWORK,
        Resource.COMPUTE,
    ]
