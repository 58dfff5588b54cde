"""The offline load: requests always wait, so that every replica runs as many at once as it can.

The step is the same T(N) as under arrivals (`traffic.fluid.mean_step`). Instead of the rate the number N of decoding
sequences is given: the least of

- the engine's slots, max_num_seqs;
- what the KV cache holds when each request in flight has room for its whole length, at 2.33 standard deviations, so
  that none is evicted; at least the longest request must fit;
- what the token budget B can keep supplied with prompts: N + N·E[s]/E[o] ≤ B.

A pipeline then completes N/(E[o]·T(N)) requests per second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.evaluate.candidates import Candidates
from optimizer.evaluate.state import Question, scenario_tables
from optimizer.traffic.fluid import OCCUPANCY_DEVIATIONS, longest_needs, mean_step
from optimizer.traffic.step_tables import at_sequences
from optimizer.traffic.tails import own_time

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class FullBatch:
    """R candidates at M numbers of slots while requests wait; (R, M) unless said.

    fits (R, 1): the longest request fits. sequences: decoding at once in one pipeline. step_s: mean step.
    rate_per_s: requests per second of the whole replica. longest_s: from admission to last token of the longest
    request. redone_s: work on a request in flight that is lost when the replica is, on average at most.
    kv_tokens, kv_tokens_needed: KV cache of a pipeline, tokens, (R, 1) and (R, M).
    """

    fits: Bools
    sequences: Floats
    step_s: Floats
    rate_per_s: Floats
    longest_s: Floats
    redone_s: Floats
    kv_tokens: Floats
    kv_tokens_needed: Floats


def full_batch(candidates: Candidates, question: Question, max_num_seqs: Floats) -> FullBatch:
    """Replicas with requests in wait in the question's scenario, at each number of slots (M,) or (R, M).

    A request in flight is lost halfway through its output on average, E[o²]/(2 E[o]) tokens because long ones are in
    flight for longer; its prompt is counted as whole, and as the longest.
    """
    physics, keys = candidates.physics, candidates.keys
    bins, step_times = physics.bins, physics.step_times
    tables = scenario_tables(candidates, question.deviations)
    kv_tokens = physics.kv_tokens_per_pipeline(keys, question.deviations)
    groups = step_times.dp_attention[keys].astype(np.float64)
    fits = kv_tokens >= longest_needs(bins, step_times.kv_block_tokens, groups)

    reserved = bins.mean_reserved + step_times.kv_block_tokens / 2.0
    room = np.maximum(_most_within(kv_tokens, reserved, OCCUPANCY_DEVIATIONS * bins.reserved_deviation), 1.0)
    supplied = candidates.token_budget / (1.0 + bins.mean_new_tokens / bins.mean_output)
    slots = np.broadcast_to(max_num_seqs, (len(candidates), max_num_seqs.shape[-1]))
    sequences = np.minimum(np.minimum(room, supplied)[:, None], slots)

    def at(table: Floats) -> Floats:
        many = np.repeat(table, slots.shape[1], axis=0)
        return at_sequences(many, sequences.reshape(-1)).reshape(slots.shape)

    step_s = at(mean_step(tables, bins, candidates.token_budget))
    hold_s = at(tables.hold_s[:, :, -1])
    first_s = own_time(hold_s, tables.added_s[:, -1:], step_times.host_s[keys], step_times.own_prefill_factor[keys])
    output = bins.mean_output[:, None]
    return FullBatch(
        fits=fits[:, None],
        sequences=sequences,
        step_s=step_s,
        rate_per_s=step_times.pp[keys][:, None] * sequences / (output * step_s),
        longest_s=first_s + bins.output_tokens.max(axis=1)[:, None] * step_s,
        redone_s=first_s + bins.mean_generated[:, None] * step_s,
        kv_tokens=kv_tokens[:, None],
        kv_tokens_needed=sequences * reserved[:, None]
        + OCCUPANCY_DEVIATIONS * np.sqrt(sequences) * bins.reserved_deviation[:, None],
    )


def _most_within(kv_tokens: Floats, each: Floats, spread: Floats) -> Floats:
    """Largest N with N·each + √N·spread ≤ kv_tokens, (R,); 0 where there is no room."""
    root = (np.sqrt(spread**2 + 4.0 * each * np.maximum(kv_tokens, 0.0)) - spread) / (2.0 * each)
    most: Floats = root**2
    return most
