"""Tails of gamma laws that are shifted to a mean, a variance and a third cumulant.

The tail is Wilson and Hilferty's (1931): of a gamma variable the cube root is nearly normal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# What can be computed: a law without chance, relative to its mean; one that is symmetric, and one too rare to matter.
_LEAST_DEVIATION = 1e-6
_SKEWNESS = (1e-3, 1e3)
_LEAST_MEAN = 1e-30
_SERIES_AT_ZERO = 0.319381530 - 0.356563782 + 1.781477937 - 1.821255978 + 1.330274429


@dataclass(frozen=True)
class ShiftedGamma:
    """Laws of any shape; mean and `deviations`, the deviation times the root of the gamma law's shape, in one unit."""

    mean: Floats
    deviations: Floats
    root_shape: Floats

    def tail(self, values: Floats) -> Floats:
        """P(X > value), for values that go with the laws by broadcasting; non-increasing in the value."""
        place = np.maximum(1.0 + (values - self.mean) / self.deviations, 0.0)
        normal = 3.0 * self.root_shape * (np.cbrt(place) - 1.0) + 1.0 / (3.0 * self.root_shape)
        tail: Floats = np.where(place > 0.0, normal_tail(normal), 1.0)
        return tail


def shifted_gamma(mean: Floats, variance: Floats, third: Floats) -> ShiftedGamma:
    """The laws of these cumulants, each of one shape; mean ≥ 0."""
    deviation = np.maximum(np.sqrt(variance), _LEAST_DEVIATION * np.maximum(mean, _LEAST_MEAN))
    root_shape = 2.0 / np.clip(third / (deviation * deviation * deviation), *_SKEWNESS)
    return ShiftedGamma(mean, deviation * root_shape, root_shape)


def normal_tail(z: Floats) -> Floats:
    """P(Z > z) of a standard normal law, within 7.5·10⁻⁸ (Abramowitz and Stegun, 26.2.17)."""
    distance = np.minimum(np.abs(z), 38.0)
    t = 1.0 / (1.0 + 0.2316419 * distance)
    series = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    # Scaled by the series at 0, the tail is one half there and has no step.
    tail = np.exp(-0.5 * distance * distance) * series / (2.0 * _SERIES_AT_ZERO)
    either: Floats = np.where(z >= 0.0, tail, 1.0 - tail)
    return either
