import numpy as np
import pytest
from pydantic import ValidationError

from catalog.read import Snapshot
from optimizer.arithmetic.napkin import NapkinOverride, NapkinStepTimes, napkin_step_times
from optimizer.arithmetic.step_times import Resource, StepTimes

H100 = {"memory_bytes": 80e9, "bandwidth": 3.35e12, "flops": 990e12, "usd_per_hour": 2.0}
LLAMA_8B = {"parameters": 8e9, "kv_bytes_per_token": 131_072}
TYPICAL = {"compute": 0.5, "bandwidth": 0.7}


def napkin(snapshot: Snapshot, **override: object) -> NapkinStepTimes:
    stated = {"model": LLAMA_8B, "part": H100, "efficiency": TYPICAL, **override}
    ones = np.array([1])
    return napkin_step_times(NapkinOverride.model_validate(stated), snapshot.engines["vllm"], 2.0, ones, ones)


@pytest.mark.parametrize(
    ("sequences", "context", "milliseconds"),
    [(1, 2048 + 150, 6.95), (64, 2048 + 150, 14.7), (160, 2048 + 150, 26.5), (158, 2048, 24.9)],
)
def test_decode_steps_of_the_lessons(snapshot: Snapshot, sequences: int, context: float, milliseconds: float) -> None:
    times: StepTimes = napkin(snapshot)
    got = times.step_seconds(0.0, 0.0, 0.0, float(sequences), context)
    assert got[0, 0] * 1e3 == pytest.approx(milliseconds, rel=0.005)


def test_prefill_of_the_lessons(snapshot: Snapshot) -> None:
    assert napkin(snapshot).step_seconds(2048.0, 1.0, 0.0, 0.0, 0.0)[0, 0] == pytest.approx(0.066, rel=0.005)


def test_bandwidth_bound_70b_at_batch_one(snapshot: Snapshot) -> None:
    model = {"parameters": 70e9, "kv_bytes_per_token": 1.0}
    times = napkin(snapshot, model=model, efficiency={})
    assert times.step_seconds(0.0, 0.0, 0.0, 1.0, 1.0)[0, 0] == pytest.approx(0.0418, rel=0.002)


@pytest.mark.parametrize(
    ("parameters", "kv_bytes", "context", "requests"),
    [(8e9, 131_072, 2048, 223), (8e9, 131_072, 8192, 55), (8e9, 65_536, 2048, 447), (13e9, 212_992, 2048, 114)],
)
def test_requests_that_fit_in_memory(snapshot, parameters, kv_bytes, context, requests) -> None:
    model = {"parameters": parameters, "kv_bytes_per_token": kv_bytes}
    times = napkin(snapshot, model=model, overhead_bytes=4e9)
    assert times.kv_capacity_tokens[0] // context == requests


def test_stated_step_and_host_times(snapshot: Snapshot) -> None:
    times = napkin(snapshot, step_s=0.05, host_s=0.3)
    assert times.step_seconds(100.0, 1.0, 0.0, np.array([[1.0, 500.0]]), 1000.0).tolist() == [[0.05, 0.05]]
    assert times.host_s[0] == 0.3
    assert times.own_prefill_factor[0] == 1.0
    assert times.interference[0] == 0.0


def test_fixed_times_bring_the_engine_back(snapshot: Snapshot) -> None:
    engine = snapshot.engines["vllm"]
    times = napkin(snapshot, fixed_times=1, interference=1)
    assert times.host_s[0] == engine.host_s
    assert times.own_prefill_factor[0] == engine.own_prefill_factor
    bare = napkin(snapshot).step_seconds(0.0, 0.0, 0.0, 8.0, 100.0)
    full = times.step_seconds(0.0, 0.0, 0.0, 8.0, 100.0)
    assert (full - bare)[0, 0] == pytest.approx(engine.step_s + 8 * engine.sequence_s)


def test_scaling_and_taking(snapshot: Snapshot) -> None:
    times = napkin(snapshot)
    step = times.step_seconds(0.0, 0.0, 0.0, 1.0, 100.0)
    assert times.scaled(Resource.MEMORY_BANDWIDTH, 2.0).step_seconds(0.0, 0.0, 0.0, 1.0, 100.0) == step / 2
    assert times.scaled(Resource.NETWORK, 2.0) is times
    assert times.scaled(Resource.MEMORY_CAPACITY, 2.0).kv_capacity_tokens > 2 * times.kv_capacity_tokens
    assert times.take(np.array([0, 0])).count == 2
    assert times.floor_seconds(10.0, 0.1, 0.0, 1.0, 100.0) == times.step_seconds(10.0, 0.1, 0.0, 1.0, 100.0)


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(ValidationError, match="mfu"):
        NapkinOverride.model_validate({"model": LLAMA_8B, "part": H100, "efficiency": {"mfu": 0.5}})
