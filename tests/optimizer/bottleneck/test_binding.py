from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from catalog.read import Snapshot
from catalog.walls import WallFamily
from optimizer.answers import Answer
from optimizer.bottleneck.binding import Binding, binding_wall, fixed_share, latency_ratios, resources_that_bind
from optimizer.evaluate import Question, StepSpread, prepare, tabulate
from optimizer.search.bounds import Demand
from optimizer.search.columns import Column
from optimizer.solve import answer
from optimizer.traffic.workload_bins import constant_lengths
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from requirements_specs.serving import ServingSpec
from tests.optimizer.traffic.linear_steps import linear_steps

CAPACITY, BANDWIDTH, NETWORK = WallFamily.MEMORY_CAPACITY, WallFamily.MEMORY_BANDWIDTH, WallFamily.NETWORK
COMPUTE, DOLLARS, FLOOR = WallFamily.COMPUTE, WallFamily.DOLLARS, WallFamily.LATENCY_FLOOR

PROMPT, OUTPUT = 1000.0, 200.0


@pytest.mark.parametrize(
    ("gains", "binding"),
    [
        ({CAPACITY: 0.0, BANDWIDTH: 0.06, NETWORK: 0.01, COMPUTE: 0.02}, (BANDWIDTH,)),
        ({CAPACITY: 0.0, BANDWIDTH: 0.06, NETWORK: 0.01, COMPUTE: 0.055}, (BANDWIDTH, COMPUTE)),
        ({CAPACITY: 0.0, BANDWIDTH: 0.0545, NETWORK: 0.01, COMPUTE: 0.06}, (BANDWIDTH, COMPUTE)),
        ({CAPACITY: 0.0, BANDWIDTH: 0.0535, NETWORK: 0.01, COMPUTE: 0.06}, (COMPUTE,)),
        ({CAPACITY: 0.1, BANDWIDTH: 0.1, NETWORK: 0.1, COMPUTE: 0.1}, (CAPACITY, BANDWIDTH, NETWORK, COMPUTE)),
        ({CAPACITY: 0.0, BANDWIDTH: 9e-4, NETWORK: 0.0, COMPUTE: 0.0}, ()),
        ({CAPACITY: 0.0, BANDWIDTH: 1.1e-3, NETWORK: 0.0, COMPUTE: 0.0}, (BANDWIDTH,)),
        ({CAPACITY: -0.02, BANDWIDTH: -0.01, NETWORK: 0.0, COMPUTE: 0.0}, ()),
    ],
)
def test_all_within_a_tenth_of_the_largest_gain_bind(
    gains: dict[WallFamily, float], binding: tuple[WallFamily, ...]
) -> None:
    assert resources_that_bind(gains) == binding


def column(units: int = 2, replicas: int = 2) -> Column:
    return Column(
        placement=0,
        offer=0,
        key=0,
        token_budget=32768,
        max_num_seqs=1024,
        units=units,
        replicas=replicas,
        instances=units,
        accelerators=units,
        usd_micro_per_hour=units,
        largest_ratio=0.5,
    )


def bound_by(
    limits: tuple[LatencyLimit, ...],
    *,
    load_cap: float = 1.0,
    rate: float = 1e-3,
    chosen: Column | None = None,
    spares: int = 0,
    **steps: float,
) -> Binding:
    bins = constant_lengths(np.array([PROMPT]), np.array([OUTPUT]), np.zeros(1))
    physics = prepare(linear_steps(1, **steps), bins, StepSpread.none(1))
    return binding_wall(physics, Question(limits, load_cap, 0.0), Demand(rate, spares, None, None), chosen or column())


def tpot(limit_s: float) -> tuple[LatencyLimit, ...]:
    return (LatencyLimit(metric=Metric.TPOT, statistic=Statistic.MEAN, limit_s=limit_s),)


def test_memory_bandwidth_in_closed_form() -> None:
    """Only decoding: T = a + b·N ≤ L leaves λ* = (L − a)/b/(o·L); b/1.1 is a tenth more."""
    found = bound_by(tpot(10e-3), fixed_s=5e-3, per_sequence_s=4e-5)
    assert (found.wall, found.also) == (BANDWIDTH, ())
    assert found.highest_rate_per_s == pytest.approx((10e-3 - 5e-3) / 4e-5 / (OUTPUT * 10e-3), rel=1e-4)
    assert found.gains[BANDWIDTH] == pytest.approx(0.1, abs=1e-3)
    assert [found.gains[each] for each in (CAPACITY, NETWORK, COMPUTE)] == pytest.approx([0.0, 0.0, 0.0], abs=1e-4)


def test_network_in_closed_form() -> None:
    """a holds 4 ms of transfers: λ* grows with L − a; the quarter millisecond of decoding gives less."""
    found = bound_by(tpot(6e-3), fixed_s=1e-3, network_s=4e-3, per_sequence_s=1e-5)
    assert (found.wall, found.also) == (NETWORK, ())
    assert found.gains[NETWORK] == pytest.approx((6e-3 - 1e-3 - 4e-3 / 1.1) / (6e-3 - 5e-3) - 1.0, abs=2e-3)
    assert found.gains[BANDWIDTH] == pytest.approx(0.1, abs=1e-3)


def test_compute_in_closed_form() -> None:
    """The queue of prompts at its cap: λ* = cap/Δ."""
    found = bound_by((), load_cap=0.8, fixed_s=1e-5, per_token_s=1e-5)
    assert (found.wall, found.also) == (COMPUTE, ())
    assert found.gains[COMPUTE] == pytest.approx(0.1, abs=2e-3)


def test_memory_capacity_when_the_kv_cache_is_full() -> None:
    found = bound_by((), fixed_s=5e-3, per_sequence_s=1e-6, kv_capacity_tokens=50_000.0)
    assert (found.wall, found.also) == (CAPACITY, ())
    # spread matters less beside more sequences, so a tenth more tokens carry more than a tenth more requests
    assert 0.1 < found.gains[CAPACITY] < 0.2


def test_the_latency_floor_where_fixed_time_fills_most_of_the_limit() -> None:
    """Slots, which are no resource, end the rate: 6 ms of launches in a limit of 10."""
    found = bound_by(tpot(10e-3), fixed_s=6e-3)
    assert (found.wall, found.also) == (FLOOR, ())
    assert max(found.gains.values()) < 1e-3


def test_dollars_where_nothing_helps_and_the_limit_is_far() -> None:
    found = bound_by(tpot(13e-3), fixed_s=6e-3)
    assert (found.wall, found.also) == (DOLLARS, ())


@pytest.mark.parametrize(
    ("units", "replicas", "spares", "share", "dollars"),
    [
        (1, 1, 0, 0.90, True),
        (1, 1, 0, 0.92, False),  # 1/0.92 < 1.1
        (2, 2, 0, 0.45, False),  # a smaller design could be rented
        (1, 8, 0, 7.2, True),
        (1, 8, 2, 5.4, True),
        (1, 8, 2, 5.6, False),
    ],
)
def test_dollars_are_the_headline_of_the_smallest_design_with_a_tenth_to_spare(
    units: int, replicas: int, spares: int, share: float, *, dollars: bool
) -> None:
    highest = (10e-3 - 5e-3) / 4e-5 / (OUTPUT * 10e-3)
    found = bound_by(
        tpot(10e-3),
        rate=highest * share,
        chosen=column(units, replicas),
        spares=spares,
        fixed_s=5e-3,
        per_sequence_s=4e-5,
    )
    assert (found.wall, found.also) == ((DOLLARS, (BANDWIDTH,)) if dollars else (BANDWIDTH, ()))


def test_fixed_share_is_what_boundless_resources_leave() -> None:
    """1 ms of launches of a 10 ms step limit; host time and a step of a 100 ms first-token limit."""
    bins = constant_lengths(np.array([PROMPT]), np.array([OUTPUT]), np.zeros(1))
    steps = linear_steps(1, fixed_s=1e-3, network_s=3e-3, per_sequence_s=5e-3, per_token_s=1e-5, host_s=57e-3)
    physics = prepare(steps, bins, StepSpread.none(1))
    question = Question(tpot(10e-3), 1.0, 0.0)
    assert fixed_share(physics, question, column()) == pytest.approx(0.1, rel=1e-3)
    ttft = (LatencyLimit(metric=Metric.TTFT, statistic=Statistic.MEAN, limit_s=100e-3),)
    both = replace(question, limits=question.limits + ttft)
    # 57 ms of host time, half a step met and the own step
    assert fixed_share(physics, both, column()) == pytest.approx(0.585, rel=1e-3)


def test_ratios_of_one_request_at_a_time() -> None:
    bins = constant_lengths(np.array([PROMPT]), np.array([OUTPUT]), np.zeros(1))
    physics = prepare(linear_steps(1, fixed_s=4e-3, per_sequence_s=1e-3, per_token_s=1e-5), bins, StepSpread.none(1))
    candidates = tabulate(physics, np.zeros(1, dtype=np.int64), np.array([32768.0]), np.array([1024.0]))
    limits = (
        LatencyLimit(metric=Metric.TPOT, statistic=Statistic.P99, limit_s=10e-3),
        LatencyLimit(metric=Metric.TTFT, statistic=Statistic.MEAN, limit_s=35e-3),
        LatencyLimit(metric=Metric.E2E, statistic=Statistic.MEAN, limit_s=2.0),
    )
    ratios = latency_ratios(candidates, Question(limits, 0.8, 0.0))
    ttft = 1.5 * 5e-3 + 10e-3
    np.testing.assert_allclose(ratios, [[0.5, ttft / 35e-3, (ttft + 199.0 * 5e-3) / 2.0]], rtol=1e-4)
    assert latency_ratios(candidates, Question((), 0.8, 0.0)).shape == (1, 0)


SpecOf = Callable[..., ServingSpec]


def answered(spec: ServingSpec, snapshot: Snapshot) -> Answer:
    found = answer(spec, snapshot)
    assert isinstance(found, Answer)
    return found


def test_a_tight_step_limit_binds_real_bandwidth(snapshot: Snapshot, spec_of: SpecOf) -> None:
    limit = LatencyLimit(metric=Metric.TPOT, statistic=Statistic.P99, limit_s=0.013)
    assert answered(spec_of(rate=50.0, slo=[limit]), snapshot).binding.wall is BANDWIDTH


def test_long_prompts_bind_real_compute(snapshot: Snapshot, spec_of: SpecOf) -> None:
    limit = LatencyLimit(metric=Metric.TTFT, statistic=Statistic.P99, limit_s=1.0)
    spec = spec_of(rate=50.0, prompt=4000.0, output=50.0, slo=[limit])
    assert answered(spec, snapshot).binding.wall is COMPUTE


def test_eight_ranks_over_pcie_bind_on_the_network(snapshot: Snapshot, spec_of: SpecOf) -> None:
    limit = LatencyLimit(metric=Metric.TTFT, statistic=Statistic.P99, limit_s=20.0)
    spec = spec_of(model="llama-3.1-70b", part="l40s-48gb", tp=8, rate=5.0, prompt=2000.0, slo=[limit], risk=0.5)
    assert answered(spec, snapshot).binding.wall is NETWORK


def test_a_trickle_binds_on_dollars(snapshot: Snapshot, spec_of: SpecOf) -> None:
    found = answered(spec_of(rate=0.5), snapshot)
    assert found.binding.wall is DOLLARS
    assert found.design.accelerators == 1


def test_gains_are_those_of_a_second_evaluation(snapshot: Snapshot, spec_of: SpecOf) -> None:
    """A catalog in which the part has a tenth more bandwidth carries what the binding wall promised.

    On one replica in both: of more, each would get smoother arrivals.
    """
    limit = LatencyLimit(metric=Metric.TPOT, statistic=Statistic.P99, limit_s=0.013)
    spec = spec_of(rate=5.0, slo=[limit])
    before = answered(spec, snapshot).binding
    part = snapshot.accelerators["h100-sxm-80gb"]
    faster = part.model_copy(update={"memory_bandwidth_bytes_per_s": part.memory_bandwidth_bytes_per_s * 1.1})
    changed = snapshot.model_copy(update={"accelerators": {**snapshot.accelerators, part.id: faster}})
    after = answered(spec, changed).binding
    expected = before.highest_rate_per_s * (1.0 + before.gains[BANDWIDTH])
    assert after.highest_rate_per_s == pytest.approx(expected, rel=1e-3)
