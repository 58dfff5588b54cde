"""Copies of a part that differ in one resource: the question "what if it had more" put to the same evaluation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from catalog.walls import WallFamily
from optimizer.arithmetic.step_times import Resource
from optimizer.evaluate import Candidates, Physics, prepare, tabulate

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# The resources in the order in which walls are named.
RESOURCES = (Resource.MEMORY_CAPACITY, Resource.MEMORY_BANDWIDTH, Resource.NETWORK, Resource.COMPUTE)
FAMILY = {
    Resource.MEMORY_CAPACITY: WallFamily.MEMORY_CAPACITY,
    Resource.MEMORY_BANDWIDTH: WallFamily.MEMORY_BANDWIDTH,
    Resource.NETWORK: WallFamily.NETWORK,
    Resource.COMPUTE: WallFamily.COMPUTE,
}
# So much of every resource that only fixed times are left.
BOUNDLESS = 1e9


def with_resources(
    physics: Physics, key: int | Integers, factors: Floats, token_budget: float, max_num_seqs: float
) -> Candidates:
    """V candidates, each on a copy of its part.

    Args:
        physics: where the candidates stand.
        key: their physics key, one for all or (V,).
        factors: (V, 4) multiples of each of `RESOURCES`; launch times, efficiencies and prices stay.
        token_budget: max_num_batched_tokens.
        max_num_seqs: engine slots.

    """
    copies = np.full(len(factors), key, dtype=np.int64)
    step_times = physics.step_times.take(copies)
    for column, resource in enumerate(RESOURCES):
        step_times = step_times.scaled(resource, factors[:, column])
    hypothetical = prepare(step_times, physics.bins, physics.spread.take(copies))
    rows = np.arange(len(factors))
    return tabulate(hypothetical, rows, np.full(len(factors), token_budget), np.full(len(factors), float(max_num_seqs)))


def one_at_a_time(factor: float) -> Floats:
    """Factors of the part itself and of one copy per resource with `factor` times as much of it, (5, 4)."""
    factors = np.ones((1 + len(RESOURCES), len(RESOURCES)))
    for column in range(len(RESOURCES)):
        factors[1 + column, column] = factor
    return factors
