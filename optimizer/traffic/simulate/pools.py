"""Prefill and decode pools: prompts are computed in one, their caches are sent, and the other decodes.

A prompt ends with the first token of its answer. Then the cache of all its tokens goes over the one link of its
pipeline: caches leave in the order in which their prompts ended, one after the other, each at the whole bandwidth. They
wait outside of the KV blocks of their pipeline, so that a slow link delays nobody's prompt. In the decode pool a
request holds blocks from its admission on, and only one that is preempted computes its prompt there, with its answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic.simulate.receiving import ReceivingPipeline
from optimizer.traffic.simulate.requests import Requests, Stream
from optimizer.traffic.simulate.router import Served, serve, serve_on
from optimizer.traffic.simulate.run import Fleet, Sample, horizon_of, sample_of
from optimizer.traffic.simulate.work import Work

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class PooledFleet:
    """Two pools, each behind its own router; a request takes the host's time of both.

    kv_bytes_per_token: that are sent of each prompt token. link_bytes_per_s: from each pipeline of the prefill pool.
    Nothing is drafted there, since a prompt ends with its one token.
    """

    prefill: Fleet
    decode: Fleet
    kv_bytes_per_token: float
    link_bytes_per_s: float


@dataclass(frozen=True)
class PooledSample:
    """Counted requests, and for each the time from its first token until its cache has arrived.

    transfer_s (1, n): seconds, with the wait for the link; NaN where the first token is the only one, infinite where
    the prompt was not computed in time.
    """

    sample: Sample
    transfer_s: Floats


def replay_pooled(fleet: PooledFleet, stream: Stream) -> PooledSample:
    """Serve a stream once in two pools and return what counts of it; see `replay`.

    TTFT is that of the prefill pool, and TPOT has the transfer in it.
    """
    requests, prefill, horizon_s = stream.requests, fleet.prefill, horizon_of(stream.requests)
    one_token = replace(requests, output_tokens=np.ones_like(requests.output_tokens))
    prompts = serve(prefill.steps, prefill.limits, prefill.pipelines, one_token, prefill.router, horizon_s)
    first_s, sends = prompts.first_s, requests.output_tokens > 1
    seconds = requests.prompt_tokens.astype(np.float64) * (fleet.kv_bytes_per_token / fleet.link_bytes_per_s)
    arrived_s = _arrivals(np.where(sends, first_s, np.inf), seconds, prompts.pipeline)
    order = np.argsort(arrived_s, kind="stable")[: np.isfinite(arrived_s).sum()]
    answers = _decode(fleet.decode, requests, arrived_s, order, horizon_s)

    end_s = np.where(sends, np.inf, first_s)
    end_s[order] = answers.end_s
    served = replace(
        prompts,
        end_s=end_s,
        preemptions=prompts.preemptions + answers.preemptions,
        slots_filled=prompts.slots_filled or answers.slots_filled,
    )
    transfer_s = np.where(sends, np.inf, np.nan)
    transfer_s[order] = arrived_s[order] - first_s[order]
    return PooledSample(sample_of(prefill, stream, served), transfer_s[None, stream.counted])


def _arrivals(ready_s: Floats, seconds: Floats, link: Integers) -> Floats:
    """When each cache has arrived, (n,), infinite if it is never ready: every link sends what was ready first."""
    arrived_s = np.full_like(ready_s, np.inf)
    free_s: dict[int, float] = {}
    for request in np.argsort(ready_s, kind="stable")[: np.isfinite(ready_s).sum()].tolist():
        start_s = max(ready_s[request], free_s.get(link[request], 0.0))
        free_s[link[request]] = arrived_s[request] = start_s + seconds[request]
    return arrived_s


def _decode(pool: Fleet, requests: Requests, arrived_s: Floats, order: Integers, horizon_s: float) -> Served:
    """What a decode pool makes of the requests `order`, in that order, whose caches arrive."""
    received = Requests(
        arrived_s[order] + pool.host_s,
        requests.prompt_tokens[order],
        requests.new_tokens[order],
        requests.output_tokens[order],
        seed=requests.seed,
    )
    work = Work(pool.steps, received, pool.speculation)
    pipelines = [ReceivingPipeline(pool.steps, pool.limits, work) for _ in range(pool.pipelines)]
    return serve_on(pipelines, work, pool.router, horizon_s)
