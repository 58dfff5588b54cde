from collections.abc import Callable

import numpy as np
import pytest

from optimizer.arithmetic.arrays import Floats
from optimizer.calibration.least_absolute import RUN_ERROR, least_absolute


def level(off: list[float]) -> Callable[[Floats, Floats], Floats]:
    """Slopes of a prediction that one factor multiplies."""

    def slopes(logs: Floats, left: Floats) -> Floats:
        assert left.shape == (len(off),)
        return np.ones((len(off), len(logs)))

    return slopes


def fitted(off: list[float], prior: float) -> float:
    """The logarithm of one factor on runs that are off by these logarithms."""
    return float(least_absolute(lambda logs: np.array(off) - logs[0], level(off), np.array([prior]))[0])


def test_one_odd_run_among_many_moves_nothing() -> None:
    assert fitted([0.3, 0.3, 0.3, 0.3, 9.0], 10.0) == pytest.approx(0.3, abs=0.01)


def test_the_prior_holds_what_few_runs_say() -> None:
    # the slope of one run is 1/RUN_ERROR at most
    assert fitted([5.0], 0.2) == pytest.approx(0.2**2 / RUN_ERROR, rel=0.01)
    assert fitted([5.0] * 3, 0.2) == pytest.approx(3.0 * 0.2**2 / RUN_ERROR, rel=0.01)


def test_factors_without_a_prediction_are_never_taken() -> None:
    measured = [1.0] * 4

    def residuals(logs: Floats) -> Floats:
        return np.array(measured) - (logs[0] if logs[0] < 0.6 else np.nan)

    found = least_absolute(residuals, level(measured), np.array([10.0]))
    assert 0.4 < found[0] < 0.6
