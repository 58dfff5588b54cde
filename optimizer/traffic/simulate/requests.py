"""Requests as they arrive: drawn, Poisson or in batches, with lengths of a specification; or those of a trace."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from requirements_specs.traces.facts import Window
from requirements_specs.traces.trace import PrefixBlocks, Trace
from requirements_specs.workload import Workload

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# A margin takes at most this share of a window of a trace, at either end.
MOST_OF_A_WINDOW = 0.25


@dataclass(frozen=True)
class Requests:
    """n requests in the order of their arrival; every field (n,).

    new_tokens: of the prompt, those that are computed and not found in the prefix cache. prefix_blocks: where they are
    known, the prefix cache is simulated, and new_tokens is all of the prompt. seed: of what is drawn while serving.
    """

    arrival_s: Floats
    prompt_tokens: Integers
    new_tokens: Integers
    output_tokens: Integers
    prefix_blocks: PrefixBlocks | None = None
    seed: int = 0

    def __len__(self) -> int:
        """Number of requests."""
        return len(self.arrival_s)


@dataclass(frozen=True)
class Stream:
    """Requests to serve, and which of them count; those before and after load the fleet."""

    requests: Requests
    counted: slice


def draw_requests(workload: Workload, rate_per_s: float, count: int, seed: int, burstiness: float = 1.0) -> Requests:
    """Draw `count` requests at a mean rate.

    The same seed gives the same lengths and the same arrivals, stretched to the rate, whatever serves them.

    Args:
        workload: lengths and cached share.
        rate_per_s: mean arrivals per second.
        count: how many.
        seed: of the random numbers.
        burstiness: squared coefficient of variation of the time between arrivals, ≥ 1. Above 1 requests come in
            batches of geometric size with mean (burstiness + 1)/2, and batches are Poisson.

    """
    when, how_many, prompts, outputs = (np.random.default_rng([seed, stream]) for stream in range(4))
    batch = (burstiness + 1.0) / 2.0
    gaps = when.exponential(batch / rate_per_s, count)
    gaps[how_many.uniform(size=count) >= 1.0 / batch] = 0.0
    prompt_tokens = workload.prompt_tokens.draw(prompts, count)
    new_tokens = _uncached(prompt_tokens, workload.prefix_cache_hit)
    output_tokens = workload.output_tokens.draw(outputs, count)
    return Requests(np.cumsum(gaps), prompt_tokens, new_tokens, output_tokens, seed=seed)


def stream_of(trace: Trace, window: Window, margin_s: float, prefix_cache_hit: float) -> Stream:
    """The requests of a trace as they came, of which those in a window count.

    Args:
        trace: arrival times, lengths, and where they are known the blocks of prompts.
        window: the part of it that counts.
        margin_s: what is served before and after it. As far as the trace does not go on there, the margin is taken from
            the window, at most a quarter of it at either end. A prefix cache remembers what came long before, so where
            blocks are known, all that came before is served.
        prefix_cache_hit: share of each prompt that is found in the prefix cache where blocks are not known.

    """
    margin_s = min(margin_s, MOST_OF_A_WINDOW * window.length_s)
    arrival_s, blocks = trace.arrival_s, trace.prefix_blocks
    window_end_s = window.start_s + window.length_s
    first_s, last_s = float(arrival_s[0]), min(float(arrival_s[-1]), window_end_s + margin_s)
    if blocks is None:
        first_s = max(first_s, window.start_s - margin_s)
    ends_s = (first_s, max(window.start_s, first_s + margin_s), min(window_end_s, last_s - margin_s))
    first, begin, end = np.searchsorted(arrival_s, ends_s).tolist()
    served = trace.part(first, int(np.searchsorted(arrival_s, last_s, side="right")))
    prompt_tokens = served.prompt_tokens.astype(np.int64)
    requests = Requests(
        arrival_s=served.arrival_s - served.arrival_s[0],
        prompt_tokens=prompt_tokens,
        new_tokens=_uncached(prompt_tokens, prefix_cache_hit) if blocks is None else prompt_tokens,
        output_tokens=served.output_tokens.astype(np.int64),
        prefix_blocks=served.prefix_blocks,
    )
    return Stream(requests, slice(begin - first, max(begin, end) - first))


def _uncached(prompt_tokens: Integers, prefix_cache_hit: float) -> Integers:
    new_tokens: Integers = np.maximum(np.rint(prompt_tokens * (1.0 - prefix_cache_hit)), 1.0).astype(np.int64)
    return new_tokens
