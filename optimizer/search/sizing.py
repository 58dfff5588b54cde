"""How many units of one candidate other rates need.

Its replicas are alike, but fewer of them get burstier arrivals, so what one carries belongs to their number. It is
known for some numbers; between them a replica is taken to carry what it carries among fewer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.evaluate import Physics, Question, highest_rate
from optimizer.search.bounds import Demand
from optimizer.search.columns import Column, candidates_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Sizing:
    """The units of one candidate.

    working_replicas (G,): rising; fewer than the first carry nothing. highest_rates_per_s (G,): of one replica among so
    many, with the engine limits of the design; they never fall. spare_replicas: replicas that carry nothing.
    """

    working_replicas: Integers
    highest_rates_per_s: Floats
    spare_replicas: int
    replicas_per_unit: int

    def rate_of_one(self, working_replicas: Integers) -> Floats:
        """The highest rate of one replica among so many, (P,) per second."""
        known = np.searchsorted(self.working_replicas, working_replicas, side="right")
        return np.append(0.0, self.highest_rates_per_s)[known]

    def load(self, rate_per_s: Floats, working_replicas: Integers) -> Floats:
        """Share of what so many replicas carry that a rate is; above one the requirements do not hold."""
        carried = working_replicas * self.rate_of_one(working_replicas)
        return np.divide(rate_per_s, carried, out=np.full_like(carried, np.inf), where=carried > 0.0)

    def units(self, rate_per_s: Floats, spare_replicas: int | None = None) -> Integers:
        """Fewest units that carry rates of any shape beside the spares, those of the design unless others are given."""
        spares = self.spare_replicas if spare_replicas is None else spare_replicas
        rate, highest = rate_per_s[..., None], self.highest_rates_per_s
        working = np.maximum(np.ceil(rate / highest), 1.0)
        # the division may have missed a whole number by a bit: the rate of one replica itself decides
        fewer = np.maximum(working - 1.0, 1.0)
        working = np.where(rate / fewer <= highest, fewer, working)
        working = np.where(rate / working <= highest, working, working + 1.0)
        # so many of a kind as begin to be of it
        fewest = np.maximum(working, self.working_replicas).min(axis=-1).astype(np.int64)
        units: Integers = -(-(fewest + spares) // self.replicas_per_unit)
        return units


def sizing_of(physics: Physics, question: Question, demand: Demand, design: Column, refused_per_s: Floats) -> Sizing:
    """The sizing of a design's candidate.

    refused_per_s: rates of one replica that simulation refused; none that is as high is taken.
    """
    working = _some_numbers(design.replicas - demand.spare_replicas)
    candidates = candidates_of(physics, design).take(np.zeros(len(working), dtype=np.int64))
    at_demand = float(demand.rate_per_s / working[-1])
    by_laws = highest_rate(candidates, question.among(working.astype(np.float64)), at_demand)
    if not by_laws.all():  # of few replicas one may carry less than of all
        low = np.flatnonzero(by_laws == 0.0)
        by_laws[low] = highest_rate(candidates.take(low), question.among(working[low].astype(np.float64)))
    below = np.nextafter(refused_per_s, 0.0)
    carries = np.minimum(by_laws, below.min(initial=np.inf))
    known = np.flatnonzero(carries > 0.0)
    return Sizing(
        working_replicas=working[known],
        highest_rates_per_s=np.maximum.accumulate(carries[known]),
        spare_replicas=demand.spare_replicas,
        replicas_per_unit=design.replicas // design.units,
    )


def _some_numbers(most: int) -> Integers:
    """1, 2, 3, 4, 6, 8, 12 … and `most`."""
    doubled = 2 ** np.arange(most.bit_length())
    numbers = np.unique([*doubled, *(doubled + doubled // 2), most])
    return numbers[numbers <= most].astype(np.int64)
