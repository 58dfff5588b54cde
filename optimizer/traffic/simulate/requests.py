"""Requests as they arrive: Poisson or in batches, with lengths drawn from the distributions of a specification."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from requirements_specs.traces.trace import PrefixBlocks, Trace
from requirements_specs.workload import Workload

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Requests:
    """n requests in the order of their arrival; every field (n,).

    new_tokens: of the prompt, those that are computed and not found in the prefix cache. prefix_blocks: where they are
    known, the prefix cache is simulated, and new_tokens is all of the prompt.
    """

    arrival_s: Floats
    prompt_tokens: Integers
    new_tokens: Integers
    output_tokens: Integers
    prefix_blocks: PrefixBlocks | None = None

    def __len__(self) -> int:
        """Number of requests."""
        return len(self.arrival_s)


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
    return Requests(np.cumsum(gaps), prompt_tokens, new_tokens, workload.output_tokens.draw(outputs, count))


def requests_of(trace: Trace, prefix_cache_hit: float) -> Requests:
    """The requests of a trace; of prompts without known blocks a share is found in the prefix cache."""
    prompt_tokens = trace.prompt_tokens.astype(np.int64)
    blocks = trace.prefix_blocks
    return Requests(
        arrival_s=trace.arrival_s - trace.arrival_s[0],
        prompt_tokens=prompt_tokens,
        new_tokens=_uncached(prompt_tokens, prefix_cache_hit) if blocks is None else prompt_tokens,
        output_tokens=trace.output_tokens.astype(np.int64),
        prefix_blocks=blocks,
    )


def _uncached(prompt_tokens: Integers, prefix_cache_hit: float) -> Integers:
    new_tokens: Integers = np.maximum(np.rint(prompt_tokens * (1.0 - prefix_cache_hit)), 1.0).astype(np.int64)
    return new_tokens
