"""A workload as the traffic laws read it: binned lengths and their moments.

Prompt and output lengths are independent. The context of a sequence in flight is its prompt plus a uniform share of
its output, seen at a random decode step, so outputs count in proportion to their length (size bias).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from requirements_specs.workload import Workload

PROMPT_BINS = 16
OUTPUT_BINS = 24


@dataclass(frozen=True)
class WorkloadBins:
    """Lengths in tokens. `R` workloads side by side (1 in a solve, one per row in `predict`), `J` bins each.

    prompt_tokens (R, J) and prompt_share (J,): the prompt; `prefix_cache_hit` (R, 1) of it is found in the prefix
    cache, attended to but not computed. output_tokens (R, O) and output_share (O,).
    """

    prompt_tokens: NDArray[np.float64]
    prompt_share: NDArray[np.float64]
    prefix_cache_hit: NDArray[np.float64]
    output_tokens: NDArray[np.float64]
    output_share: NDArray[np.float64]

    @cached_property
    def new_tokens(self) -> NDArray[np.float64]:
        """Prompt tokens that a prefill computes, (R, J); the last one is always computed."""
        return np.maximum(self.prompt_tokens * (1.0 - self.prefix_cache_hit), 1.0)

    @cached_property
    def mean_new_tokens(self) -> NDArray[np.float64]:
        """Mean computed prompt tokens of a request, (R,)."""
        return _mean(self.new_tokens, self.prompt_share)

    @cached_property
    def mean_prompt(self) -> NDArray[np.float64]:
        """Mean prompt length, (R,)."""
        return _mean(self.prompt_tokens, self.prompt_share)

    @cached_property
    def mean_output(self) -> NDArray[np.float64]:
        """Mean output length, (R,)."""
        return _mean(self.output_tokens, self.output_share)

    @cached_property
    def mean_context(self) -> NDArray[np.float64]:
        """Mean context of a sequence in flight, E[s] + E[o²]/(2 E[o]), (R,)."""
        return self.mean_prompt + self.mean_generated

    @cached_property
    def context_deviation(self) -> NDArray[np.float64]:
        """Standard deviation of the context of a sequence in flight, (R,).

        E[c²] = E[s²] + E[s]·E[o²]/E[o] + E[o³]/(3 E[o]).
        """
        mean_output = self.mean_output
        prompt_second = _mean(self.prompt_tokens**2, self.prompt_share)
        output_second = _mean(self.output_tokens**2, self.output_share)
        output_third = _mean(self.output_tokens**3, self.output_share)
        second = prompt_second + self.mean_prompt * output_second / mean_output + output_third / (3.0 * mean_output)
        deviation: NDArray[np.float64] = np.sqrt(np.maximum(second - self.mean_context**2, 0.0))
        return deviation

    @cached_property
    def mean_generated(self) -> NDArray[np.float64]:
        """Mean output so far of a sequence in flight, E[o²]/(2 E[o]), (R,)."""
        return _mean(self.output_tokens**2, self.output_share) / (2.0 * self.mean_output)

    @cached_property
    def mean_reserved(self) -> NDArray[np.float64]:
        """Mean whole length of a sequence in flight, E[s] + E[o²]/E[o], (R,)."""
        reserved: NDArray[np.float64] = self.mean_prompt + 2.0 * self.mean_generated
        return reserved

    @cached_property
    def reserved_deviation(self) -> NDArray[np.float64]:
        """Standard deviation of the whole length of a sequence in flight, (R,); outputs count by their length."""
        prompt = _mean(self.prompt_tokens**2, self.prompt_share) - self.mean_prompt**2
        output = _mean(self.output_tokens**3, self.output_share) / self.mean_output - (2.0 * self.mean_generated) ** 2
        deviation: NDArray[np.float64] = np.sqrt(np.maximum(prompt + output, 0.0))
        return deviation

    @cached_property
    def longest_request(self) -> NDArray[np.float64]:
        """Prompt plus output of the longest request, (R,)."""
        longest: NDArray[np.float64] = self.prompt_tokens.max(axis=1) + self.longest_output
        return longest

    @cached_property
    def longest_output(self) -> NDArray[np.float64]:
        """Output of the longest answer, (R,)."""
        longest: NDArray[np.float64] = self.output_tokens.max(axis=1)
        return longest

    def output_quantile(self, probability: float) -> NDArray[np.float64]:
        """Smallest binned output length with at least `probability` of the requests at or below it, (R,)."""
        reached = np.cumsum(self.output_share) >= probability - 1e-12
        return self.output_tokens[:, int(np.argmax(reached))]

    def prompt_quantile_bin(self, probability: float) -> int:
        """Index of the prompt bin that holds the given quantile."""
        return int(np.argmax(np.cumsum(self.prompt_share) >= probability - 1e-12))


def _mean(values: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = (values * share).sum(axis=1)
    return mean


def bin_workload(workload: Workload) -> WorkloadBins:
    """The one workload of a spec, R = 1."""
    prompt, prompt_share = workload.prompt_tokens.bins(PROMPT_BINS)
    output, output_share = workload.output_tokens.bins(OUTPUT_BINS)
    hit = np.full((1, 1), workload.prefix_cache_hit)
    return WorkloadBins(prompt[None, :], prompt_share, hit, output[None, :], output_share)


def constant_lengths(
    prompt_tokens: NDArray[np.float64], output_tokens: NDArray[np.float64], prefix_cache_hit: NDArray[np.float64]
) -> WorkloadBins:
    """One constant prompt and output length per row; all arguments (R,)."""
    one = np.ones(1)
    return WorkloadBins(prompt_tokens[:, None], one, prefix_cache_hit[:, None], output_tokens[:, None], one)
