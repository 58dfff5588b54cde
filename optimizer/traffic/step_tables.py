"""Step times of candidates as tables over the number of decoding sequences.

The traffic laws read step times only from here; between the nodes the tables are linear. Each table is made
non-decreasing by a running maximum, so that every law built on it is monotone in the arrival rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.arithmetic.step_times import StepTimes
from optimizer.traffic.workload_bins import WorkloadBins

Floats = NDArray[np.float64]

# Nothing, then powers of two and 1.5 times them; the largest is the largest max_num_seqs that the search offers.
SEQUENCES: Floats = np.array(
    [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024], dtype=np.float64
)
# A chunk is never smaller than one KV block, however many decoding sequences share the budget.
SMALLEST_CHUNK_TOKENS = 16.0


@dataclass(frozen=True)
class KeyTables:
    """Of K physics keys, over the G nodes of `SEQUENCES` or the J prompt bins; seconds.

    decode_s (K, G): a step that only decodes; its first node is a lone sequence. fluid_s (K, G): the envelope of a
    step that decodes and computes the prompt tokens that arrive per step when prefill is spread evenly over all
    steps. The envelope lies below every step and is convex in the prompt tokens, so by Jensen's inequality no schedule
    has a shorter mean step: it is both the floor of the evaluation and the bound of the search.
    added_s (K, J): what the whole prompt adds at most to a step that decodes anyway. further_chunk_s (K,): what one
    more chunk adds to that.
    """

    decode_s: Floats
    fluid_s: Floats
    added_s: Floats
    further_chunk_s: Floats


def key_tables(step_times: StepTimes, bins: WorkloadBins) -> KeyTables:
    """The tables of every key of `step_times`."""
    sequences = SEQUENCES[None, 1:]
    context = bins.mean_context[:, None]
    decode_s = step_times.step_seconds(0.0, 0.0, 0.0, sequences, context)
    requests_per_step = sequences / bins.mean_output[:, None]
    prefix = (bins.mean_prompt - bins.mean_new_tokens)[:, None]
    fluid_s = step_times.floor_seconds(
        requests_per_step * bins.mean_new_tokens[:, None], requests_per_step, prefix, sequences, context
    )
    lone = decode_s[:, :1]
    added_s = step_times.added_seconds(bins.new_tokens, bins.prompt_tokens - bins.new_tokens)
    return KeyTables(
        decode_s=np.maximum.accumulate(np.concatenate([lone, decode_s], axis=1), axis=1),
        fluid_s=np.maximum.accumulate(np.concatenate([lone, np.maximum(fluid_s, decode_s)], axis=1), axis=1),
        added_s=np.maximum.accumulate(added_s, axis=1),
        further_chunk_s=step_times.added_seconds(SMALLEST_CHUNK_TOKENS, 0.0)[:, 0],
    )


def prefill_holds(
    step_times: StepTimes, bins: WorkloadBins, token_budget: Floats, sequences: Floats = SEQUENCES
) -> Floats:
    """Length of the steps that carry the prefill of one prompt, (R, G, J) seconds.

    A prompt of s new tokens goes in m = ⌈s/c⌉ equal chunks of at most c = budget − sequences tokens; a chunk's
    prefix is on average the cached part plus half of the rest. hold = m·(step with chunk). Beside nobody it is what
    it is beside one sequence.

    Args:
        step_times: R candidates.
        bins: the workload, R rows or one for all.
        token_budget: max_num_batched_tokens, (R,).
        sequences: the nodes, (G,).

    """
    beside = np.maximum(sequences, 1.0)
    chunks = prefill_chunks(bins, token_budget, beside[None, :])
    new_tokens = bins.new_tokens[:, None, :]
    chunk_tokens = new_tokens / chunks
    cached = (bins.prompt_tokens - bins.new_tokens)[:, None, :]
    with_chunk = step_times.step_seconds(
        chunk_tokens,
        1.0,
        cached + (new_tokens - chunk_tokens) / 2.0,
        beside[None, :, None],
        bins.mean_context[:, None, None],
    )
    hold = np.maximum.accumulate(chunks * with_chunk, axis=1)
    return np.maximum.accumulate(hold, axis=2)


def prefill_chunks(bins: WorkloadBins, token_budget: Floats, sequences: Floats) -> Floats:
    """Number of steps that the prefill of a prompt takes, (R, G, J), beside `sequences` (R or 1, G) decoding."""
    largest_chunk = np.maximum(token_budget[:, None] - sequences, SMALLEST_CHUNK_TOKENS)
    return np.ceil(bins.new_tokens[:, None, :] / largest_chunk[:, :, None])


def at_sequences(table: Floats, sequences: Floats) -> Floats:
    """Linear interpolation of a table (R, G) at a number of sequences (R,); constant beyond the last node."""
    right = np.clip(np.searchsorted(SEQUENCES, sequences), 1, len(SEQUENCES) - 1)
    rows = np.arange(len(table))
    low, high = SEQUENCES[right - 1], SEQUENCES[right]
    share = np.clip((sequences - low) / (high - low), 0.0, 1.0)
    interpolated: Floats = table[rows, right - 1] + share * (table[rows, right] - table[rows, right - 1])
    return interpolated
