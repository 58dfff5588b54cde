import numpy as np

from optimizer.calibration.left_out import holds, parts_in_turn

MEASURED = np.zeros(5)


def test_a_tenth_of_the_median_error_must_go() -> None:
    uncorrected = np.array([0.5, 0.2, -0.2, 0.2, -0.1])
    assert holds(MEASURED, uncorrected, 0.8 * uncorrected)
    assert not holds(MEASURED, uncorrected, 0.95 * uncorrected)
    assert not holds(MEASURED, MEASURED, MEASURED)


def test_a_run_that_a_correction_overloads_is_off_without_bound() -> None:
    uncorrected = np.full(5, 0.3)
    assert holds(MEASURED, uncorrected, np.array([0.1, 0.1, 0.1, np.nan, np.nan]))
    assert not holds(MEASURED, uncorrected, np.array([0.1, 0.1, np.nan, np.nan, np.nan]))


def test_parts_take_turns_along_the_prediction_in_whatever_order_runs_come() -> None:
    predicted = np.array([5.0, 1.0, 4.0, 2.0, 3.0, 6.0])
    assert parts_in_turn(predicted, predicted, 2).tolist() == [0, 0, 1, 1, 0, 1]
    shuffled = np.array([3, 0, 5, 1, 4, 2])
    again = parts_in_turn(predicted[shuffled], predicted[shuffled], 2)
    assert again.tolist() == parts_in_turn(predicted, predicted, 2)[shuffled].tolist()
    assert sorted(parts_in_turn(predicted, predicted, 10).tolist()) == [0, 1, 2, 3, 4, 5]
