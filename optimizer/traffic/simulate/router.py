"""How requests are spread over the pipelines of all replicas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic.simulate.pipeline import Pipeline
from optimizer.traffic.simulate.prefix_cache import PrefixCache
from optimizer.traffic.simulate.requests import Requests
from optimizer.traffic.simulate.steps import PipelineSteps
from optimizer.traffic.simulate.stepwise import EngineLimits, StepwisePipeline
from optimizer.traffic.simulate.work import Work

if TYPE_CHECKING:
    from optimizer.arithmetic.speculative import Speculation

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Router(StrEnum):
    """round_robin: in turn. least_loaded: where the fewest requests are, the first of equals.

    prefix_aware: where most of the prompt is in the prefix cache, among those with at most `LOAD_MARGIN` requests more
    than the least loaded; of equals the least loaded.
    """

    ROUND_ROBIN = "round_robin"
    LEAST_LOADED = "least_loaded"
    PREFIX_AWARE = "prefix_aware"


# A prefix is worth some waiting, but one that everybody asks for must not draw all requests to one replica.
LOAD_MARGIN = 1


@dataclass(frozen=True)
class Served:
    """When each request got its first and its last token, (n,) seconds, infinite if not in time; and preemptions.

    pipeline (n,): where each was served. slots_filled: whether all slots of a pipeline were ever taken; if not, more of
    them would change nothing. found_tokens (n,): of each prompt, what a simulated prefix cache held; None without one.
    """

    first_s: Floats
    end_s: Floats
    pipeline: Integers
    preemptions: int
    slots_filled: bool
    found_tokens: Integers | None = None


def serve(
    steps: PipelineSteps,
    limits: EngineLimits,
    pipelines: int,
    requests: Requests,
    router: Router,
    horizon_s: float,
    *,
    speculation: Speculation | None = None,
    skipping: bool = True,
) -> Served:
    """Serve requests on equal pipelines, by every step that starts before the horizon.

    Each pipeline has a prefix cache of its own where the requests' blocks are known. With `speculation` its steps are
    those that draft and verify.
    """
    work = Work(steps, requests, speculation)
    blocks = requests.prefix_blocks
    caches: list[PrefixCache] | list[None] = [None] * pipelines
    if blocks is not None:
        blocks_of = blocks.of_each()
        caches = [PrefixCache(blocks_of, blocks.block_tokens) for _ in range(pipelines)]
    pipeline_of = Pipeline if skipping else StepwisePipeline
    served = serve_on([pipeline_of(steps, limits, work, cache) for cache in caches], work, router, horizon_s)
    return served if blocks is None else replace(served, found_tokens=np.array(work.found))


def serve_on(fleet: Sequence[StepwisePipeline], work: Work, router: Router, horizon_s: float) -> Served:
    """Route all requests over pipelines that are idle so far, and take every step that starts before the horizon."""
    count = len(work.arrival_s)
    pipeline = np.arange(count) % len(fleet)
    match router:
        case Router.ROUND_ROBIN:
            for turn, each in enumerate(fleet):
                each.submit(range(turn, count, len(fleet)))
        case Router.LEAST_LOADED | Router.PREFIX_AWARE:
            for request, arrival_s in enumerate(work.arrival_s):
                for each in fleet:
                    each.advance(arrival_s)
                found = _least_loaded(fleet) if router is Router.LEAST_LOADED else _prefix_aware(fleet, request)
                fleet[found].submit([request])
                pipeline[request] = found
    for each in fleet:
        each.advance(horizon_s)
    return Served(
        first_s=np.array(work.first_s),
        end_s=np.array(work.end_s),
        pipeline=pipeline,
        preemptions=sum(each.preemptions for each in fleet),
        slots_filled=any(each.slots_filled for each in fleet),
    )


def _least_loaded(fleet: Sequence[StepwisePipeline]) -> int:
    return min(range(len(fleet)), key=lambda each: fleet[each].load)


def _prefix_aware(fleet: Sequence[StepwisePipeline], request: int) -> int:
    """Where a request goes that is routed by its prefix."""
    loads = [pipeline.load for pipeline in fleet]
    free = [each for each, load in enumerate(loads) if load <= min(loads) + LOAD_MARGIN]
    return max(free, key=lambda each: (fleet[each].cached_tokens(request), -loads[each]))
