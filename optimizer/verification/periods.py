"""Fewest units of a design for every period, accepted by simulated requests as the design itself was.

What some pipelines were accepted at, as many or more carry at that rate each, or at less: in turn over more pipelines
arrivals are no burstier. So few periods are simulated. One that is refused gets one unit more. The engine limits are
those of the design, so a period that would need more slots is refused, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from optimizer.arithmetic.arrays import Floats, Integers
from optimizer.question import Problem
from optimizer.search.columns import Column
from optimizer.verification.judge import MOST_PIPELINES, Judge
from requirements_specs.workload import Workload


@dataclass(frozen=True)
class Carried:
    """So many pipelines, as far as a simulation tells them apart, that carry a rate each."""

    pipelines: int
    rate_per_s: float

    def covers(self, other: Carried) -> bool:
        """Whether what carries this carries the other."""
        return self.pipelines <= other.pipelines and self.rate_per_s >= other.rate_per_s


def verified_units(
    problem: Problem, workload: Workload, design: Column, rates_per_s: Floats, by_laws: Integers
) -> Integers:
    """Units of each period, (P,), no fewer than the laws ask for; the design was accepted at the demand."""
    judge, stages = Judge(problem, workload), int(problem.physics.step_times.pp[design.key])

    def of_units(units: int) -> Column:
        # a simulation looks at nothing else of a column that its units change
        return replace(design, units=units, replicas=units * (design.replicas // design.units))

    def each(units: int, rate_per_s: float) -> Carried:
        pipelines = (of_units(units).replicas - problem.demand.spare_replicas) * stages
        return Carried(min(pipelines, MOST_PIPELINES), rate_per_s / pipelines)

    def accepts(units: int, rate_per_s: float) -> bool:
        judged = judge.at_rate(rate_per_s)(of_units(units))
        return judged.accepted and judged.column.max_num_seqs == design.max_num_seqs

    return fewest_accepted(rates_per_s, by_laws, each(design.units, problem.demand.rate_per_s), each, accepts)


def fewest_accepted(
    rates_per_s: Floats,
    at_least: Integers,
    known: Carried,
    each: Callable[[int, float], Carried],
    accepts: Callable[[int, float], bool],
) -> Integers:
    """Fewest units from `at_least` on that are accepted, (P,); they never fall with the rate.

    known: what is carried for certain; some number of units at every rate. each: what so many units must carry.
    """
    units, carried = at_least.copy(), [known]
    rates, period = np.unique(rates_per_s, return_inverse=True)
    for index in reversed(range(len(rates))):
        here, rate = period == index, float(rates[index])
        count = int(units[here][0])
        while not any(one.covers(each(count, rate)) for one in carried):
            if accepts(count, rate):
                carried.append(each(count, rate))
            else:
                count += 1
        units[here] = count
    return units
