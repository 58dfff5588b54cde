"""The mean layer: how many sequences decode together, how long a step takes, how loaded the replica is.

With N sequences decoding, N/E[o] prompts arrive per step, in q chunks, each of which lengthens a step by as much:

    T(N) = max(D(N) + q·(E[H(N)]/E[m] − D(N)), S(N)),   q = E[m]·N/E[o]

D the decode step, H the m steps that carry the chunks of a prompt, S the fluid floor. The operating
point is the smallest N = λ·E[o]·T(N); where there is none, the replica is overloaded. Everything here is
non-decreasing in the arrival rate λ, and non-increasing in every resource of the part.

Rates are those of one pipeline (a replica with pp stages is pp interleaved pipelines); times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic.step_tables import SEQUENCES, at_sequences, prefill_chunks
from optimizer.traffic.workload_bins import WorkloadBins

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
# Occupancy walls hold at this many standard deviations: the 0.99 quantile of a normal law.
OCCUPANCY_DEVIATIONS = 2.3263478740408408


@dataclass(frozen=True)
class TrafficTables:
    """What the traffic laws know of R candidates; seconds, already slowed to the scenario.

    decode_s, fluid_s (R, G); hold_s (R, G, J) per prompt bin; added_s (R, J), further_chunk_s (R,).
    """

    decode_s: Floats
    fluid_s: Floats
    hold_s: Floats
    added_s: Floats
    further_chunk_s: Floats


@dataclass(frozen=True)
class OperatingPoint:
    """The mean state of R candidates at their arrival rates; every field (R,) unless said.

    overloaded: no operating point exists; the other fields are then those at the largest node and must not be
    reported. sequences: mean number decoding. step_s: mean step. decode_s: the step without prefill there.
    hold_s (R, J): length of the steps that carry a prompt. added_s (R, J): what it adds beside others' prompts.
    queue_s (R, J): what it adds to the wait of those behind it: its work and, per further chunk, a step.
    queue_load: share of time that this takes. budget_load: share of the token budget that arriving prompts take.
    load: the rate over the rate at which the step grows as fast as the work. deviation: standard deviation of the
    number decoding. dispersion: the index of dispersion of the arrivals.
    """

    overloaded: Bools
    rate_per_s: Floats
    sequences: Floats
    step_s: Floats
    decode_s: Floats
    hold_s: Floats
    added_s: Floats
    queue_s: Floats
    queue_load: Floats
    budget_load: Floats
    load: Floats
    deviation: Floats
    dispersion: Floats


def operating_point(
    rate_per_s: Floats, dispersion: Floats, tables: TrafficTables, bins: WorkloadBins, token_budget: Floats
) -> OperatingPoint:
    """Smallest fixed point of the mean layer.

    Args:
        rate_per_s: arrivals per second at one pipeline, (R,), positive.
        dispersion: their index of dispersion, (R,); it moves nothing but the deviation.
        tables: of the same R candidates.
        bins: the workload, R rows or one for all.
        token_budget: max_num_batched_tokens, (R,).

    """
    share = bins.prompt_share
    tokens_per_s = rate_per_s * bins.mean_output
    step = mean_step(tables, bins, token_budget)
    highest = (SEQUENCES / step).max(axis=1)
    load = tokens_per_s / highest
    overloaded: Bools = load > 1.0
    sequences = _fixed_point(np.where(overloaded, highest, tokens_per_s), step)

    decode_s = at_sequences(tables.decode_s, sequences)
    chunks = prefill_chunks(bins, token_budget, sequences[:, None])[:, 0, :]
    hold_s = _holds_at(tables.hold_s, sequences)
    queue_s = tables.added_s + (chunks - 1.0) * (decode_s + tables.further_chunk_s)[:, None]
    step_s = at_sequences(step, sequences)
    room = np.maximum(token_budget - sequences, 0.0)
    arriving = rate_per_s * bins.mean_new_tokens * step_s
    return OperatingPoint(
        overloaded=overloaded,
        rate_per_s=rate_per_s,
        sequences=sequences,
        step_s=step_s,
        decode_s=decode_s,
        hold_s=hold_s,
        added_s=tables.added_s,
        queue_s=queue_s,
        queue_load=rate_per_s * (queue_s * share).sum(axis=1),
        budget_load=np.divide(arriving, room, out=np.full_like(arriving, np.inf), where=room > 0.0),
        load=load,
        deviation=_deviation(rate_per_s, dispersion, sequences, queue_s, load, share),
        dispersion=dispersion,
    )


def mean_step(tables: TrafficTables, bins: WorkloadBins, token_budget: Floats) -> Floats:
    """T(N) at the nodes, (R, G), non-decreasing."""
    share = bins.prompt_share
    chunks = (prefill_chunks(bins, token_budget, SEQUENCES[None, :]) * share).sum(axis=2)
    chunks_per_step = chunks * SEQUENCES / bins.mean_output[:, None]
    hold_s = (tables.hold_s * share).sum(axis=2)
    step = tables.decode_s + chunks_per_step * (hold_s / chunks - tables.decode_s)
    non_decreasing: Floats = np.maximum.accumulate(np.maximum(step, tables.fluid_s), axis=1)
    return non_decreasing


def _fixed_point(tokens_per_s: Floats, step: Floats) -> Floats:
    """Least N with N = λE[o]·T(N), T linear between the nodes, (R,); some node must satisfy N ≥ λE[o]·T(N)."""
    settled = tokens_per_s[:, None] * step <= SEQUENCES
    # At the highest rate float noise may leave the last node unsettled by one bit.
    right = np.where(settled.any(axis=1), settled.argmax(axis=1), len(SEQUENCES) - 1)
    rows = np.arange(len(step))
    low, high = SEQUENCES[right - 1], SEQUENCES[right]
    start = step[rows, right - 1]
    slope = (step[rows, right] - start) / (high - low)
    past = (tokens_per_s * start - low) / np.maximum(1.0 - tokens_per_s * slope, 1e-12)
    sequences: Floats = np.clip(low + past, low, high)
    return sequences


def _holds_at(hold_s: Floats, sequences: Floats) -> Floats:
    """Holds (R, G, J) between the nodes, (R, J)."""
    bins = hold_s.shape[2]
    flat = np.moveaxis(hold_s, 2, 1).reshape(-1, hold_s.shape[1])
    return at_sequences(flat, np.repeat(sequences, bins)).reshape(-1, bins)


def _deviation(
    rate_per_s: Floats, dispersion: Floats, sequences: Floats, queue_s: Floats, load: Floats, share: Floats
) -> Floats:
    """Standard deviation of the number of decoding sequences.

    Var N = N/(1 − u)·½(D + E(1 + λQ/(1 − u))²): a birth-death process whose service slows as the load u grows, with
    the arrivals that pile up while a prompt that adds Q holds the others; D is their dispersion.
    """
    free = np.maximum(1.0 - load, 1e-9)
    arrivals_during_prefill = (rate_per_s / free)[:, None] * queue_s
    clumping = ((1.0 + arrivals_during_prefill) ** 2 * share).sum(axis=1)
    deviation: Floats = np.sqrt(sequences / free * 0.5 * (dispersion + clumping))
    return deviation


def sequences_needed(point: OperatingPoint) -> Floats:
    """Slots that max_num_seqs must offer, (R,)."""
    return point.sequences + OCCUPANCY_DEVIATIONS * point.deviation


def kv_tokens_needed(point: OperatingPoint, bins: WorkloadBins, block_tokens: int, groups: Floats) -> Floats:
    """KV cache, in tokens, that holds the 0.99 quantile of the occupancy, and always one longest request; (R,).

    N·c̄ + 2.33·√(Var N·c̄² + N·σ²), c̄ the mean context with half a block of rounding. A request lives in the cache of
    one of the `groups` (R,) attention groups that share the whole evenly.
    """
    context = bins.mean_context + block_tokens / 2.0
    spread = np.sqrt((point.deviation * context) ** 2 + point.sequences * bins.context_deviation**2)
    occupied = point.sequences * context + OCCUPANCY_DEVIATIONS * spread
    return np.maximum(occupied, longest_needs(bins, block_tokens, groups))


def longest_needs(bins: WorkloadBins, block_tokens: int, groups: Floats) -> Floats:
    """KV cache of all attention groups, in tokens, when each can hold the longest request; (R,)."""
    return (bins.longest_request + block_tokens) * groups
