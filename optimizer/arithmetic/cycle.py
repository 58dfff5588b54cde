"""Units paid over a day or a week that is cut into periods, where what a period needs must start before it begins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.arithmetic.arrays import Floats, Integers

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Cycle:
    """A cycle in S stretches in which the number of paid units does not change.

    hours (S,): length of each stretch. needed (S, P): the periods whose units run in it, because the period is on or
    begins within the lead.
    """

    hours: Floats
    needed: Bools

    def paid_units(self, units: Integers) -> Integers:
        """Units that run in each stretch, (…, S), for those that each period needs, (…, P)."""
        paid: Integers = np.where(self.needed, units[..., None, :], 0).max(axis=-1)
        return paid

    def idle_unit_hours(self, units: Integers) -> Floats:
        """Hours in a cycle in which units of the busiest period do not run, summed over them, (…,)."""
        most = units.max(axis=-1, keepdims=True)
        idle: Floats = ((most - self.paid_units(units)) * self.hours).sum(axis=-1)
        return idle


def cycle_of(hours: Floats, lead_hours: float) -> Cycle:
    """The cycle of periods (P,) in their order; the first follows the last.

    lead_hours: from renting a unit until it serves. A unit is given back the moment its period ends.
    """
    ends = np.cumsum(hours)
    starts, length = ends - hours, ends[-1]
    cuts = np.unique(np.concatenate([starts, (starts - lead_hours) % length]))
    stretches = np.diff(cuts, append=length)
    middle = (cuts + stretches / 2.0)[:, None]
    is_on = (middle - starts) % length < hours
    begins_soon = (starts - middle) % length <= lead_hours
    return Cycle(stretches, is_on | begins_soon)
