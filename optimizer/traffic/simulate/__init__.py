"""An event simulation of replicas with continuous batching, on the step tables of the traffic laws.

It has no physics of its own: a step takes what the tables of `traffic.fluid` say. What it knows and the laws do not
is the order of things: who waits, who shares a step, whose cache is full.
"""

from optimizer.traffic.simulate.pipeline import Pipeline
from optimizer.traffic.simulate.pools import PooledFleet, PooledSample, replay_pooled
from optimizer.traffic.simulate.requests import Requests, Stream, draw_requests, stream_of
from optimizer.traffic.simulate.router import Router, Served, serve
from optimizer.traffic.simulate.run import Fleet, Plan, Sample, replay, run
from optimizer.traffic.simulate.statistics import Estimate, estimate
from optimizer.traffic.simulate.steps import PipelineSteps, pipeline_steps
from optimizer.traffic.simulate.stepwise import EngineLimits

__all__ = [
    "EngineLimits",
    "Estimate",
    "Fleet",
    "Pipeline",
    "PipelineSteps",
    "Plan",
    "PooledFleet",
    "PooledSample",
    "Requests",
    "Router",
    "Sample",
    "Served",
    "Stream",
    "draw_requests",
    "estimate",
    "pipeline_steps",
    "replay",
    "replay_pooled",
    "run",
    "serve",
    "stream_of",
]
