"""How far the step times of keys may lie from what is predicted, towards slower steps and towards faster ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class StepSpread:
    """Standard deviations of the logarithm of a step time over its prediction, (K,): of each half by itself.

    Where predictions of an engine were found to be too slow, steps may be much faster and hardly slower.
    """

    slower: Floats
    faster: Floats

    @classmethod
    def alike(cls, deviations: Floats) -> StepSpread:
        """The same in both directions."""
        return cls(deviations, deviations)

    @classmethod
    def none(cls, count: int) -> StepSpread:
        """Of `count` keys whose prediction is taken for granted."""
        return cls.alike(np.zeros(count))

    def __len__(self) -> int:
        """Number of keys."""
        return len(self.slower)

    def take(self, keys: Integers) -> StepSpread:
        """Those of the given keys."""
        return StepSpread(self.slower[keys], self.faster[keys])

    def factor(self, deviations: float) -> Floats:
        """Factor on the steps so many deviations away from the prediction, (K,): above 1 for more than none."""
        factors: Floats = np.exp((self.slower if deviations > 0.0 else self.faster) * deviations)
        return factors
