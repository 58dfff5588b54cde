"""Whether a correction says something of runs that it was not fitted to: else things stay as they are predicted."""

from __future__ import annotations

import numpy as np

from optimizer.arithmetic.arrays import Floats

# What a correction must take off the median error of runs left out of its fit.
LEAST_GAIN = 0.1


def holds(measured: Floats, uncorrected: Floats, left_out: Floats) -> bool:
    """Whether runs are met better when left out of a fit than without a correction; logarithms, of one shape.

    A prediction of NaN, which a correction that overloads a run gives, is off without bound.
    """
    return _error(measured, left_out) < (1.0 - LEAST_GAIN) * _error(measured, uncorrected)


def _error(measured: Floats, predicted: Floats) -> float:
    return float(np.median(np.nan_to_num(np.abs(measured - predicted), nan=np.inf)))
