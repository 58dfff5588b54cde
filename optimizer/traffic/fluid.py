"""The mean layer: how many sequences decode together, how long a step takes, how loaded the replica is.

A fixed point N = λ·E[o]·T(N), T = max(D(N)/(1 − λ·E[Δ(N)]), S(N)): D the decode step, Δ the prefill increment of a
prompt, S the fluid floor. The smallest solution is the operating point; where there is none, the replica is
overloaded. Everything here is non-decreasing in the arrival rate λ.

Rates are those of one pipeline (a replica with pp stages is pp interleaved pipelines); times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic.step_tables import SEQUENCES
from optimizer.traffic.workload_bins import WorkloadBins

Floats = NDArray[np.float64]
# Occupancy walls hold at this many standard deviations: the 0.99 quantile of a normal law.
OCCUPANCY_DEVIATIONS = 2.3263478740408408


@dataclass(frozen=True)
class TrafficTables:
    """What the traffic laws know of R candidates; seconds, already slowed to the scenario.

    decode_s, fluid_s (R, G); increment_s (R, G, J) per prompt bin; mean_increment_s (R, G).
    """

    decode_s: Floats
    fluid_s: Floats
    increment_s: Floats
    mean_increment_s: Floats


@dataclass(frozen=True)
class OperatingPoint:
    """The mean state of R candidates at their arrival rates; every field (R,) unless said.

    overloaded: no fixed point exists; the other fields are then those at the largest node and must not be reported.
    sequences: mean number decoding. step_s: mean step. decode_s: the step without prefill at that point, scaled so
    that decode_s/(1 − prefill_load) = step_s. increment_s (R, J). prefill_load: share of time that prefill takes.
    budget_load: share of the token budget that prefill takes while it runs. decode_elasticity: share of the decode
    step that grows with the number of sequences. deviation: standard deviation of the number decoding.
    """

    overloaded: NDArray[np.bool_]
    rate_per_s: Floats
    sequences: Floats
    step_s: Floats
    decode_s: Floats
    increment_s: Floats
    prefill_load: Floats
    budget_load: Floats
    decode_elasticity: Floats
    deviation: Floats


def operating_point(
    rate_per_s: Floats, tables: TrafficTables, bins: WorkloadBins, token_budget: Floats
) -> OperatingPoint:
    """Smallest fixed point of the mean layer.

    Args:
        rate_per_s: arrivals per second at one pipeline, (R,), positive.
        tables: of the same R candidates.
        bins: the workload, R rows or one for all.
        token_budget: max_num_batched_tokens, (R,).

    """
    mean_output = bins.mean_output
    load = rate_per_s[:, None] * tables.mean_increment_s
    step = _mean_step(load, tables.decode_s, tables.fluid_s)
    settled = (rate_per_s * mean_output)[:, None] * step <= SEQUENCES
    overloaded: NDArray[np.bool_] = ~np.any(settled, axis=1)
    right = np.where(overloaded, len(SEQUENCES) - 1, settled.argmax(axis=1))
    left = np.maximum(right - 1, 0)
    rows = np.arange(len(rate_per_s))
    low, high = SEQUENCES[left], SEQUENCES[right]
    width = high - low

    def on_segment(table: Floats) -> tuple[Floats, Floats]:
        """Value at the left node and slope; below the first node the table is constant."""
        start, stop = table[rows, left], table[rows, right]
        return start, np.divide(stop - start, width, out=np.zeros_like(start), where=width > 0.0)

    sequences = _fixed_point(
        rate_per_s,
        rate_per_s * mean_output,
        np.where(right > left, low, 0.0),
        high,
        on_segment(tables.mean_increment_s),
        on_segment(tables.decode_s),
        on_segment(tables.fluid_s),
    )
    share = np.divide(sequences - low, width, out=np.zeros_like(low), where=width > 0.0).clip(0.0, 1.0)

    def at(table: Floats) -> Floats:
        start, stop = table[rows, left], table[rows, right]
        between: Floats = start + share.reshape(-1, *(1,) * (start.ndim - 1)) * (stop - start)
        return between

    increment_s = at(tables.increment_s)
    prefill_load = rate_per_s * at(tables.mean_increment_s)
    decode_s = at(tables.decode_s)
    step_s = np.where(overloaded, decode_s, _mean_step(prefill_load, decode_s, at(tables.fluid_s)))
    with np.errstate(divide="ignore"):
        waiting_tokens = rate_per_s * bins.mean_new_tokens * decode_s
        budget_load = prefill_load + waiting_tokens / np.maximum(token_budget - sequences, 0.0)
    elasticity = at(_elasticity(tables.decode_s))
    return OperatingPoint(
        overloaded=overloaded,
        rate_per_s=rate_per_s,
        sequences=sequences,
        step_s=step_s,
        decode_s=step_s * np.maximum(1.0 - prefill_load, 0.0),
        increment_s=increment_s,
        prefill_load=prefill_load,
        budget_load=budget_load,
        decode_elasticity=elasticity,
        deviation=_deviation(rate_per_s, sequences, increment_s, prefill_load, elasticity, bins),
    )


def _fixed_point(
    rate_per_s: Floats,
    tokens_per_s: Floats,
    low: Floats,
    high: Floats,
    increment: tuple[Floats, Floats],
    decode: tuple[Floats, Floats],
    fluid: tuple[Floats, Floats],
) -> Floats:
    """Least N in [low, high] with N ≥ λE[o]·D(N)/(1 − λE[Δ(N)]) and N ≥ λE[o]·S(N), all linear in N; (R,).

    The first is a concave quadratic in N − low, the second linear; each holds at `high`, so its first root is the one
    below it.
    """
    start, slope = increment
    curve = -rate_per_s * slope
    rise = 1.0 - rate_per_s * (start + low * slope) - tokens_per_s * decode[1]
    gap = low - rate_per_s * low * start - tokens_per_s * decode[0]
    root = np.sqrt(np.maximum(rise**2 - 4.0 * curve * gap, 0.0))
    past_decode = np.divide(-2.0 * gap, rise + root, out=np.full_like(gap, np.inf), where=rise + root > 0.0)
    fluid_rise = 1.0 - tokens_per_s * fluid[1]
    fluid_gap = low - tokens_per_s * fluid[0]
    past_fluid = np.divide(-fluid_gap, fluid_rise, out=np.full_like(gap, np.inf), where=fluid_rise > 0.0)
    past = np.maximum(np.where(gap < 0.0, past_decode, 0.0), np.where(fluid_gap < 0.0, past_fluid, 0.0))
    sequences: Floats = np.minimum(low + past, high)
    return sequences


def _mean_step(prefill_load: Floats, decode_s: Floats, fluid_s: Floats) -> Floats:
    """T = max(D/(1 − ρ), S), infinite from ρ = 1 on."""
    free = 1.0 - prefill_load
    stretched = np.divide(decode_s, free, out=np.full_like(free, np.inf), where=free > 0.0)
    return np.maximum(stretched, fluid_s)


def _elasticity(decode_s: Floats) -> Floats:
    """Share N·D'(N)/D(N) of the decode step that grows with N, at the nodes, made non-decreasing; (R, G)."""
    slope = np.diff(decode_s, axis=1) / np.diff(SEQUENCES)
    left_slope = np.concatenate([slope[:, :1], slope], axis=1)
    return np.maximum.accumulate(SEQUENCES * left_slope / decode_s, axis=1)


def _deviation(
    rate_per_s: Floats,
    sequences: Floats,
    increment_s: Floats,
    prefill_load: Floats,
    elasticity: Floats,
    bins: WorkloadBins,
) -> Floats:
    """Standard deviation of the number of decoding sequences.

    Var N = N/(1 − ψ)·½(1 + E(1 + λΔ/(1 − ρ))²): a birth-death process whose service slows with N (ψ), with the
    arrivals that pile up while one prompt is prefilled.
    """
    free = np.maximum(1.0 - prefill_load, 1e-9)
    arrivals_during_prefill = (rate_per_s / free)[:, None] * increment_s
    clumping = ((1.0 + arrivals_during_prefill) ** 2 * bins.prompt_share).sum(axis=1)
    variance = sequences / np.maximum(1.0 - elasticity, 1e-9) * 0.5 * (1.0 + clumping)
    deviation: Floats = np.sqrt(variance)
    return deviation


def with_further_chunks(point: OperatingPoint, chunks: Floats, bins: WorkloadBins) -> OperatingPoint:
    """The operating point as a waiting request sees it: Δ + (m − 1)·h per prompt in place of Δ.

    A prompt that goes in m chunks holds those behind it for m steps, decode included, not for its own work alone.
    The mean step stays; prefill_load becomes the share of time that such prompts hold.
    """
    increment_s = point.increment_s + (chunks - 1.0) * point.decode_s[:, None]
    held = point.rate_per_s * (increment_s * bins.prompt_share).sum(axis=1)
    return replace(point, increment_s=increment_s, prefill_load=held)


def sequences_needed(point: OperatingPoint) -> Floats:
    """Slots that max_num_seqs must offer, (R,)."""
    return point.sequences + OCCUPANCY_DEVIATIONS * point.deviation


def kv_tokens_needed(point: OperatingPoint, bins: WorkloadBins, block_tokens: int) -> Floats:
    """KV cache, in tokens, that holds the 0.99 quantile of the occupancy, and always one longest request; (R,).

    N·c̄ + 2.33·√(Var N·c̄² + N·σ²), c̄ the mean context with half a block of rounding.
    """
    context = bins.mean_context + block_tokens / 2.0
    spread = np.sqrt((point.deviation * context) ** 2 + point.sequences * bins.context_deviation**2)
    occupied = point.sequences * context + OCCUPANCY_DEVIATIONS * spread
    return np.maximum(occupied, bins.longest_request + block_tokens)
