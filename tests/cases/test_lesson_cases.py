"""Worked numbers of a lesson track, through the evaluation that plans real systems, on napkin physics (±2 %)."""

from math import ceil
from pathlib import Path

import numpy as np
import pytest
import yaml

from catalog.read import load
from optimizer.arithmetic.loads import LoadShape
from optimizer.arithmetic.money import MICRO_DOLLARS, usd_per_million_tokens
from optimizer.arithmetic.napkin import NapkinOverride, NapkinStepTimes, napkin_step_times
from optimizer.evaluate import Closed, Evaluation, Load, Static, StepSpread, evaluate

OVERRIDES = yaml.safe_load((Path(__file__).parent / "lesson_overrides.yaml").read_text(encoding="utf-8"))
ONE = np.ones(1, dtype=np.int64)


def within(expected: float) -> object:
    return pytest.approx(expected, rel=0.02)


def override(name: str) -> NapkinOverride:
    return NapkinOverride.model_validate(OVERRIDES[name])


def step_times(name: str) -> NapkinStepTimes:
    return napkin_step_times(override(name), load().engines["vllm"], 2.0, ONE, ONE)


def run(name: str, prompt: float, output: float, load_of_one: Load) -> Evaluation:
    rows = len(load_of_one.batch) if isinstance(load_of_one, Static) else 1
    shape = LoadShape(np.full(rows, prompt), np.full(rows, output), np.zeros(rows))
    provider = step_times(name).take(np.zeros(rows, dtype=np.int64))
    return evaluate(provider, shape, load_of_one, StepSpread.none(rows), 0.0)


def test_01_one_token_of_70b_reads_all_weights() -> None:
    found = run("h100-70b-weights", 1, 2, Static(np.array([1.0])))
    assert found.tpot_mean_s[0] == within(0.0418)


@pytest.mark.parametrize(
    ("name", "rate", "output", "slots", "time_s", "in_flight", "replicas", "with_headroom"),
    [
        ("replica-of-50", 1000, 300, 50, 15.3, 15_300, 306, 398),
        ("replica-of-50-at-25-ms", 1000, 300, 50, 7.8, 7_800, 156, 203),
        ("replica-of-50", 500, 4000, 25, 200.3, 100_150, 4_006, 5_208),
    ],
)
def test_03_littles_law_sizes_the_fleet(
    name: str,
    rate: float,
    output: float,
    slots: float,
    time_s: float,
    in_flight: float,
    replicas: int,
    with_headroom: int,
) -> None:
    found = run(name, 1, output, Closed(np.array([slots]), np.array([1e9])))
    assert found.e2e_mean_s[0] == within(time_s)
    assert rate * found.e2e_mean_s[0] == within(in_flight)
    per_replica = found.output_tokens_per_s[0] / output
    assert ceil(rate / per_replica) == within(replicas)
    assert ceil(1.3 * rate / per_replica) == within(with_headroom)


@pytest.mark.parametrize(("batch", "tpot_s", "e2e_s"), [(1, 0.00695, 2.1), (64, 0.0147, 4.5), (160, 0.0265, 8.0)])
def test_03a_latency_of_8b(batch: int, tpot_s: float, e2e_s: float) -> None:
    alone = run("h100-8b", 2048, 300, Static(np.array([1.0])))
    together = run("h100-8b", 2048, 300, Static(np.array([float(batch)])))
    assert alone.ttft_mean_s[0] == within(0.066)
    assert together.tpot_mean_s[0] == within(tpot_s)
    # the calculator prints one decimal
    assert alone.ttft_mean_s[0] + 299 * together.tpot_mean_s[0] == pytest.approx(e2e_s, rel=0.02, abs=0.05)


def knee(name: str, context: float, limit_s: float) -> tuple[int | None, float, float]:
    """Largest batch within a TPOT limit, its tokens/s and dollars per million tokens."""
    batches = np.arange(1.0, 257.0)
    found = run(name, context, 1, Static(batches))
    inside = found.fits & (found.tpot_mean_s <= limit_s)
    if not inside.any():
        return None, 0.0, 0.0
    batch = int(batches[inside][-1])
    tokens_per_s = batch / float(found.tpot_mean_s[inside][-1])
    price = round(override(name).part.usd_per_hour * MICRO_DOLLARS)
    return batch, tokens_per_s, usd_per_million_tokens(price, tokens_per_s)


@pytest.mark.parametrize(
    ("name", "context", "batch", "tokens_per_s", "usd"),
    [
        ("h100-8b-fixed-context", 2048, 158, 6_343, 0.088),
        ("h100-8b-fixed-context", 8192, 39, 1_580, 0.352),
        ("h200-8b-fixed-context", 2048, 253, 10_130, 0.055),
        ("a100-8b-fixed-context", 2048, 70, 2_817, 0.197),
    ],
)
def test_03b_knee_of_throughput(name: str, context: float, batch: int, tokens_per_s: float, usd: float) -> None:
    found = knee(name, context, 0.025)
    assert found[0] == within(batch)
    assert found[1] == within(tokens_per_s)
    assert found[2] == within(usd)


def test_03b_no_batch_meets_5_ms() -> None:
    assert knee("h100-8b-fixed-context", 2048, 0.005)[0] is None


@pytest.mark.parametrize(
    ("name", "context", "requests"),
    [("memory-8b", 2048, 223), ("memory-8b", 8192, 55), ("memory-8b-fp8-kv", 2048, 447), ("memory-13b", 2048, 114)],
)
def test_04_requests_that_fit(name: str, context: float, requests: int) -> None:
    batches = np.arange(1.0, 513.0)
    found = run(name, context, 0.0, Static(batches))
    assert int(batches[found.fits][-1]) == within(requests)
