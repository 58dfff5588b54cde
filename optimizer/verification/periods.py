"""Fewest units of a design for every period, accepted by simulated requests as the design itself was.

Of the periods that need as many units only the busiest is simulated: what carries its rate carries less. Where it is
refused, it gets one unit more. The engine limits are those of the design, so a period that would need more slots is
refused, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from optimizer.arithmetic.arrays import Floats, Integers
from optimizer.question import Problem
from optimizer.search.columns import Column
from optimizer.verification.judge import Judge
from requirements_specs.workload import Workload


def verified_units(
    problem: Problem, workload: Workload, design: Column, rates_per_s: Floats, by_laws: Integers
) -> Integers:
    """Units of each period, (P,), no fewer than the laws ask for; the design was accepted at the demand."""

    def accepts(units: int, rate_per_s: float) -> bool:
        quieter = replace(problem, demand=replace(problem.demand, rate_per_s=rate_per_s))
        # the judge looks at nothing else of a column that its units change
        fleet = replace(design, units=units, replicas=units * (design.replicas // design.units))
        judged = Judge(quieter, workload)(fleet)
        return judged.accepted and judged.column.max_num_seqs == fleet.max_num_seqs

    return fewest_accepted(rates_per_s, by_laws, {design.units: problem.demand.rate_per_s}, accepts)


def fewest_accepted(
    rates_per_s: Floats, at_least: Integers, carried_per_s: dict[int, float], accepts: Callable[[int, float], bool]
) -> Integers:
    """Fewest units from `at_least` on that are accepted, (P,); they never fall with the rate.

    carried_per_s: rates that numbers of units are known to carry; one of them is known to carry every rate.
    """
    units, carried = at_least.copy(), dict(carried_per_s)
    rates, period = np.unique(rates_per_s, return_inverse=True)
    for index in reversed(range(len(rates))):
        here, rate = period == index, float(rates[index])
        count = int(units[here][0])
        while rate > carried.get(count, 0.0):
            if accepts(count, rate):
                carried[count] = rate
            else:
                count += 1
        units[here] = count
    return units
