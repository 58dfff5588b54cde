"""A workload whose requests get several tokens a step, as the traffic laws read it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic.workload_bins import WorkloadBins

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StepBins(WorkloadBins):
    """A workload whose `output_tokens` are counted in steps. Memory is of the tokens, as in `tokens`."""

    tokens: WorkloadBins

    @cached_property
    def mean_context(self) -> Floats:
        """As of the tokens."""
        return self.tokens.mean_context

    @cached_property
    def context_deviation(self) -> Floats:
        """As of the tokens."""
        return self.tokens.context_deviation

    @cached_property
    def mean_reserved(self) -> Floats:
        """As of the tokens."""
        return self.tokens.mean_reserved

    @cached_property
    def reserved_deviation(self) -> Floats:
        """As of the tokens."""
        return self.tokens.reserved_deviation

    @cached_property
    def longest_request(self) -> Floats:
        """As of the tokens."""
        return self.tokens.longest_request

    @cached_property
    def longest_output(self) -> Floats:
        """As of the tokens."""
        return self.tokens.longest_output


def in_steps(bins: WorkloadBins, tokens_per_step: float) -> StepBins:
    """The workload if each step after the prefill, which gives the first token, yields `tokens_per_step` on average.

    The time from the first to the last token is then (output − 1)/tokens_per_step steps, and TPOT a step's time over
    tokens_per_step.
    """
    return StepBins(
        prompt_tokens=bins.prompt_tokens,
        prompt_share=bins.prompt_share,
        prefix_cache_hit=bins.prefix_cache_hit,
        output_tokens=1.0 + (bins.output_tokens - 1.0) / tokens_per_step,
        output_share=bins.output_share,
        tokens=bins,
    )
