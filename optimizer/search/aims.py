"""What a budget can buy the most of: speed, or requests.

A value is an exact integer of which less is better, so that one search and one count model serve every aim. At the
most units that a budget buys a candidate has its best value, for every law is monotone in the rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from optimizer.evaluate import Candidates, Physics, Question, e2e_mean_s, key_rate_bound, least_e2e_mean_s, meets
from optimizer.search.bounds import OUTWARD, Demand
from optimizer.topology.layouts import MAX_NUM_SEQS, TOKEN_BUDGETS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Times are told apart to the millisecond: a budget is not spent on less.
MILLISECONDS = 1000
MICRO_REQUESTS = 1_000_000
# The value of a candidate that misses a requirement, or is worse than asked.
MISSED = int(np.iinfo(np.int64).max)
# Float noise in a figure that stands on the grid of values.
_NOISE_DIGITS = 6


class Aim(Protocol):
    """An objective other than cost. `working` are the replicas that are not spare, (R,), at least 1."""

    def bound(self, physics: Physics, question: Question, keys: Integers, working: Integers) -> Integers:
        """The value below which no candidate of a key can be, (R,)."""

    def values(
        self, candidates: Candidates, question: Question, demand: Demand, working: Integers, worst: int | None
    ) -> Integers:
        """Value of each candidate, (R,); MISSED where a requirement is missed or the value is above `worst`."""

    def reached(
        self, candidates: Candidates, question: Question, demand: Demand, working: Integers, values: Integers
    ) -> Bools:
        """Whether each candidate meets every requirement at its value or below, (R,)."""

    def rate_per_s(self, demand: Demand, values: Integers) -> Floats:
        """Arrivals that designs of these values carry together, (R,)."""


@dataclass(frozen=True)
class Fastest:
    """Least mean time from arrival to the last token, in the scenario of the risk: whole milliseconds, rounded up."""

    def bound(self, physics: Physics, question: Question, keys: Integers, working: Integers) -> Integers:  # noqa: ARG002 (the signature of Aim)
        """The time on an idle replica."""
        return _milliseconds(least_e2e_mean_s(physics, TOKEN_BUDGETS, question) * (1.0 - OUTWARD))[keys]

    def values(
        self, candidates: Candidates, question: Question, demand: Demand, working: Integers, worst: int | None
    ) -> Integers:
        """The time first, as it is cheaper than every limit."""
        rate = demand.rate_per_s / working
        seconds = e2e_mean_s(candidates, rate, question)
        values = np.full(len(working), MISSED)
        known = np.flatnonzero(np.isfinite(seconds))
        values[known] = _milliseconds(seconds[known])
        alive = np.flatnonzero(values <= (MISSED - 1 if worst is None else worst))
        values[np.setdiff1d(known, alive)] = MISSED
        if len(alive):
            met = meets(candidates.take(alive), rate[alive], question)
            values[alive[~met]] = MISSED
        return values

    def reached(
        self, candidates: Candidates, question: Question, demand: Demand, working: Integers, values: Integers
    ) -> Bools:
        """The value is a function of the units."""
        found = self.values(candidates, question, demand, working, None)
        reached: Bools = found <= values
        return reached

    def rate_per_s(self, demand: Demand, values: Integers) -> Floats:
        """The demand's own."""
        return np.full(len(values), demand.rate_per_s)


@dataclass(frozen=True)
class MostRequests:
    """Highest mean request rate, as whole micro-requests per second below zero; the demand's own rate is the least."""

    peak_factor: float

    def bound(self, physics: Physics, question: Question, keys: Integers, working: Integers) -> Integers:
        """The rate of the fluid floor."""
        every = np.arange(physics.step_times.count)
        rate = key_rate_bound(physics, every, np.full(len(every), MAX_NUM_SEQS[-1]), question)[keys]
        return -self._micro(rate * working * (1.0 + OUTWARD))

    def values(
        self, candidates: Candidates, question: Question, demand: Demand, working: Integers, worst: int | None
    ) -> Integers:
        """A bisection in whole micro-requests per second: what is found holds, one more does not."""
        least = int(np.ceil(np.round(demand.rate_per_s / self.peak_factor * MICRO_REQUESTS, _NOISE_DIGITS)))
        lower = np.full(len(working), max(least, 1 if worst is None else -worst))
        found = self.reached(candidates, question, demand, working, -lower)
        bound = self.bound(candidates.physics, question, candidates.keys, working)
        upper = np.maximum(-bound, lower) + 1
        while True:
            rows = np.flatnonzero(found & (upper - lower > 1))
            if not len(rows):
                break
            middle = (lower[rows] + upper[rows]) // 2
            met = self.reached(candidates.take(rows), question, demand, working[rows], -middle)
            lower[rows] = np.where(met, middle, lower[rows])
            upper[rows] = np.where(met, upper[rows], middle)
        return np.where(found, -lower, MISSED)

    def reached(
        self, candidates: Candidates, question: Question, demand: Demand, working: Integers, values: Integers
    ) -> Bools:
        """Whether the rate holds."""
        return meets(candidates, self.rate_per_s(demand, values) / working, question.among(working.astype(np.float64)))

    def rate_per_s(self, demand: Demand, values: Integers) -> Floats:  # noqa: ARG002
        """The rates themselves, at the peak."""
        rate: Floats = -values / MICRO_REQUESTS * self.peak_factor
        return rate

    def _micro(self, rate_per_s: Floats) -> Integers:
        return np.floor(rate_per_s / self.peak_factor * MICRO_REQUESTS).astype(np.int64)


def _milliseconds(seconds: Floats) -> Integers:
    return np.ceil(np.round(seconds * MILLISECONDS, _NOISE_DIGITS)).astype(np.int64)
