"""Optimistic units and cost of every placement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.evaluate import Physics, Question, key_rate_bound, keys_that_may_answer
from optimizer.topology.layouts import MAX_NUM_SEQS, TOKEN_BUDGETS, CandidateSpace

Integers = NDArray[np.int64]
# Units beyond this cannot be rented and would overflow a price.
MOST_UNITS = 1_000_000
# The bound is rounded outward by this much, so that float noise can never prune the optimum.
OUTWARD = 1e-9


@dataclass(frozen=True)
class Demand:
    """What the units must carry and may cost together.

    rate_per_s: arrivals at the peak. spare_replicas: replicas that carry nothing. most_accelerators and
    most_usd_micro_per_hour: caps, None where there is none.
    """

    rate_per_s: float
    spare_replicas: int
    most_accelerators: int | None
    most_usd_micro_per_hour: int | None


def rate_per_replica(demand: Demand, units: Integers, replicas_per_unit: Integers) -> NDArray[np.float64]:
    """Arrivals at one working replica, (R,) per second; infinite where spares leave none to work."""
    working = units * replicas_per_unit - demand.spare_replicas
    return np.where(working > 0, demand.rate_per_s / np.maximum(working, 1), np.inf)


def unit_prices(space: CandidateSpace) -> Integers:
    """Micro-dollars per hour of one unit of each placement at its cheapest offer, (P,)."""
    cheapest = np.array(
        [space.offers[offers[0]].usd_micro_per_hour for offers in space.offers_of_machine], dtype=np.int64
    )
    return cheapest[space.placement_machine] * space.instances_per_unit


def most_units(space: CandidateSpace, demand: Demand, prices: Integers, most_usd_micro: int | None) -> Integers:
    """Most units of each placement within what there is of it, the accelerator cap and a cost, (P,)."""
    units: Integers = np.minimum(space.most_instances // space.instances_per_unit, MOST_UNITS)
    if demand.most_accelerators is not None:
        units = np.minimum(units, demand.most_accelerators // space.accelerators_per_unit)
    if most_usd_micro is not None:
        units = np.minimum(units, most_usd_micro // prices)
    return units


def units_bound(space: CandidateSpace, physics: Physics, question: Question, demand: Demand) -> Integers:
    """Fewest units that could carry the demand, (P,); MOST_UNITS + 1 where no number can."""
    keys = np.arange(len(space.keys))
    largest = np.full(len(keys), MAX_NUM_SEQS[-1])
    bound = np.where(
        keys_that_may_answer(physics, TOKEN_BUDGETS, question), key_rate_bound(physics, keys, largest, question), 0.0
    )
    rate = bound[space.placement_key] * (1.0 + OUTWARD)
    replicas = np.divide(demand.rate_per_s, rate, out=np.full_like(rate, np.inf), where=rate > 0.0)
    units = np.ceil((replicas + demand.spare_replicas) / space.replicas_per_unit - OUTWARD)
    return np.clip(units, 1, MOST_UNITS + 1).astype(np.int64)
