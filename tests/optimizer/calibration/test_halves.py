import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from catalog.corrections import Change, FirstTokenFactors
from catalog.read import Snapshot, load
from optimizer.calibration.factors import NO_FACTORS, Factors, Observation, Stack, predicted_logs
from optimizer.calibration.halves import (
    ALLOWANCE,
    FEWEST_RUNS,
    SEEDS,
    exchange_bytes,
    held_out,
    largest_after,
    median_change,
    observed_groups,
)
from optimizer.calibration.importers import Tool
from optimizer.calibration.score import calibration
from optimizer.calibration.score.render import text
from optimizer.calibration.silicon import FILE_NAME, PredictionCase, read_silicon
from optimizer.predict.cases import Clients
from tests.optimizer.calibration.test_score import case
from tests.optimizer.calibration.writers import WRITERS

# A directory with the published runs, which are not shipped.
MEASURED = os.environ.get("ROOFPLAN_MEASURED", "")


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return load()


def system(factors: Factors, snapshot: Snapshot, runs: int = 16) -> list[PredictionCase]:
    """Runs of a system with these factors and seeded noise of 4 %."""
    loads = [
        case(f"run {place}", 0.01, concurrency=float(2 ** (place % 6)), prompt_tokens=500.0 * (1 + place % 4))
        for place in range(runs)
    ]
    (found,) = observed_groups(loads, snapshot).values()
    tpot, ttft = predicted_logs([each.case for each in found], factors, snapshot)
    noise = 0.04 * np.random.default_rng(11).standard_normal((2, runs))
    return [
        replace(each, measured_tpot_s=math.exp(a), measured_ttft_s=math.exp(b))
        for each, a, b in zip(loads, tpot + noise[0], ttft + noise[1], strict=True)
    ]


def figures(run: Observation) -> tuple[float, ...]:
    case, load = run.case, run.case.load
    assert isinstance(load, Clients)
    return run.tpot_s, run.ttft_s, case.prompt_tokens, case.output_tokens, load.concurrency, load.requests


def test_a_half_calibrates_the_other(snapshot: Snapshot) -> None:
    stack = Stack("bf16", case("any", 0.01).engine_version)
    (group,) = observed_groups(
        system(Factors({stack: 1.6}, 1.5, {stack: FirstTokenFactors.alike(2.0)}), snapshot), snapshot
    ).items()
    found = held_out(*group, snapshot)
    assert (found.group, found.runs, len(found.tpot)) == (("llama-3.1-8b", "h100-sxm-80gb", "vllm"), 16, len(SEEDS))
    for changes in (found.tpot, found.ttft):
        change = median_change(changes)
        assert change.before > 0.2
        assert change.after < 0.3 * change.before
    assert found.covered > 0.9


def test_a_system_as_predicted_is_not_made_worse(snapshot: Snapshot) -> None:
    section = calibration.section(system(NO_FACTORS, snapshot), snapshot)
    assert section.met
    assert "seeds 1, 2, 3, 4, 5" in text(section)
    assert "llama-3.1-8b h100-sxm-80gb vllm" in text(section)


def test_the_bars() -> None:
    assert largest_after(Change(before=0.5, after=0.3)) == pytest.approx(0.3)
    assert largest_after(Change(before=0.1, after=0.1)) == pytest.approx(0.12)
    assert largest_after(Change(before=0.2, after=0.1)) == pytest.approx(0.22)


def test_a_group_of_few_runs_is_not_scored(snapshot: Snapshot) -> None:
    assert not observed_groups([case(str(place), 0.01) for place in range(FEWEST_RUNS - 1)], snapshot)


@pytest.mark.parametrize("tool", Tool)
def test_every_format_carries_the_runs(tool: Tool, snapshot: Snapshot) -> None:
    measured = Path(MEASURED)
    cases = (
        read_silicon(measured)
        if MEASURED and (measured / FILE_NAME).is_file()
        else system(Factors({"bf16": 1.3}, 1.0, None), snapshot)
    )
    exchanged = observed_groups(cases, snapshot, exchange_bytes)
    written = observed_groups(cases, snapshot, WRITERS[tool])
    assert written.keys() == exchanged.keys()
    for group, runs in written.items():
        assert [figures(each) for each in runs] == [pytest.approx(figures(each)) for each in exchanged[group]]


@pytest.mark.skipif(not MEASURED, reason="ROOFPLAN_MEASURED names no directory")
def test_public_groups_are_within_the_bars_of_tpot_and_no_ttft_gets_worse(snapshot: Snapshot) -> None:
    tpot, ttft = calibration.section(read_silicon(Path(MEASURED)), snapshot).tables
    assert all(line.met for line in tpot.lines)
    assert all(float(line.figures[2]) <= float(line.figures[1]) + ALLOWANCE for line in ttft.lines)
