"""Several tokens a step: requests are shorter in steps, and as long in memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.traffic.speculative_bins import in_steps
from optimizer.traffic.workload_bins import WorkloadBins

OUTPUTS = st.lists(st.floats(1.0, 5000.0), min_size=1, max_size=6)


def workload(outputs: list[float]) -> WorkloadBins:
    share = np.full(len(outputs), 1.0 / len(outputs))
    return WorkloadBins(np.array([[300.0, 900.0]]), np.array([0.5, 0.5]), np.zeros((1, 1)), np.array([outputs]), share)


@given(OUTPUTS, st.floats(1.0, 20.0))
def test_memory_is_of_tokens_and_time_of_steps(outputs: list[float], tokens_per_step: float) -> None:
    bins = workload(outputs)
    steps = in_steps(bins, tokens_per_step)
    assert steps.output_tokens - 1.0 == pytest.approx((bins.output_tokens - 1.0) / tokens_per_step)
    assert steps.mean_output[0] - 1.0 == pytest.approx((bins.mean_output[0] - 1.0) / tokens_per_step)
    assert np.array_equal(steps.new_tokens, bins.new_tokens)
    for name in ("mean_context", "context_deviation", "mean_reserved", "reserved_deviation", "longest_request"):
        assert np.array_equal(getattr(steps, name), getattr(bins, name))


@given(OUTPUTS)
def test_one_token_a_step_is_the_workload(outputs: list[float]) -> None:
    bins = workload(outputs)
    assert np.allclose(in_steps(bins, 1.0).output_tokens, bins.output_tokens)
