import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.arithmetic.attention import (
    ContextFit,
    DecodeAttention,
    DecodeFit,
    DecodeLatentFit,
    computed_pairs,
    context_attention,
    context_attention_seconds,
    decode_attention,
    decode_attention_seconds,
    decode_latent_attention,
    decode_latent_attention_seconds,
)
from optimizer.arithmetic.roofline import PartRates

PEAK, BANDWIDTH, UNITS = 989e12, 3.35e12, 132.0
RATES = PartRates(np.array([80e9]), np.array([BANDWIDTH]), np.array([PEAK]), np.array([UNITS]))


def one(**values: float) -> dict[str, np.ndarray]:
    return {name: np.array([value]) for name, value in values.items()}


@given(new=st.integers(1, 200), prefix=st.integers(0, 200), window=st.one_of(st.none(), st.integers(1, 150)))
@settings(max_examples=200, deadline=None)
def test_pairs_are_counted_token_by_token(new: int, prefix: int, window: int | None) -> None:
    reach = math.inf if window is None else window
    counted = sum(min(prefix + token, reach) for token in range(1, new + 1)) + 64 * new
    limit = None if window is None else float(window)
    assert computed_pairs(np.array(float(new)), np.array(float(prefix)), limit) == pytest.approx(counted, rel=1e-12)


CONTEXT = {
    "launch_s": 11.2e-6,
    "compute_efficiency": 0.57,
    "wave_exponent": 0.69,
    "serial_s_per_key": 4.1e-9,
    "traffic_factor": 3.4,
}


def context_by_hand(sequences: float, new: float, prefix: float, heads: int, kv_heads: int) -> float:
    pairs = new * prefix + new * (new + 1) / 2 + 64 * new
    waves = sequences * heads * max(1.0, new / 128) / UNITS
    rounding = (math.ceil(waves) / waves) ** 0.69 if waves > 1 else 1 / waves
    compute = 4 * sequences * heads * 128 * pairs / (PEAK * 0.57) * rounding
    traffic = 3.4 * sequences * new * (2 * heads + 2 * kv_heads) * 128 * 2 / BANDWIDTH
    return 11.2e-6 + 4.1e-9 * (prefix + new) + max(compute, traffic)


def context(sequences: float, new: float, prefix: float, heads: int = 32, kv_heads: int = 8) -> float:
    per_token = np.array([2.0 * (heads + kv_heads) * 128 * 2])
    kernel = context_attention(ContextFit(**one(**CONTEXT)), RATES, np.array([float(heads)]), 4.0 * 128, per_token)
    grids = (np.array([[value]]) for value in (sequences, new, prefix))
    return float(context_attention_seconds(kernel, *grids, None)[0, 0])


@given(
    sequences=st.floats(0.125, 64), new=st.floats(1, 8192), prefix=st.floats(0, 1e5), heads=st.sampled_from([4, 32, 64])
)
@settings(max_examples=200, deadline=None)
def test_context_attention_is_the_published_equation(sequences, new, prefix, heads) -> None:
    got = context(sequences, new, prefix, heads, 8)
    assert got == pytest.approx(context_by_hand(sequences, new, prefix, heads, 8), rel=1e-12)


def test_longer_prompts_never_take_less_time() -> None:
    lengths = [float(length) for length in (*range(1, 600), 1000, 2000, 4096, 4097)]
    times = [context(1.0, length, 0.0) for length in lengths]
    assert times == sorted(times)


DECODE = {
    "launch_s": 10.3e-6,
    "compute_efficiency": 0.069,
    "bandwidth_efficiency": 0.885,
    "unit_s_per_sequence_kv_head": 10.1e-9,
    "unit_s_per_sequence_head": 0.24e-9,
}


def decode(heads: float, kv_heads: float, **law: float) -> DecodeAttention:
    fit = DecodeFit(**one(**DECODE, **law))
    return decode_attention(fit, RATES, np.array([heads]), np.array([kv_heads]), 128, np.array([2.0]))


def test_decode_attention_reads_the_cache_once() -> None:
    kernel = decode(32.0, 8.0, read_per_query_head=0.0)
    grid = np.array([[64.0]]), np.array([[4096.0]])
    read = 2 * 64 * 4096 * 8 * 128 * 2 / (BANDWIDTH * 0.885)
    compute = 4 * 64 * 4096 * 8 * 8 * 128 / (PEAK * 0.069)
    assert decode_attention_seconds(kernel, *grid, None)[0, 0] == pytest.approx(10.3e-6 + max(read, compute))
    assert decode_attention_seconds(kernel, *grid, 128.0)[0, 0] == pytest.approx(
        10.3e-6 + max(max(read, compute) / 32, 64 * 8 * (10.1e-9 + 0.24e-9 * 4))
    )


def test_a_cache_read_per_query_head_is_read_as_often_as_a_group_has_heads() -> None:
    grid = np.array([[64.0]]), np.array([[4096.0]])
    for heads, kv_heads in ((32.0, 32.0), (32.0, 8.0), (64.0, 8.0)):
        kernel = decode(heads, kv_heads, read_per_query_head=1.0)
        read = 2 * 64 * 4096 * heads * 128 * 2 / (BANDWIDTH * 0.885)
        assert decode_attention_seconds(kernel, *grid, None)[0, 0] == pytest.approx(10.3e-6 + read)
    # every head is its own group
    once, anew = (decode(32.0, 32.0, read_per_query_head=flag) for flag in (0.0, 1.0))
    assert anew == once


def test_latent_decode_by_hand() -> None:
    fit = DecodeLatentFit(
        **one(
            launch_s=11.8e-6,
            compute_efficiency=1.5,
            bandwidth_efficiency=0.759,
            sequence_s=31e-9,
            least_heads=1.0,
            cache_ramp_s=2.9e-6,
        )
    )
    kernel = decode_latent_attention(
        fit,
        RATES,
        heads=np.array([16.0]),
        cache_width=576,
        latent_width=512,
        head_width=256,
        kv_bytes=np.array([2.0]),
    )
    got = decode_latent_attention_seconds(kernel, np.array([[32.0]]), np.array([[1000.0]]))[0, 0]
    keys = 32 * 1000
    core = max(keys * 576 * 2 / (BANDWIDTH * 0.759), 2 * keys * 16 * 1088 / (PEAK * 1.5))
    absorbed = 8e-6 + 16 * 512 * 256 * 2 / (0.7 * BANDWIDTH) + 2 * 32 * 16 * 512 * 256 / (0.5 * PEAK)
    assert got == pytest.approx(11.8e-6 + 31e-9 * 32 + 2.9e-6 + core + absorbed, rel=1e-12)
