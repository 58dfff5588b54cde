"""Whether a correction says something of runs that it was not fitted to: else things stay as they are predicted."""

from __future__ import annotations

import numpy as np

from optimizer.arithmetic.arrays import Floats, Integers

# What a correction must take off the median error of runs left out of its fit.
LEAST_GAIN = 0.1


def parts_in_turn(measured: Floats, uncorrected: Floats, most: int) -> Integers:
    """The part that each run is left out with, (runs,): one each, or at most so many parts.

    Parts take turns along the prediction, so that each has runs of every load, in whatever order they come.
    """
    parts = min(most, len(measured))
    turns: Integers = np.lexsort((measured, uncorrected)).argsort() % parts
    return turns


def holds(measured: Floats, uncorrected: Floats, left_out: Floats) -> bool:
    """Whether runs are met better when left out of a fit than without a correction; logarithms, of one shape.

    A prediction of NaN, which a correction that overloads a run gives, is off without bound.
    """
    return _error(measured, left_out) < (1.0 - LEAST_GAIN) * _error(measured, uncorrected)


def _error(measured: Floats, predicted: Floats) -> float:
    return float(np.median(np.nan_to_num(np.abs(measured - predicted), nan=np.inf)))
