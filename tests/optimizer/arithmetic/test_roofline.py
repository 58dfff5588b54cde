import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.arithmetic.roofline import (
    ExpertFit,
    GemmFit,
    PartRates,
    Shape,
    expert_seconds,
    experts,
    gemm_seconds,
    gemms,
)

H100 = {"bandwidth": 3.35e12, "bf16": 989e12, "multiprocessors": 132.0}
BF16 = {
    "launch_s": 2.4537e-6,
    "compute_efficiency": 0.8366,
    "bandwidth_efficiency": 0.8544,
    "serial_s_per_inner": 1.9501e-6 / 8192,
    "activation_traffic_factor": 0.0259,
    "occupancy_exponent": 0.2456,
    "wave_exponent": 0.0,
}
FP8 = {
    "launch_s": 5.6271e-6,
    "compute_efficiency": 0.7483,
    "bandwidth_efficiency": 0.8344,
    "serial_s_per_inner": 0.8901e-6 / 8192,
    "activation_traffic_factor": 2.7145,
    "occupancy_exponent": 0.3028,
    "wave_exponent": 0.3781,
}
MOE = {
    "launch_s": 31.4731e-6,
    "compute_efficiency": 0.3474,
    "bandwidth_efficiency": 0.7831,
    "padding_rows_per_expert": 3.0,
    "hot_rank_imbalance": 2.1191,
    "touched_exponent": 0.8208,
    "traffic_factor": 0.8203,
    "routed_token_s": 2.3444e-9,
}


def arrays(values: dict[str, float]) -> dict[str, np.ndarray]:
    return {name: np.array([value]) for name, value in values.items()}


def rates(multiprocessors: float = 132.0) -> PartRates:
    return PartRates(
        memory_bytes=np.array([80e9]),
        memory_bytes_per_s=np.array([H100["bandwidth"]]),
        bf16_flop_per_s=np.array([H100["bf16"]]),
        multiprocessors=np.array([multiprocessors]),
    )


def gemm(tokens: float, outputs: float, inner: float, constants: dict[str, float], peak: float, width: float) -> float:
    """The equation of the docstring, one multiply, in plain floats."""
    tile = 64 if tokens <= 64 else 128
    row_tiles = math.ceil(tokens / tile)
    waves = row_tiles * math.ceil(outputs / 128) / H100["multiprocessors"]
    quantised = math.ceil(waves) / waves if waves > 1 else 1.0
    occupancy = min(1.0, waves) ** constants["occupancy_exponent"]
    compute = 2 * row_tiles * tile * outputs * inner / (peak * constants["compute_efficiency"])
    compute *= quantised ** constants["wave_exponent"] / occupancy
    read = outputs * inner * width / (H100["bandwidth"] * constants["bandwidth_efficiency"])
    traffic = constants["activation_traffic_factor"] * 2 * tokens * inner + 2 * tokens * outputs
    return (
        constants["launch_s"]
        + constants["serial_s_per_inner"] * inner
        + max(compute, read)
        + traffic / (0.8 * H100["bandwidth"])
    )


def fit(constants: dict[str, float], peak: float, width: float, product_flop_s: float = 0.0) -> GemmFit:
    return GemmFit(
        **arrays(constants),
        flop_per_s=np.array([peak]),
        weight_bytes=np.array([width]),
        product_flop_s=np.array([product_flop_s]),
    )


@settings(max_examples=200, deadline=None)
@given(
    tokens=st.floats(0.5, 40_000),
    outputs=st.integers(1, 60_000),
    inner=st.integers(1, 60_000),
    repeats=st.integers(1, 100),
    constants=st.sampled_from([(BF16, 989e12, 2.0), (FP8, 1979e12, 1.0)]),
)
def test_gemm_is_the_published_equation(tokens, outputs, inner, repeats, constants) -> None:
    values, peak, width = constants
    shape = Shape(np.array([float(outputs)]), np.array([float(inner)]), repeats, fit(values, peak, width))
    got = gemm_seconds(gemms([shape, shape], rates()), np.array([[tokens]]))[0, 0]
    assert got == pytest.approx(2 * repeats * gemm(tokens, outputs, inner, values, peak, width), rel=1e-12)


def test_small_gemm_by_hand() -> None:
    # 64 tokens through 8192 x 8192 bf16: 134 MB of weights at 0.8544 of 3.35 TB/s take 46.9 us
    shape = Shape(np.array([8192.0]), np.array([8192.0]), 1, fit(BF16, 989e12, 2.0))
    got = gemm_seconds(gemms([shape], rates()), np.array([[64.0]]))[0, 0]
    assert got == pytest.approx(2.45e-6 + 1.95e-6 + 46.9e-6 + 0.4e-6, rel=0.01)


@pytest.mark.parametrize(("tokens", "bound"), [(1.0, "weights"), (16.0, "weights"), (40.0, "rows"), (4096.0, "rows")])
def test_products_that_are_not_tuned_take_a_time_per_row(tokens: float, bound: str) -> None:
    # 10 fs a FLOP: 1.34 us a row of 8192 x 8192, as long as the weights at 35 rows
    shape = Shape(np.array([8192.0]), np.array([8192.0]), 1, fit(BF16, 989e12, 2.0, 10e-15))
    got = gemm_seconds(gemms([shape], rates()), np.array([[tokens]]))[0, 0]
    tuned = gemm(tokens, 8192, 8192, BF16, 989e12, 2.0)
    if bound == "weights":
        assert got == tuned
    else:
        read = 8192 * 8192 * 2.0 / (H100["bandwidth"] * BF16["bandwidth_efficiency"])
        compute = gemm(tokens, 8192, 8192, {**BF16, "bandwidth_efficiency": 1e9}, 989e12, 2.0)
        traffic = (BF16["activation_traffic_factor"] + 1) * 2 * tokens * 8192 / (0.8 * H100["bandwidth"])
        fixed = BF16["launch_s"] + BF16["serial_s_per_inner"] * 8192
        rows = 2 * tokens * 8192 * 8192 * 10e-15
        assert rows > max(read, compute - traffic - fixed)
        assert got == pytest.approx(fixed + rows + traffic, rel=1e-12)


def test_part_without_multiprocessors_has_neither_waves_nor_occupancy() -> None:
    shape = Shape(np.array([256.0]), np.array([65536.0]), 1, fit(FP8, 1979e12, 1.0))
    got = gemm_seconds(gemms([shape], rates(0.0)), np.array([[4096.0]]))[0, 0]
    compute = 2 * 4096 * 256 * 65536 / (1979e12 * FP8["compute_efficiency"])
    traffic = (FP8["activation_traffic_factor"] * 2 * 4096 * 65536 + 2 * 4096 * 256) / (0.8 * 3.35e12)
    fixed = FP8["launch_s"] + FP8["serial_s_per_inner"] * 65536
    assert got == pytest.approx(fixed + compute + traffic, rel=1e-12)


def expert_layer(tokens: float, tp: int, ep: int) -> float:
    """Routed experts of DeepSeek-V3 in block fp8 on an H100, one layer, in plain floats."""
    hidden, width, count, active, weight = 7168, 2048, 256, 8, 1.0
    skew = 1.0 if ep <= 8 else 0.5
    hot = tokens * active / ep * (1 + skew * MOE["hot_rank_imbalance"] * min(1, (ep - 1) / 8))
    touched = count / ep * (1 - math.exp(-tokens * active / count * MOE["touched_exponent"]))
    touched = min(max(touched, min(1, tokens * active / ep)), tokens * active)
    share = width / (tp / ep)
    compute = 6 * (hot + MOE["padding_rows_per_expert"] * touched) * hidden * share / (1979e12 * 0.3474)
    read = 3 * touched * hidden * share * weight / (3.35e12 * 0.7831)
    traffic = MOE["traffic_factor"] * 2 * hot * (2 * hidden + 3 * share) / (0.8 * 3.35e12)
    return MOE["launch_s"] + MOE["routed_token_s"] * tokens * active + max(compute, read) + traffic


@settings(max_examples=200, deadline=None)
@given(tokens=st.floats(0.05, 20_000), ranks=st.sampled_from([(1, 1), (8, 1), (8, 8), (4, 2), (16, 16)]))
def test_experts_are_the_published_equation(tokens, ranks) -> None:
    tp, ep = ranks
    gathered = ExpertFit(**arrays(MOE), flop_per_s=np.array([1979e12]), weight_bytes=np.array([1.0]))
    coefficients = experts(
        gathered,
        rates(),
        hidden=7168,
        width=2048,
        count=256,
        active=8,
        matrices=3,
        layers=58,
        tp=np.array([float(tp)]),
        ep=np.array([float(ep)]),
    )
    got = expert_seconds(coefficients, np.array([[tokens]]))[0, 0]
    assert got == pytest.approx(58 * expert_layer(tokens, tp, ep), rel=1e-12)


def test_one_token_touches_its_active_experts() -> None:
    # 8 of 256 experts, each 44 MB in fp8, at 0.7831 of 3.35 TB/s: about 134 us less the skew of one token
    assert expert_layer(1.0, 1, 1) == pytest.approx(31.5e-6 + 0.82 * 134e-6, rel=0.03)
