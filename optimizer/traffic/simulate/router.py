"""How requests are spread over the pipelines of all replicas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from optimizer.arithmetic.speculative import Speculation
from optimizer.traffic.simulate.pipeline import Pipeline
from optimizer.traffic.simulate.prefix_cache import PrefixCache
from optimizer.traffic.simulate.requests import Requests
from optimizer.traffic.simulate.steps import PipelineSteps
from optimizer.traffic.simulate.stepwise import EngineLimits, StepwisePipeline
from optimizer.traffic.simulate.work import Work

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

    slots_filled: whether all slots of a pipeline were ever taken; if not, more of them would change nothing.
    found_tokens (n,): of each prompt, what a simulated prefix cache held; None without one.
    """

    first_s: Floats
    end_s: Floats
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
    fleet = [pipeline_of(steps, limits, work, cache) for cache in caches]
    match router:
        case Router.ROUND_ROBIN:
            for turn, pipeline in enumerate(fleet):
                pipeline.submit(range(turn, len(requests), pipelines))
        case Router.LEAST_LOADED:
            for request, arrival_s in enumerate(work.arrival_s):
                for pipeline in fleet:
                    pipeline.advance(arrival_s)
                min(fleet, key=lambda pipeline: pipeline.load).submit([request])
        case Router.PREFIX_AWARE:
            for request, arrival_s in enumerate(work.arrival_s):
                for pipeline in fleet:
                    pipeline.advance(arrival_s)
                _prefix_aware(fleet, request).submit([request])
    for pipeline in fleet:
        pipeline.advance(horizon_s)
    return Served(
        first_s=np.array(work.first_s),
        end_s=np.array(work.end_s),
        preemptions=sum(pipeline.preemptions for pipeline in fleet),
        slots_filled=any(pipeline.slots_filled for pipeline in fleet),
        found_tokens=None if blocks is None else np.array(work.found),
    )


def _prefix_aware(fleet: Sequence[StepwisePipeline], request: int) -> StepwisePipeline:
    """Where a request goes that is routed by its prefix."""
    most = min(pipeline.load for pipeline in fleet) + LOAD_MARGIN
    free = [pipeline for pipeline in fleet if pipeline.load <= most]
    return max(free, key=lambda pipeline: (pipeline.cached_tokens(request), -pipeline.load))
