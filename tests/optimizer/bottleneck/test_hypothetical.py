import numpy as np
import pytest

from optimizer.arithmetic.step_times import Resource
from optimizer.bottleneck.hypothetical import FAMILY, RESOURCES, one_at_a_time, with_resources
from optimizer.evaluate import StepSpread, prepare
from optimizer.traffic.workload_bins import constant_lengths
from tests.optimizer.traffic.linear_steps import linear_steps

STEPS = {"fixed_s": 1e-3, "network_s": 2e-3, "per_sequence_s": 4e-3, "per_token_s": 8e-6, "kv_capacity_tokens": 5e4}


def test_every_resource_has_its_family_in_the_order_of_families() -> None:
    assert [FAMILY[resource] for resource in RESOURCES] == [
        "memory-capacity",
        "memory-bandwidth",
        "network",
        "compute",
    ]
    assert set(RESOURCES) == set(Resource)


def test_the_part_itself_then_one_resource_at_a_time() -> None:
    np.testing.assert_array_equal(
        one_at_a_time(1.1),
        [[1, 1, 1, 1], [1.1, 1, 1, 1], [1, 1.1, 1, 1], [1, 1, 1.1, 1], [1, 1, 1, 1.1]],
    )


def test_copies_differ_in_one_resource() -> None:
    """Twice the bandwidth halves decoding, twice the network its term, twice the compute prompts; launches stay."""
    bins = constant_lengths(np.array([1000.0]), np.array([100.0]), np.zeros(1))
    physics = prepare(linear_steps(2, **STEPS), bins, StepSpread.alike(np.array([0.1, 0.2])))
    copies = with_resources(physics, 1, one_at_a_time(2.0), 4096.0, 64.0)
    np.testing.assert_allclose(copies.physics.tables.decode_s[:, 1], [7e-3, 7e-3, 5e-3, 6e-3, 7e-3])
    np.testing.assert_allclose(copies.hold_s[:, 0, 0], [15e-3, 15e-3, 13e-3, 14e-3, 11e-3])
    np.testing.assert_allclose(copies.physics.step_times.kv_capacity_tokens, [5e4, 1e5, 5e4, 5e4, 5e4])
    assert set(copies.physics.spread.slower) == {0.2}
    assert set(copies.max_num_seqs) == {64.0}
    assert set(copies.token_budget) == {4096.0}


def test_more_of_everything_at_once() -> None:
    bins = constant_lengths(np.array([1000.0]), np.array([100.0]), np.zeros(1))
    physics = prepare(linear_steps(1, **STEPS), bins, StepSpread.none(1))
    copies = with_resources(physics, 0, np.full((1, 4), 1e9), 4096.0, 64.0)
    assert copies.physics.tables.decode_s[0, -1] == pytest.approx(1e-3, rel=1e-3)
