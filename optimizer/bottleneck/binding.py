"""The binding wall of a design: the resource that raises the rate that one replica carries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.walls import WallFamily
from optimizer.bottleneck.hypothetical import BOUNDLESS, FAMILY, RESOURCES, one_at_a_time, with_resources
from optimizer.evaluate import (
    LOWEST_RATE_PER_S,
    Candidates,
    Laws,
    Physics,
    Question,
    highest_rate,
    mean_state,
)
from optimizer.search.bounds import Demand
from optimizer.search.columns import Column
from optimizer.topology.layouts import MAX_NUM_SEQS

Floats = NDArray[np.float64]

MORE = 1.1
# A gain below this is none: it is within the precision of the rates and the noise of any measurement.
LEAST_GAIN = 1e-3
# Walls whose gain is within a tenth of the largest bind together.
SHARE_OF_LARGEST = 0.9
# Dollars are the headline once the smallest rentable design carries this multiple of the rate.
IDLE_MULTIPLE = 1.1
FIXED_SHARE = 0.5


@dataclass(frozen=True)
class Binding:
    """What binds.

    highest_rate_per_s: of one replica, with as many engine slots as the search offers (slots are no resource).
    gains: relative increase of that rate per family, or of the speed where the fastest is sought, for a tenth more of
    the resource.
    """

    wall: WallFamily
    also: tuple[WallFamily, ...]
    highest_rate_per_s: float
    gains: dict[WallFamily, float]


def binding_wall(physics: Physics, question: Question, demand: Demand, column: Column) -> Binding:
    """The wall that binds a design, by re-evaluation with a tenth more of each resource."""
    copies = with_resources(physics, column.key, one_at_a_time(MORE), column.token_budget, MAX_NUM_SEQS[-1])
    working = column.replicas - demand.spare_replicas
    rates = highest_rate(copies, question.among(working), demand.rate_per_s / working)
    gains = {
        FAMILY[resource]: float(rate / rates[0] - 1.0) for resource, rate in zip(RESOURCES, rates[1:], strict=True)
    }
    resources = resources_that_bind(gains)
    if not resources:
        fixed = fixed_share(physics, question, column)
        resources = (WallFamily.LATENCY_FLOOR,) if fixed > FIXED_SHARE else (WallFamily.DOLLARS,)

    # One unit fewer would leave spares alone, or nothing.
    smallest = column.replicas - column.replicas // column.units <= demand.spare_replicas
    if smallest and rates[0] * working >= IDLE_MULTIPLE * demand.rate_per_s and resources[0] is not WallFamily.DOLLARS:
        return Binding(WallFamily.DOLLARS, resources, float(rates[0]), gains)
    return Binding(resources[0], resources[1:], float(rates[0]), gains)


def resources_that_bind(gains: dict[WallFamily, float]) -> tuple[WallFamily, ...]:
    """Families whose gain is within a tenth of the largest, in the order of families; none if no gain counts."""
    largest = max(gains.values())
    if largest < LEAST_GAIN:
        return ()
    return tuple(family for family in WallFamily if gains.get(family, 0.0) >= SHARE_OF_LARGEST * largest)


def fixed_share(physics: Physics, question: Question, column: Column) -> float:
    """Share of the tightest latency limit that launches, host and hops fill when every resource is boundless."""
    boundless = np.full((1, len(RESOURCES)), BOUNDLESS)
    copy = with_resources(physics, column.key, boundless, column.token_budget, MAX_NUM_SEQS[-1])
    return float(latency_ratios(copy, question).max(initial=0.0))


def latency_ratios(candidates: Candidates, question: Question) -> Floats:
    """Predicted/limit per candidate and latency limit when requests come one at a time, (R, limits)."""
    state = mean_state(candidates, np.full(len(candidates), LOWEST_RATE_PER_S), question)
    laws = Laws(candidates, state)
    ratios = [laws.statistic(limit.metric, limit.statistic) / limit.limit_s for limit in question.limits]
    return np.stack(ratios, axis=1) if ratios else np.zeros((len(candidates), 0))
