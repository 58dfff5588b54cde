"""Why a specification has no design: the wall and the floor, in numbers.

The candidate that misses the fewest requirements, then by the smallest ratio of predicted to limit, speaks for all:
its wall is the one that keeps even the best from being good enough when requests come one at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.walls import WallFamily
from optimizer.bottleneck.binding import latency_ratios
from optimizer.bottleneck.hypothetical import BOUNDLESS, FAMILY, RESOURCES, one_at_a_time, with_resources
from optimizer.evaluate import KV_SHARE_PER_DEVIATION, Candidates, Physics, Question, tabulate
from optimizer.topology.layouts import MAX_NUM_SEQS, TOKEN_BUDGETS, CandidateSpace
from optimizer.traffic.fluid import longest_needs

Floats = NDArray[np.float64]
FACTORS = (1.1, 1.25, 1.5, 2.0, 4.0)


@dataclass(frozen=True)
class Impossible:
    """The wall, the requirement that stands for it, and the least number that any admitted design reaches.

    limit and least are seconds for a latency, bytes for the memory of one accelerator. accelerator: the part of the
    candidate that comes closest.
    """

    wall: WallFamily
    requirement: str
    limit: float
    least: float
    accelerator: str
    accelerators_per_replica: int


def impossible_at_any_rate(space: CandidateSpace, physics: Physics, question: Question) -> Impossible | None:
    """The wall that even one request at a time cannot pass; None if some candidate carries one request at a time."""
    keys = np.arange(len(space.keys))
    kv_tokens = physics.kv_tokens_per_pipeline(keys, question.deviations)
    fits = kv_tokens >= _longest_needs(physics)
    if not fits.any():
        return too_small(space, physics, question)

    fitting = keys[fits]
    candidates = _alone(physics, fitting)
    ratios = latency_ratios(candidates, question)
    missed = (ratios > 1.0).sum(axis=1)
    if not ratios.shape[1] or missed.min() == 0:
        return None
    closest = int(np.lexsort((fitting, ratios.max(axis=1), missed))[0])
    worst = int(ratios[closest].argmax())
    limit = question.limits[worst]
    key = int(fitting[closest])
    return Impossible(
        wall=_wall_of_latency(physics, key, question),
        requirement=limit.id,
        limit=limit.limit_s,
        least=float(ratios[:, worst].min()) * limit.limit_s,
        accelerator=space.keys[key].accelerator.id,
        accelerators_per_replica=space.layouts[key].accelerators,
    )


def _alone(physics: Physics, keys: NDArray[np.int64]) -> Candidates:
    """The keys with the engine limits that serve a single request best: no chunking, slots to spare."""
    return tabulate(physics, keys, np.full(len(keys), TOKEN_BUDGETS[-1]), np.full(len(keys), MAX_NUM_SEQS[-1]))


def _longest_needs(physics: Physics) -> Floats:
    """KV cache of a pipeline, in tokens, that the longest request needs, (K,)."""
    groups = physics.step_times.dp_attention.astype(np.float64)
    return longest_needs(physics.bins, physics.step_times.kv_block_tokens, groups)


def too_small(space: CandidateSpace, physics: Physics, question: Question) -> Impossible:
    """Memory capacity: what one accelerator would need for its weights, overhead and one longest request.

    The scenario keeps a share of the KV cache back; that share is needed too.
    """
    step_times, needed = physics.step_times, _longest_needs(physics)
    memory = step_times.memory
    kept = 1.0 - KV_SHARE_PER_DEVIATION * question.deviations
    # in proportion to the room: a token of the cache takes what the cache has per token, where there is a cache
    per_token = step_times.kv_bytes_per_token / (step_times.accelerators * step_times.dp_attention)
    must = memory.weights + memory.overhead + memory.unused + needed * step_times.pp * per_token / kept
    has = memory.weights + memory.overhead + memory.unused + memory.kv_cache
    closest = int((must / has).argmin())
    return Impossible(
        wall=WallFamily.MEMORY_CAPACITY,
        requirement="memory_bytes_per_accelerator",
        limit=float(has[closest]),
        least=float(must[closest]),
        accelerator=space.keys[closest].accelerator.id,
        accelerators_per_replica=space.layouts[closest].accelerators,
    )


def _wall_of_latency(physics: Physics, key: int, question: Question) -> WallFamily:
    """The resource whose least factor makes one request at a time feasible.

    If none of FACTORS does: the latency floor where even boundless resources miss, else the resource whose largest
    factor brings the candidate nearest.
    """
    boundless = with_resources(
        physics, key, np.full((1, len(RESOURCES)), BOUNDLESS), TOKEN_BUDGETS[-1], MAX_NUM_SEQS[-1]
    )
    if latency_ratios(boundless, question).max() > 1.0:
        return WallFamily.LATENCY_FLOOR
    worst = np.ones(len(RESOURCES))
    for factor in FACTORS:
        copies = with_resources(physics, key, one_at_a_time(factor)[1:], TOKEN_BUDGETS[-1], MAX_NUM_SEQS[-1])
        worst = latency_ratios(copies, question).max(axis=1)
        if worst.min() <= 1.0:
            break
    return FAMILY[RESOURCES[int(worst.argmin())]]
