"""How full each wall is beside a design."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from catalog.walls import WallFamily
from optimizer.bottleneck.hypothetical import BOUNDLESS, RESOURCES, with_resources
from optimizer.evaluate import Candidates, Physics, State
from optimizer.search.columns import Column
from optimizer.topology.layouts import MAX_NUM_SEQS
from optimizer.traffic.step_tables import SEQUENCES

Floats = NDArray[np.float64]


class ServingWall(StrEnum):
    """Walls of the catalog that a serving design is held against; the values are their ids."""

    COMPUTE = "compute"
    MEMORY_CAPACITY = "memory-capacity"
    MEMORY_BANDWIDTH = "memory-bandwidth"
    SERVING = "serving"
    BATCHING = "batching"
    TAIL_LATENCY = "tail-latency"
    COMMUNICATION = "communication"
    ECONOMIC_COST = "economic-cost"
    LATENCY_FLOOR = "latency-floor"


# The wall that stands for each family of the headline.
HEADLINE_WALLS = {
    WallFamily.MEMORY_CAPACITY: ServingWall.MEMORY_CAPACITY,
    WallFamily.MEMORY_BANDWIDTH: ServingWall.MEMORY_BANDWIDTH,
    WallFamily.NETWORK: ServingWall.COMMUNICATION,
    WallFamily.COMPUTE: ServingWall.COMPUTE,
    WallFamily.DOLLARS: ServingWall.ECONOMIC_COST,
    WallFamily.LATENCY_FLOOR: ServingWall.LATENCY_FLOOR,
}
HEADLINE_FAMILY = {wall: family for family, wall in HEADLINE_WALLS.items()}


@dataclass(frozen=True)
class StepShares:
    """Shares of the mean step that one resource alone would fill, and that fixed times fill; each within [0, 1].

    They need not add up to 1: an operation is as slow as its slowest resource, not as their sum.
    """

    memory_bandwidth: float
    network: float
    compute: float
    fixed: float


def step_shares(physics: Physics, column: Column, state: State) -> StepShares:
    """Shares at the operating point of a design (`state` of one candidate), prefill spread over the steps."""
    return step_shares_at(physics, column, float(state.point.sequences[0]))


def step_shares_at(physics: Physics, column: Column, sequences: float) -> StepShares:
    """Shares of the step of a design beside a number of decoding sequences in a pipeline."""
    bandwidth, network, compute = 1, 2, 3
    rows = np.full((5, len(RESOURCES)), BOUNDLESS)
    rows[0] = 1.0
    for row, resource in enumerate((bandwidth, network, compute), start=1):
        rows[row, resource] = 1.0
    copies = with_resources(physics, column.key, rows, column.token_budget, MAX_NUM_SEQS[-1])
    steps = [float(np.interp(sequences, SEQUENCES, table)) for table in copies.physics.tables.fluid_s]
    whole, fixed = steps[0], steps[4]
    only = [(step - fixed) / whole for step in steps[1:4]]
    return StepShares(only[0], only[1], only[2], fixed / whole)


def memory_in_use(candidates: Candidates, state: State, row: int) -> tuple[float, float]:
    """Bytes of one accelerator that the design needs, and that the part has; weights, overhead and needed KV cache."""
    filled = float(state.kv_tokens_needed[row] / state.kv_tokens[row])
    return memory_filled(candidates.physics, int(candidates.keys[row]), filled)


def memory_filled(physics: Physics, key: int, filled: float) -> tuple[float, float]:
    """Bytes of one accelerator in use, and that the part has, when a share of its KV cache is filled."""
    memory = physics.step_times.memory
    fixed = float(memory.weights[key] + memory.overhead[key])
    used = fixed + filled * float(memory.kv_cache[key])
    return used, fixed + float(memory.kv_cache[key] + memory.unused[key])
