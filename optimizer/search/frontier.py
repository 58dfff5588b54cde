"""The staircase of least cost against one latency limit.

From no limit at all: the least cost, the tightest limit that still costs as much, then the next tighter limit, and so
on. At one cost the columns hold every design of that cost that meets the limit, so the tightest limit among them is the
end of the step; a step is exact because both of its ends were solved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Context, Decimal

import numpy as np

from optimizer.evaluate import Laws, Physics, Question, mean_state, meets
from optimizer.search.bounds import Demand, rate_per_replica
from optimizer.search.columns import Column, candidates_of, exact_columns, tie_key
from optimizer.search.refine import refine
from optimizer.topology.layouts import CandidateSpace
from requirements_specs.requirement import LatencyLimit, Metric, Statistic

# Limits are told apart to as many digits as a report prints.
LIMIT_DIGITS = 3
# Tighter limits than those of so many steps are left out.
MOST_POINTS = 40
_GRID = Context(prec=LIMIT_DIGITS, rounding=ROUND_CEILING)


@dataclass(frozen=True)
class FrontierPoint:
    """The tightest limit, in seconds, that a design of this cost meets, and the first such design in order of ties."""

    limit_s: float
    column: Column


@dataclass(frozen=True)
class Frontier:
    """Points from the tightest limit, and the dearest design, to where a looser limit saves nothing.

    complete: whether no design meets a limit below the first point's; else only `MOST_POINTS` were asked for.
    """

    metric: Metric
    statistic: Statistic
    points: tuple[FrontierPoint, ...]
    complete: bool


@dataclass(frozen=True)
class Staircase:
    """A problem whose limit on one statistic is moved, whatever it is in `question`; the other requirements stay."""

    space: CandidateSpace
    physics: Physics
    question: Question
    demand: Demand
    metric: Metric
    statistic: Statistic

    def frontier(self) -> Frontier:
        """Least cost at every limit of `LIMIT_DIGITS` digits."""
        points: list[FrontierPoint] = []
        loosest: Decimal | None = None
        while len(points) < MOST_POINTS:
            step = self._step(loosest)
            if step is None:
                break
            tightest, column = step
            points.append(FrontierPoint(float(tightest), column))
            loosest = tightest.next_minus(_GRID)
        return Frontier(self.metric, self.statistic, tuple(reversed(points)), complete=len(points) < MOST_POINTS)

    def _step(self, loosest: Decimal | None) -> tuple[Decimal, Column] | None:
        """The tightest limit that costs as little as the loosest one, and its design; None where there is none."""
        asked = self._asked(loosest)
        refinement = refine(self.space, self.physics, asked, self.demand, 1)
        columns = exact_columns(self.space, self.physics, asked, self.demand, refinement)
        ends = [
            (self._tightest(column, loosest), tie_key(self.space, column), column)
            for column in columns
            if column.usd_micro_per_hour == columns[0].usd_micro_per_hour
        ]
        if not ends:
            return None
        tightest, _, column = min(ends, key=lambda end: end[:2])
        return tightest, column

    def _asked(self, limit: Decimal | None) -> Question:
        """The question with another limit on the statistic."""
        moved = (self.metric, self.statistic)
        limits = tuple(each for each in self.question.limits if (each.metric, each.statistic) != moved)
        if limit is not None:
            limits += (LatencyLimit(metric=self.metric, statistic=self.statistic, limit_s=float(limit)),)
        return replace(self.question, limits=limits)

    def _tightest(self, column: Column, loosest: Decimal | None) -> Decimal:
        """The tightest limit that a column meets, which is no looser than the one that it was found for.

        A percentile is decided by the share of requests beyond it, so the printed figure may fall short by its noise.
        """
        candidate = candidates_of(self.physics, column)
        replicas = self.space.replicas_per_unit[[column.placement]]
        rate = rate_per_replica(self.demand, np.array([column.units]), replicas)
        state = mean_state(candidate, rate, self.question)
        seconds = float(Laws(candidate, state).statistic(self.metric, self.statistic)[0])
        limit = _GRID.create_decimal_from_float(seconds)
        while not meets(candidate, rate, self._asked(limit)).all():
            limit = limit.next_plus(_GRID)
        return limit if loosest is None else min(limit, loosest)
