"""How many units of one candidate other rates need: its replicas are alike, and each carries the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.evaluate import Physics, Question, highest_rate
from optimizer.search.bounds import Demand
from optimizer.search.columns import Column, candidates_of, rate_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Sizing:
    """The units of one candidate.

    highest_rate_per_s: of one working replica, with the engine limits of the design. spare_replicas: replicas that
    carry nothing.
    """

    highest_rate_per_s: float
    spare_replicas: int
    replicas_per_unit: int

    def load(self, rate_per_s: Floats, working_replicas: Integers) -> Floats:
        """Share of what so many replicas carry that a rate is; above one the requirements do not hold."""
        return rate_per_s / (working_replicas * self.highest_rate_per_s)

    def units(self, rate_per_s: Floats, spare_replicas: int | None = None) -> Integers:
        """Fewest units that carry each rate beside the spares, those of the design unless others are given."""
        spares = self.spare_replicas if spare_replicas is None else spare_replicas
        working = np.maximum(np.ceil(rate_per_s / self.highest_rate_per_s), 1.0)
        # the division may have missed a whole number by a bit: the rate of one replica itself decides
        fewer = np.maximum(working - 1.0, 1.0)
        working = np.where(rate_per_s / fewer <= self.highest_rate_per_s, fewer, working)
        working = np.where(rate_per_s / working <= self.highest_rate_per_s, working, working + 1.0)
        return -(-(working.astype(np.int64) + spares) // self.replicas_per_unit)


def sizing_of(physics: Physics, question: Question, demand: Demand, design: Column, refused_per_s: Floats) -> Sizing:
    """The sizing of a design's candidate.

    refused_per_s: rates of one replica that simulation refused; none that is as high is taken.
    """
    candidate, at_demand = candidates_of(physics, design), rate_of(demand, design)
    by_laws = highest_rate(candidate, question, float(at_demand[0]))
    below = np.nextafter(refused_per_s, 0.0)
    return Sizing(
        highest_rate_per_s=float(np.min([*by_laws, *below])),
        spare_replicas=demand.spare_replicas,
        replicas_per_unit=design.replicas // design.units,
    )
