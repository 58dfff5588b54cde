"""Why a specification has no design: the wall and the floor, in numbers.

The candidate that misses the fewest requirements, then by the smallest ratio of predicted to limit, speaks for all:
its wall is the one that keeps even the best from being good enough when requests come one at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from catalog.parts import LinkKind
from catalog.walls import WallFamily
from optimizer.arithmetic.replica_rows import ReplicaRow
from optimizer.arithmetic.step_times import Resource
from optimizer.bottleneck.binding import latency_ratios
from optimizer.bottleneck.hypothetical import BOUNDLESS, FAMILY, RESOURCES, one_at_a_time, with_resources
from optimizer.evaluate import (
    KV_SHARE_PER_DEVIATION,
    LOWEST_RATE_PER_S,
    Candidates,
    Physics,
    Question,
    State,
    least_statistics,
    mean_state,
    statistics_of,
    tabulate,
)
from optimizer.search.bounds import OUTWARD
from optimizer.topology.format_choices import FormatChoice
from optimizer.topology.layouts import MAX_NUM_SEQS, TOKEN_BUDGETS, CandidateSpace
from optimizer.traffic.fluid import longest_needs

Floats = NDArray[np.float64]
FACTORS = (1.1, 1.25, 1.5, 2.0, 4.0)
# Candidates whose laws are evaluated together.
LAWS = 16


@dataclass(frozen=True)
class Impossible:
    """The wall, the requirement that stands for it, and the least number that any admitted design reaches.

    limit and least are seconds for a latency, bytes for the memory of one accelerator. accelerator: the part of the
    candidate that comes closest. share: what the wall alone takes of a latency; None for memory.
    """

    wall: WallFamily
    requirement: str
    limit: float
    least: float
    accelerator: str
    accelerators_per_replica: int
    share: WallShare | None


@dataclass(frozen=True)
class WallShare:
    """What a latency would be on the closest candidate if nothing but the wall took time, beside fixed times.

    resource_s: reading memory, multiplying or moving bytes between accelerators; 0 for the latency floor. fixed_s:
    launches, hops and host. per_s: bytes or FLOPs per second of one accelerator, None where fixed times are the wall.
    """

    resource_s: float
    fixed_s: float
    per_s: float | None


def impossible_at_any_rate(space: CandidateSpace, physics: Physics, question: Question) -> Impossible | None:
    """The wall that even one request at a time cannot pass; None if some candidate carries one request at a time."""
    keys = np.arange(len(space.keys))
    kv_tokens = physics.kv_tokens_per_pipeline(keys, question.deviations)
    fits = kv_tokens >= _longest_needs(physics)
    if not fits.any():
        return too_small(space, physics, question)

    fitting = keys[fits]
    alone = _Alone.of(physics, fitting, question)
    closest = alone.closest()
    if closest is None:
        return None
    worst = int(alone.ratios(np.array([closest]))[0].argmax())
    limit = question.limits[worst]
    key = int(fitting[closest])
    wall = _wall_of_latency(physics, key, question)
    return Impossible(
        wall=wall,
        requirement=limit.id,
        limit=limit.limit_s,
        least=alone.least_ratio(worst) * limit.limit_s,
        accelerator=space.keys[key].accelerator.id,
        accelerators_per_replica=space.layouts[key].accelerators,
        share=_share(space, physics, key, replace(question, limits=(limit,)), wall),
    )


@dataclass(frozen=True)
class _Alone:
    """Candidates that serve one request at a time, and ratios of predicted to limit that none of them goes below.

    bounds: (R, limits), without any waiting. The laws are evaluated only where these leave a choice.
    """

    candidates: Candidates
    state: State
    question: Question
    bounds: Floats

    @staticmethod
    def of(physics: Physics, keys: NDArray[np.int64], question: Question) -> _Alone:
        candidates = _alone(physics, keys)
        state = mean_state(candidates, np.full(len(keys), LOWEST_RATE_PER_S), question)
        least = least_statistics(candidates, state, question.limits) * (1.0 - OUTWARD)
        return _Alone(candidates, state, question, least / _limits_s(question))

    def ratios(self, rows: NDArray[np.int64]) -> Floats:
        """Predicted/limit of some candidates, (R, limits)."""
        limits = self.question.limits
        return statistics_of(self.candidates.take(rows), self.state.take(rows), limits) / _limits_s(self.question)

    def closest(self) -> int | None:
        """The candidate that misses the fewest limits, then by the least largest ratio; None if one misses none."""
        optimistic = [
            (int((row > 1.0).sum()), float(row.max(initial=0.0)), place) for place, row in enumerate(self.bounds)
        ]
        order = sorted(optimistic)
        best = (len(self.question.limits) + 1, np.inf, 0)
        for start in range(0, len(order), LAWS):
            tried = [place for *bound, place in order[start : start + LAWS] if tuple(bound) <= best[:2]]
            if not tried:
                break
            for place, row in zip(tried, self.ratios(np.array(tried)), strict=True):
                best = min(best, (int((row > 1.0).sum()), float(row.max(initial=0.0)), place))
            if best[0] == 0:
                return None
        return best[2]

    def least_ratio(self, limit: int) -> float:
        """The least predicted/limit of one limit over all candidates."""
        bounds = self.bounds[:, limit]
        order = np.argsort(bounds, kind="stable")
        least = np.inf
        for start in range(0, len(order), LAWS):
            tried = order[start : start + LAWS]
            tried = tried[bounds[tried] < least]
            if not len(tried):
                break
            least = min(least, float(self.ratios(tried)[:, limit].min()))
        return float(least)


def _limits_s(question: Question) -> Floats:
    return np.array([limit.limit_s for limit in question.limits])


def _share(space: CandidateSpace, physics: Physics, key: int, question: Question, wall: WallFamily) -> WallShare:
    """What the wall alone takes of the one latency limit of a question, and the fixed times beside it."""
    factors = np.full((2, len(RESOURCES)), BOUNDLESS)
    per_s = None
    for column, resource in enumerate(RESOURCES):
        if FAMILY[resource] is wall:
            factors[0, column] = 1.0
            per_s = _per_s(space.keys[key], space.formats[key], resource)
    copies = with_resources(physics, key, factors, TOKEN_BUDGETS[-1], MAX_NUM_SEQS[-1])
    alone_s, fixed_s = (latency_ratios(copies, question)[:, 0] * question.limits[0].limit_s).tolist()
    return WallShare(alone_s - fixed_s, fixed_s, per_s)


def _per_s(row: ReplicaRow, formats: FormatChoice, resource: Resource) -> float | None:
    """Bytes or FLOPs per second of one accelerator, as its data sheet has them; None where it has none."""
    part = row.accelerator
    match resource:
        case Resource.MEMORY_CAPACITY:
            return None
        case Resource.MEMORY_BANDWIDTH:
            return part.memory_bandwidth_bytes_per_s
        case Resource.COMPUTE:
            kernels = next(each for each in row.weights.kernels if each.activations == formats.activations)
            return part.peak_flop_per_s.get(kernels.gemm_precision)
        case Resource.NETWORK:
            link = part.link
            linked = None if row.link is LinkKind.PCIE else link.all_to_all_bytes_per_s or link.pair_bytes_per_s
            return linked or part.pcie_bytes_per_s


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
        share=None,
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
