"""Attention kernels: new tokens over their context, and one token per sequence over its cache.

Equations and their fits as in roofline.py; all constants come from catalog/data/efficiency. B sequences, S new tokens
each after a prefix s, H query and G KV heads of width D on one accelerator, C cached tokens, b bytes per cached value.
"""

from dataclasses import dataclass

import numpy as np

from optimizer.arithmetic.arrays import Floats, column
from optimizer.arithmetic.roofline import PartRates

QUERY_TILE = 128.0
# Half a query tile: what the diagonal tiles compute beyond the causal triangle.
DIAGONAL_KEYS = 64.0
LEAST_GROUP = 8.0
# The multiprocessor count of the parts that the work-unit times were normalised to.
REFERENCE_MULTIPROCESSORS = 132.0
CACHE_RAMP_BYTES = 8e6


@dataclass(frozen=True)
class ContextFit:
    """Gathered constants of K rows, (K,); compute_efficiency includes the head-size factor."""

    launch_s: Floats
    compute_efficiency: Floats
    wave_exponent: Floats
    serial_s_per_key: Floats
    traffic_factor: Floats


@dataclass(frozen=True)
class ContextAttention:
    """Coefficients of one layer, (K, 1): seconds per pair, per token and per key."""

    launch_s: Floats
    serial_s_per_key: Floats
    pair_s: Floats
    token_s: Floats
    sequence_waves: Floats
    wave_exponent: Floats
    idle_exponent: Floats


def context_attention(
    fit: ContextFit, rates: PartRates, heads: Floats, flops_per_pair: float, bytes_per_token: Floats
) -> ContextAttention:
    """Fold constants into coefficients.

    Args:
        fit: the gathered constants.
        rates: the parts.
        heads: query heads on one accelerator, (K,).
        flops_per_pair: FLOPs of one head for one query and key: 4·D, or 2·(query width + value width) for MLA.
        bytes_per_token: queries, keys, values and outputs of a token on one accelerator, (K,) bytes.

    """
    rounded = rates.multiprocessors > 0
    return ContextAttention(
        launch_s=column(fit.launch_s),
        serial_s_per_key=column(fit.serial_s_per_key),
        pair_s=column(heads * flops_per_pair / (rates.bf16_flop_per_s * fit.compute_efficiency)),
        token_s=column(fit.traffic_factor * bytes_per_token / rates.memory_bytes_per_s),
        sequence_waves=column(heads / np.where(rounded, rates.multiprocessors, 1.0)),
        wave_exponent=column(np.where(rounded, fit.wave_exponent, 0.0)),
        idle_exponent=column(np.where(rounded, 1.0, 0.0)),
    )


def computed_pairs(new_tokens: Floats, prefix: Floats, window: float | None) -> Floats:
    """Query-key pairs that a kernel computes for one sequence, diagonal tiles included; shapes broadcast."""
    if window is None:
        return new_tokens * (prefix + 0.5 * (new_tokens + 1.0) + DIAGONAL_KEYS)
    growing = np.clip(window - prefix, 0.0, new_tokens)
    return growing * (prefix + 0.5 * (growing + 1.0)) + (new_tokens - growing) * window + DIAGONAL_KEYS * new_tokens


def context_attention_seconds(
    coefficients: ContextAttention, sequences: Floats, new_tokens: Floats, prefix: Floats, window: float | None
) -> Floats:
    """Seconds of one layer, (K, G).

    t = launch + serial·min(window, s + S) + max(B·pairs·pair_s·rounding, B·S·token_s); pairs = S·s + S(S+1)/2 less
    what the window cuts, plus 64·S. W = B·H·max(1, S/128)/multiprocessors; rounding = (⌈W⌉/W)^wave above one wave,
    1/W below it. Blocks are not rounded up within W, or the time would fall where S passes a multiple of 128.

    Args:
        coefficients: as `context_attention` gives.
        sequences: B, (K, G), positive.
        new_tokens: S, (K, G), positive.
        prefix: s, (K, G).
        window: attention window in tokens, None for full attention.

    """
    reach = prefix + new_tokens
    if window is not None:
        reach = np.minimum(window, reach)
    pairs = computed_pairs(new_tokens, prefix, window)
    waves = coefficients.sequence_waves * sequences
    waves *= np.maximum(1.0, new_tokens / QUERY_TILE)
    exponent = np.where(waves > 1.0, coefficients.wave_exponent, coefficients.idle_exponent)
    total = np.ceil(waves)
    total /= waves
    np.power(total, exponent, out=total)
    total *= coefficients.pair_s
    total *= pairs * sequences
    np.maximum(total, coefficients.token_s * (sequences * new_tokens), out=total)
    total += coefficients.serial_s_per_key * reach
    total += coefficients.launch_s
    return total


@dataclass(frozen=True)
class DecodeFit:
    """Gathered constants of K rows, (K,); bandwidth_efficiency includes the head-size factor.

    read_per_query_head is 1 where each query head reads its keys and values anew, 0 where a group of them reads once.
    """

    launch_s: Floats
    compute_efficiency: Floats
    bandwidth_efficiency: Floats
    unit_s_per_sequence_kv_head: Floats
    unit_s_per_sequence_head: Floats
    read_per_query_head: Floats


@dataclass(frozen=True)
class DecodeAttention:
    """Coefficients of one layer, (K, 1): a step takes launch_s + B·max(C·key_s, unit_s)."""

    launch_s: Floats
    key_s: Floats
    unit_s: Floats


def decode_attention(
    fit: DecodeFit, rates: PartRates, heads: Floats, kv_heads: Floats, head_dim: int, kv_bytes: Floats
) -> DecodeAttention:
    """Fold constants into coefficients.

    t = launch + max(2·B·C·G·D·b/(bandwidth·e_b), 4·B·C·G·max(H/G, 8)·D/(bf16 peak·e_c),
    B·G·(u + v·H/G)·132/multiprocessors); without a multiprocessor count the last factor is 1. A kernel that does not
    share a KV head among its query heads reads the cache once for each of them: H in place of G in the first term.
    """
    group = heads / kv_heads
    reads = np.where(fit.read_per_query_head > 0.0, heads, kv_heads)
    read_s = 2.0 * reads * head_dim * kv_bytes / (rates.memory_bytes_per_s * fit.bandwidth_efficiency)
    compute_s = (
        4.0 * kv_heads * np.maximum(group, LEAST_GROUP) * head_dim / (rates.bf16_flop_per_s * fit.compute_efficiency)
    )
    units = np.where(rates.multiprocessors > 0, rates.multiprocessors, REFERENCE_MULTIPROCESSORS)
    unit_s = kv_heads * (fit.unit_s_per_sequence_kv_head + fit.unit_s_per_sequence_head * group)
    return DecodeAttention(
        launch_s=column(fit.launch_s),
        key_s=column(np.maximum(read_s, compute_s)),
        unit_s=column(unit_s * REFERENCE_MULTIPROCESSORS / units),
    )


def decode_attention_seconds(
    coefficients: DecodeAttention, sequences: Floats, context: Floats, window: float | None
) -> Floats:
    """Seconds of one layer on `sequences` (K, G) of `context` (K, G) cached tokens each; returns (K, G)."""
    keys = context if window is None else np.minimum(window, context)
    total = coefficients.key_s * keys
    np.maximum(total, coefficients.unit_s, out=total)
    total = total * sequences
    total += coefficients.launch_s
    return total


@dataclass(frozen=True)
class DecodeLatentFit:
    """Gathered constants of K rows, (K,)."""

    launch_s: Floats
    compute_efficiency: Floats
    bandwidth_efficiency: Floats
    sequence_s: Floats
    least_heads: Floats
    cache_ramp_s: Floats


@dataclass(frozen=True)
class DecodeLatentAttention:
    """Coefficients of one MLA layer, (K, 1): launch_s + sequence_s·B + ramp_s·min(1, B·C·ramp_per_key) + B·C·key_s.

    The absorbed projections of keys and values are in launch_s and sequence_s.
    """

    launch_s: Floats
    sequence_s: Floats
    ramp_s: Floats
    ramp_per_key: Floats
    key_s: Floats


def decode_latent_attention(
    fit: DecodeLatentFit,
    rates: PartRates,
    *,
    heads: Floats,
    cache_width: int,
    latent_width: int,
    head_width: int,
    kv_bytes: Floats,
) -> DecodeLatentAttention:
    """Fold constants into coefficients.

    Attention reads the latent cache once for all heads: max(B·C·width·b/(bandwidth·e_b),
    2·B·C·max(H, least)·(width + latent)/(bf16 peak·e_c)). The two absorbed projections are batched multiplies of H
    heads between `latent_width` and `head_width` (key without rotary part + value): 8 µs + weights/(0.7 bandwidth)
    + 2·B·H·latent·head_width/(0.5 peak), an assumption without kernel data.
    """
    key_bytes = cache_width * kv_bytes
    read_s = key_bytes / (rates.memory_bytes_per_s * fit.bandwidth_efficiency)
    compute_s = (
        2.0
        * np.maximum(heads, fit.least_heads)
        * (cache_width + latent_width)
        / (rates.bf16_flop_per_s * fit.compute_efficiency)
    )
    absorbed = heads * latent_width * head_width
    return DecodeLatentAttention(
        launch_s=column(fit.launch_s + 8e-6 + absorbed * 2.0 / (0.7 * rates.memory_bytes_per_s)),
        sequence_s=column(fit.sequence_s + 2.0 * absorbed / (0.5 * rates.bf16_flop_per_s)),
        ramp_s=column(fit.cache_ramp_s),
        ramp_per_key=column(key_bytes / CACHE_RAMP_BYTES),
        key_s=column(np.maximum(read_s, compute_s)),
    )


def decode_latent_attention_seconds(coefficients: DecodeLatentAttention, sequences: Floats, context: Floats) -> Floats:
    """Seconds of one MLA layer on `sequences` (K, G) of `context` (K, G) cached tokens each; returns (K, G)."""
    keys = sequences * context
    total = coefficients.ramp_per_key * keys
    np.minimum(total, 1.0, out=total)
    total *= coefficients.ramp_s
    total += coefficients.key_s * keys
    total += coefficients.sequence_s * sequences
    total += coefficients.launch_s
    return total
