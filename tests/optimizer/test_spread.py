import numpy as np
import pytest

from optimizer.evaluate import StepSpread

SPREAD = StepSpread(slower=np.array([0.1, 0.2]), faster=np.array([0.5, 0.3]))


def test_each_side_has_its_own_factor_and_both_meet_at_the_prediction() -> None:
    assert SPREAD.factor(0.0) == pytest.approx([1.0, 1.0])
    assert SPREAD.factor(2.0) == pytest.approx(np.exp([0.2, 0.4]))
    assert SPREAD.factor(-2.0) == pytest.approx(np.exp([-1.0, -0.6]))
    factors = [SPREAD.factor(deviations) for deviations in np.linspace(-3.0, 3.0, 61)]
    assert np.all(np.diff(factors, axis=0) > 0.0)


def test_keys_are_taken_in_any_order() -> None:
    taken = SPREAD.take(np.array([1, 1, 0]))
    assert len(taken) == 3
    assert taken.slower.tolist() == [0.2, 0.2, 0.1]
    assert taken.faster.tolist() == [0.3, 0.3, 0.5]


def test_no_spread_is_the_prediction_in_every_scenario() -> None:
    assert StepSpread.none(2).factor(-1.6).tolist() == StepSpread.none(2).factor(3.0).tolist() == [1.0, 1.0]
