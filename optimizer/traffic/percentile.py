"""Percentiles of laws that are known by their exceedance.

A percentile is found on a grid, as the first place whose exceedance is small enough, so that it is one number however
it is sought: alone or among others, from near or from far.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Intervals of the grid: of a support of minutes they are nanoseconds.
_GRID = 2.0**36
# The logarithm of no exceedance is that of this one.
_LEAST_EXCEEDANCE = 1e-30


def percentile(exceedance: Callable[[Floats], Floats], probability: float, least: Floats, most: Floats) -> Floats:
    """Smallest value on a grid over [least, most] that at most 1 − probability exceed, (R,); `most` if none below is.

    The search is Chandrupatla's (1997), on the logarithm of the exceedance: inverse quadratic interpolation where the
    last three places allow it, halving elsewhere.

    Args:
        exceedance: P(X > value), (R,), of values (R,); non-increasing in each.
        probability: of the percentile, above 0 and below 1.
        least: of the values, (R,).
        most: of the values, (R,).

    """
    allowed = 1.0 - probability
    spacing = (most - least) / _GRID

    def excess(place: Floats) -> Floats:
        """Positive where too many exceed the value at a place; places are whole numbers on the grid."""
        beyond: Floats = np.log(np.maximum(exceedance(least + spacing * place), _LEAST_EXCEEDANCE) / allowed)
        return beyond

    # Laws often begin or end with a jump: whether the percentile is there is seen first.
    first, last_but_one = np.zeros(len(most)), np.full(len(most), _GRID - 1.0)
    at_first, at_last_but_one = excess(first), excess(last_but_one)
    ends_below = at_last_but_one <= 0.0
    near, at_near = np.where(at_first > 0.0, last_but_one, first), at_last_but_one
    far, at_far = np.where((at_first > 0.0) & ~ends_below, last_but_one + 1.0, first), at_first
    part = np.full(len(most), 0.5)
    while ((width := np.abs(far - near)) > 1.0).any():
        step = np.clip(np.rint(part * width), np.minimum(1.0, width), np.maximum(width - 1.0, 0.0))
        place = near + np.where(far > near, step, -step)
        at_place = excess(place)
        same_side = (at_place > 0.0) == (at_near > 0.0)
        left, at_left = np.where(same_side, near, far), np.where(same_side, at_near, at_far)
        far, at_far = np.where(same_side, far, near), np.where(same_side, at_far, at_near)
        near, at_near = place, at_place
        part = _next_part((near, far, left), (at_near, at_far, at_left))
    found: Floats = np.minimum(least + spacing * np.maximum(near, far), most)
    return found


def _next_part(places: tuple[Floats, Floats, Floats], excesses: tuple[Floats, Floats, Floats]) -> Floats:
    """Part of the way from the first place to the second at which to look next, (R,)."""
    (a, b, c), (at_a, at_b, at_c) = places, excesses
    with np.errstate(divide="ignore", invalid="ignore"):
        along = (a - b) / (c - b)
        risen = (at_a - at_b) / (at_c - at_b)
        trusted = (risen**2 < along) & ((1.0 - risen) ** 2 < 1.0 - along)
        quadratic = at_a / (at_b - at_a) * at_c / (at_b - at_c) + (c - a) / (b - a) * at_a / (at_c - at_a) * at_b / (
            at_c - at_b
        )
    return np.where(trusted, quadratic, 0.5)
