"""How requests are spread over the pipelines of all replicas."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic.simulate.pipeline import EngineLimits, Pipeline
from optimizer.traffic.simulate.requests import Requests
from optimizer.traffic.simulate.steps import PipelineSteps
from optimizer.traffic.simulate.work import Work

Floats = NDArray[np.float64]


class Router(StrEnum):
    """round_robin: in turn. least_loaded: where the fewest requests are, the first of equals."""

    ROUND_ROBIN = "round_robin"
    LEAST_LOADED = "least_loaded"


@dataclass(frozen=True)
class Served:
    """When each request got its first and its last token, (n,) seconds, infinite if not in time; and preemptions.

    slots_filled: whether all slots of a pipeline were ever taken; if not, more of them would change nothing.
    """

    first_s: Floats
    end_s: Floats
    preemptions: int
    slots_filled: bool


def serve(
    steps: PipelineSteps,
    limits: EngineLimits,
    pipelines: int,
    requests: Requests,
    router: Router,
    horizon_s: float,
    *,
    skipping: bool = True,
) -> Served:
    """Serve requests on equal pipelines, by every step that starts before the horizon."""
    work = Work(steps, requests)
    fleet = [Pipeline(steps, limits, work, skipping=skipping) for _ in range(pipelines)]
    match router:
        case Router.ROUND_ROBIN:
            for request in range(len(requests)):
                fleet[request % pipelines].submit(request)
        case Router.LEAST_LOADED:
            for request, arrival_s in enumerate(work.arrival_s):
                for pipeline in fleet:
                    pipeline.advance(arrival_s)
                min(fleet, key=lambda pipeline: pipeline.load).submit(request)
    for pipeline in fleet:
        pipeline.advance(horizon_s)
    return Served(
        first_s=np.array(work.first_s),
        end_s=np.array(work.end_s),
        preemptions=sum(pipeline.preemptions for pipeline in fleet),
        slots_filled=any(pipeline.slots_filled for pipeline in fleet),
    )
