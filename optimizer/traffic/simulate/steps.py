"""Steps of one pipeline, read from the tables of the traffic laws at whole numbers of sequences.

A step with N sequences decoding takes decode(N). Of the prompts in it the one with the most tokens takes what a lone
prompt takes beside N sequences, each other one what it adds to a step that carries a prompt anyway: the tables `hold_s`
and `added_s`, which the law of the first token reads in the same way. A chunk takes its share of its prompt.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic.fluid import TrafficTables
from optimizer.traffic.step_tables import SEQUENCES, prefill_chunks
from optimizer.traffic.workload_bins import WorkloadBins

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class PipelineSteps:
    """Step times of one pipeline, seconds, for N = 0 … slots sequences and J prompt lengths.

    decode_s (N,). new_tokens (J,): prompt tokens to compute, rising; between them everything is linear, and a shorter
    prompt takes what the shortest takes. alone_s (N, J): what a prompt adds by itself to N decoding sequences.
    beside_s (J,): what it adds beside another prompt, further_chunk_s more for every chunk but its first.
    """

    decode_s: Floats
    new_tokens: Floats
    alone_s: Floats
    beside_s: Floats
    further_chunk_s: float

    @cached_property
    def alone_rows_s(self) -> list[list[float]]:
        """`alone_s` in lists, of which single numbers are quicker to read."""
        rows: list[list[float]] = self.alone_s.tolist()
        return rows

    def between_nodes(self, tokens: Integers | Floats) -> tuple[Integers, Floats]:
        """The node below each number of prompt tokens (n,), and the distance from there to the next as a share."""
        nodes = self.new_tokens
        inside = np.clip(tokens.astype(np.float64), nodes[0], nodes[-1])
        place = np.minimum(np.searchsorted(nodes, inside, side="right") - 1, len(nodes) - 2)
        return place, (inside - nodes[place]) / (nodes[place + 1] - nodes[place])

    def beside(self, tokens: Integers | Floats) -> Floats:
        """What prompts of so many tokens add beside another one, (n,) seconds."""
        return np.interp(tokens, self.new_tokens, self.beside_s)

    def price(self, tokens: float) -> tuple[int, float, float]:
        """What `between_nodes` and `beside` say of one prompt, without arrays."""
        nodes, beside_s = self._nodes
        place, share = _between(tokens, nodes)
        return place, share, beside_s[place] + share * (beside_s[place + 1] - beside_s[place])

    def alike(self, prompt: int, computed: int) -> float:
        """Tokens of a prompt without a prefix that takes as long as the last `computed` tokens of a longer prompt.

        They take what the whole prompt takes beyond its prefix, so that they attend to all of it, and no less than a
        prompt of their own length.
        """
        nodes, beside_s = self._nodes
        prefix_s = self.price(prompt - computed)[2] if computed < prompt else 0.0
        place, share = _between(self.price(prompt)[2] - prefix_s, beside_s)
        return max(nodes[place] + share * (nodes[place + 1] - nodes[place]), float(computed))

    @cached_property
    def _nodes(self) -> tuple[list[float], list[float]]:
        """`new_tokens` and `beside_s` in lists."""
        return self.new_tokens.tolist(), self.beside_s.tolist()


def _between(value: float, nodes: list[float]) -> tuple[int, float]:
    """The node below a value, and the distance from there to the next as a share; beyond the ends, the end."""
    if value >= nodes[-1]:
        return len(nodes) - 2, 1.0
    place = max(bisect_right(nodes, value) - 1, 0)
    return place, max(value - nodes[place], 0.0) / (nodes[place + 1] - nodes[place])


def pipeline_steps(tables: TrafficTables, bins: WorkloadBins, token_budget: float, slots: int) -> PipelineSteps:
    """The steps of one candidate.

    A last node, in proportion to the longest prompt, holds what a preempted request computes once more.

    Args:
        tables: of one row, slowed to its scenario.
        bins: the workload that the tables were made for.
        token_budget: max_num_batched_tokens.
        slots: most sequences at once.

    """
    chunks = prefill_chunks(bins, np.array([token_budget]), np.maximum(SEQUENCES, 1.0)[None, :])[0]
    alone_s = np.maximum(tables.hold_s[0] - chunks * tables.decode_s[0][:, None], 0.0)
    beside_s = tables.added_s[0]
    new_tokens = bins.new_tokens[0]
    longest = float(new_tokens[-1])
    again = longest + float(bins.longest_output[0])
    numbers = np.arange(slots + 1, dtype=np.float64)

    def at_numbers(table: Floats) -> Floats:
        return np.stack([np.interp(numbers, SEQUENCES, column) for column in table.T], axis=1)

    return PipelineSteps(
        decode_s=at_numbers(tables.decode_s.T)[:, 0],
        new_tokens=np.append(new_tokens, again),
        alone_s=at_numbers(np.append(alone_s, alone_s[:, -1:] * (again / longest), axis=1)),
        beside_s=np.append(beside_s, beside_s[-1] * (again / longest)),
        further_chunk_s=float(tables.further_chunk_s[0]),
    )
