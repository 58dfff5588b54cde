"""Matrix multiplies as rooflines with tile, wave and launch terms.

    tile = 64 rows if M ≤ 64 else 128;  m = ⌈M/tile⌉;  W = m·⌈N/128⌉/multiprocessors
    t = launch + serial·K + max(2·m·tile·N·K/(peak·e_c)·rounding, N·K·w/(bandwidth·e_b))
        + (c·2·M·K + 2·M·N)/(0.8·bandwidth)
    rounding = (⌈W⌉/W)^wave if W > 1 else (1/W)^occupancy

for M tokens, N outputs, K inner, w bytes per weight. Below one wave ⌈W⌉ = 1, so both cases are powers of ⌈W⌉/W. The
constants are medians of fits to the kernel times of aiconfigurator-core 0.12.0 (catalog/data/efficiency/gemm.csv,
experts.csv; the error on parts left out of a fit stands beside each). A part without a multiprocessor count has
rounding 1. An era whose products are not tuned to its parts has 2·M·N·K·product_flop_s as a third of the maximum.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.arithmetic.arrays import Floats, column

TILE_COLUMNS = 128
SMALL_TILE_ROWS = 64.0
LARGE_TILE_ROWS = 128.0
# Share of the memory bandwidth that passes over activations reach.
ACTIVATION_BANDWIDTH_SHARE = 0.8
ACTIVATION_BYTES = 2.0


@dataclass(frozen=True)
class PartRates:
    """What K parts offer, (K,): bytes, bytes/s, bf16 FLOP/s and multiprocessors (0: no such count)."""

    memory_bytes: Floats
    memory_bytes_per_s: Floats
    bf16_flop_per_s: Floats
    multiprocessors: Floats


@dataclass(frozen=True)
class GemmFit:
    """Gathered GEMM constants of K rows, (K,), and the peak that they are fractions of.

    `product_flop_s` is what a FLOP takes at least, however many rows share the weights; 0 where kernels are tuned.
    """

    launch_s: Floats
    compute_efficiency: Floats
    bandwidth_efficiency: Floats
    serial_s_per_inner: Floats
    activation_traffic_factor: Floats
    occupancy_exponent: Floats
    wave_exponent: Floats
    flop_per_s: Floats
    weight_bytes: Floats
    product_flop_s: Floats


@dataclass(frozen=True)
class Gemms:
    """g matrix multiplies of the same tokens, ready to evaluate.

    Arrays are (g, K, 1), in seconds per padded row or per step; `fixed_s` and `token_s` are (K, 1) sums over the g.
    `product_row_s` is the least time of a row as it is, not padded; None where all kernels are tuned.
    """

    row_s: Floats
    product_row_s: Floats | None
    weights_s: Floats
    column_waves: Floats
    occupancy_exponent: Floats
    wave_exponent: Floats
    fixed_s: Floats
    token_s: Floats


@dataclass(frozen=True)
class Shape:
    """One matrix multiply: outputs and inner width per accelerator, (K,), how often a step runs it, and its fit."""

    outputs: Floats
    inner: Floats
    repeats: float
    fit: GemmFit


def gemms(shapes: Sequence[Shape], rates: PartRates) -> Gemms:
    """Fold constants, peaks and shapes into coefficients; `shapes` share their tokens."""
    rounded = rates.multiprocessors > 0
    multiprocessors = np.where(rounded, rates.multiprocessors, 1.0)
    rows, least, weights, waves, occupancy, wave = [], [], [], [], [], []
    fixed = np.zeros_like(rates.memory_bytes_per_s)
    token = np.zeros_like(fixed)
    for shape in shapes:
        fit, bandwidth = shape.fit, rates.memory_bytes_per_s
        multiplies = shape.outputs * shape.inner
        rows.append(column(shape.repeats * 2.0 * multiplies / (fit.flop_per_s * fit.compute_efficiency)))
        least.append(column(shape.repeats * 2.0 * multiplies * fit.product_flop_s))
        weights.append(column(shape.repeats * multiplies * fit.weight_bytes / (bandwidth * fit.bandwidth_efficiency)))
        waves.append(column(np.ceil(shape.outputs / TILE_COLUMNS) / multiprocessors))
        occupancy.append(column(np.where(rounded, fit.occupancy_exponent, 0.0)))
        wave.append(column(np.where(rounded, fit.wave_exponent, 0.0)))
        fixed += shape.repeats * (fit.launch_s + fit.serial_s_per_inner * shape.inner)
        traffic = ACTIVATION_BYTES * (fit.activation_traffic_factor * shape.inner + shape.outputs)
        token += shape.repeats * traffic / (ACTIVATION_BANDWIDTH_SHARE * bandwidth)
    product_row_s = np.stack(least)
    return Gemms(
        row_s=np.stack(rows),
        product_row_s=product_row_s if product_row_s.any() else None,
        weights_s=np.stack(weights),
        column_waves=np.stack(waves),
        occupancy_exponent=np.stack(occupancy),
        wave_exponent=np.stack(wave),
        fixed_s=column(fixed),
        token_s=column(token),
    )


def gemm_seconds(coefficients: Gemms, tokens: Floats) -> Floats:
    """Seconds of all multiplies of `coefficients` on `tokens` (K, G), each positive; returns (K, G)."""
    times = gemm_rows_seconds(coefficients, tokens)
    np.maximum(times, coefficients.weights_s, out=times)
    # added one by one: the order of a library reduction may depend on the shape, and results must not
    total = coefficients.token_s * tokens
    total += coefficients.fixed_s
    for time in times:
        total += time
    return total


def gemm_rows_seconds(coefficients: Gemms, tokens: Floats) -> Floats:
    """Seconds of the multiplications alone, (g, K, G): whole tiles, rounded to waves, weights at hand.

    Where kernels are not tuned to their shapes no less than 2·M·N·K·product_flop_s: a time that grows from the first
    row on, far from the peak.
    """
    tile = np.where(tokens <= SMALL_TILE_ROWS, SMALL_TILE_ROWS, LARGE_TILE_ROWS)
    row_tiles = np.ceil(tokens / tile)
    waves = coefficients.column_waves * row_tiles
    exponent = np.where(waves > 1.0, coefficients.wave_exponent, coefficients.occupancy_exponent)
    times = np.ceil(waves)
    times /= waves
    np.power(times, exponent, out=times)
    times *= coefficients.row_s
    row_tiles *= tile
    times *= row_tiles
    if coefficients.product_row_s is not None:
        np.maximum(times, coefficients.product_row_s * tokens, out=times)
    return times


def least_row_seconds(coefficients: Gemms) -> Floats:
    """Seconds of a row in the largest products, where nothing is rounded up, (g, K, 1)."""
    if coefficients.product_row_s is None:
        return coefficients.row_s
    return np.maximum(coefficients.row_s, coefficients.product_row_s)


@dataclass(frozen=True)
class ExpertFit:
    """Gathered grouped-GEMM constants of K rows, (K,), and the peak that they are fractions of."""

    launch_s: Floats
    compute_efficiency: Floats
    bandwidth_efficiency: Floats
    padding_rows_per_expert: Floats
    hot_rank_imbalance: Floats
    touched_exponent: Floats
    traffic_factor: Floats
    routed_token_s: Floats
    flop_per_s: Floats
    weight_bytes: Floats


@dataclass(frozen=True)
class Experts:
    """Coefficients of the routed experts of all layers, (K, 1).

    A step of T tokens takes fixed_s + token_s·T + max(row_s·(T·hot_rows + padding·A), weights_s·A), where A experts of
    a rank are touched: A = experts·(1 − exp(−touch·T)), at least min(1, rank_routes·T) and at most routes·T.
    """

    fixed_s: Floats
    token_s: Floats
    row_s: Floats
    hot_rows: Floats
    padding_rows: Floats
    weights_s: Floats
    experts: Floats
    touch: Floats
    rank_routes: Floats
    routes: Floats


def experts(
    fit: ExpertFit,
    rates: PartRates,
    *,
    hidden: int,
    width: int,
    count: int,
    active: int,
    matrices: int,
    layers: int,
    tp: Floats,
    ep: Floats,
) -> Experts:
    """Fold constants into coefficients of `layers` expert layers split `ep` ways by expert and tp/ep ways by width.

    Routing is skewed: the hot rank gets 1 + z·imbalance·min(1, (ep − 1)/8) times the mean load, z = 1 up to eight
    ranks and 0.5 beyond, where engines balance experts.
    """
    share = width / (tp / ep)
    skew = np.where(ep > 8, 0.5, 1.0)
    hot_rows = active / ep * (1.0 + skew * fit.hot_rank_imbalance * np.minimum(1.0, (ep - 1.0) / 8.0))
    multiplies = matrices * hidden * share
    bandwidth = rates.memory_bytes_per_s
    traffic = fit.traffic_factor * ACTIVATION_BYTES * hot_rows * (2.0 * hidden + matrices * share)
    return Experts(
        fixed_s=column(layers * fit.launch_s),
        token_s=column(layers * (fit.routed_token_s * active + traffic / (ACTIVATION_BANDWIDTH_SHARE * bandwidth))),
        row_s=column(layers * 2.0 * multiplies / (fit.flop_per_s * fit.compute_efficiency)),
        hot_rows=column(hot_rows),
        padding_rows=column(fit.padding_rows_per_expert),
        weights_s=column(layers * multiplies * fit.weight_bytes / (bandwidth * fit.bandwidth_efficiency)),
        experts=column(count / ep),
        touch=column(active / count * fit.touched_exponent),
        rank_routes=column(active / ep),
        routes=column(np.full_like(ep, active)),
    )


def touched_experts(coefficients: Experts, tokens: Floats) -> Floats:
    """Experts of one rank that a step of `tokens` (K, G) reads, (K, G); concave in the tokens."""
    touched = np.exp(-(coefficients.touch * tokens))
    np.subtract(1.0, touched, out=touched)
    touched *= coefficients.experts
    np.maximum(touched, np.minimum(1.0, coefficients.rank_routes * tokens), out=touched)
    np.minimum(touched, coefficients.routes * tokens, out=touched)
    return touched


def expert_seconds(coefficients: Experts, tokens: Floats) -> Floats:
    """Seconds of the routed experts on `tokens` (K, G), each positive; returns (K, G)."""
    touched = touched_experts(coefficients, tokens)
    total = coefficients.hot_rows * tokens
    total += coefficients.padding_rows * touched
    total *= coefficients.row_s
    touched *= coefficients.weights_s
    np.maximum(total, touched, out=total)
    total += coefficients.token_s * tokens
    total += coefficients.fixed_s
    return total
