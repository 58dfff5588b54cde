import numpy as np
import pytest

from optimizer.traffic.percentiles import TPOT_TAIL_FACTOR, decoding_s, tpot_factor
from requirements_specs.requirement import Statistic


def test_tail_percentiles_of_tpot_are_a_tenth_above_the_mean_step() -> None:
    assert TPOT_TAIL_FACTOR == 1.10
    assert {statistic: tpot_factor(statistic) for statistic in Statistic} == {
        Statistic.MEAN: 1.0,
        Statistic.P50: 1.0,
        Statistic.P90: 1.1,
        Statistic.P95: 1.1,
        Statistic.P99: 1.1,
    }


@pytest.mark.parametrize(("statistic", "factor"), [(Statistic.MEAN, 1.0), (Statistic.P50, 1.0), (Statistic.P99, 1.1)])
def test_decoding_has_one_step_fewer_than_tokens(statistic: Statistic, factor: float) -> None:
    step, output = np.array([0.02, 0.02, 0.03]), np.array([1.0, 101.0, 0.5])
    np.testing.assert_allclose(decoding_s(step, output, statistic), [0.0, 2.0 * factor, 0.0])
