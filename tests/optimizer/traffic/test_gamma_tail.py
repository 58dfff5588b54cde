from math import erfc, exp, sqrt

import numpy as np
import pytest

from optimizer.traffic.gamma_tail import normal_tail, shifted_gamma

ONE = np.ones(1)


def test_the_normal_tail_is_that_of_the_error_function() -> None:
    z = np.linspace(-6.0, 6.0, 201)
    np.testing.assert_allclose(normal_tail(z), [0.5 * erfc(each / sqrt(2.0)) for each in z], atol=1e-7)
    assert normal_tail(np.zeros(1))[0] == pytest.approx(0.5, abs=1e-12)
    assert np.all(np.diff(normal_tail(np.linspace(-1e-3, 1e-3, 1001))) <= 0.0)


@pytest.mark.parametrize("value", [0.5, 1.0, 2.0, 4.0])
def test_a_gamma_law_of_shape_one_is_exponential(value: float) -> None:
    assert shifted_gamma(ONE, ONE, 2.0 * ONE).tail(np.array([value]))[0] == pytest.approx(exp(-value), abs=0.01)


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0, 2.0])
def test_a_law_without_skew_is_normal(value: float) -> None:
    found = shifted_gamma(0.0 * ONE, ONE, 0.0 * ONE).tail(np.array([value]))[0]
    assert found == pytest.approx(0.5 * erfc(value / sqrt(2.0)), abs=1e-3)


def test_a_law_without_chance_is_its_mean() -> None:
    certain = shifted_gamma(2.0 * ONE, 0.0 * ONE, 0.0 * ONE)
    assert certain.tail(np.array([1.9999]))[0] == pytest.approx(1.0)
    assert certain.tail(np.array([2.0001]))[0] == pytest.approx(0.0)
