"""Intervals from errors of runs: what groups say, what they cannot, and for whom they hold."""

from math import exp, log

import numpy as np
import pytest

from catalog.parts import Evidence
from catalog.read import load
from optimizer.calibration.score.intervals import intervals_section
from optimizer.calibration.spread import (
    CLOSED_LOOP,
    LEAST_RUNS,
    Cell,
    Error,
    Group,
    deviations_of,
    left_out_cover,
    spreads,
)
from optimizer.confidence import INTERVAL_DEVIATIONS

CELL = Cell(Evidence.MEASURED, "vllm", "fp8")
ASSUMED = log(1.5) / INTERVAL_DEVIATIONS


def normal(deviation: float, bias: float = 0.0, runs: int = 400, seed: int = 0) -> np.ndarray:
    return bias + deviation * np.random.default_rng(seed).standard_normal(runs)


def errors(model: str, log_errors: np.ndarray, cell: Cell = CELL, load: str = CLOSED_LOOP) -> list[Error]:
    return [Error(cell, Group(model, "h100-sxm-80gb", load), float(each)) for each in log_errors]


def test_without_groups_it_is_what_the_evidence_says() -> None:
    found = deviations_of(Evidence.CLASS, [])
    assert (found.slower, found.faster) == pytest.approx([log(1.7) / INTERVAL_DEVIATIONS] * 2)


def test_many_groups_have_the_last_word_and_few_share_it_with_the_evidence() -> None:
    few, many = (deviations_of(CELL.evidence, [normal(0.1, seed=seed) for seed in range(n)]) for n in (1, 100))
    assert 0.1 < many.slower < few.slower < ASSUMED
    assert many.slower == pytest.approx(0.1, rel=0.1)
    assert few.slower == pytest.approx(np.sqrt((2.0 * ASSUMED**2 + 0.1**2) / 3.0), rel=0.05)


def test_an_engine_that_is_faster_than_predicted_is_not_thought_to_be_much_slower() -> None:
    found = deviations_of(CELL.evidence, [normal(0.05, bias=-0.3)])
    assert found.slower == pytest.approx(ASSUMED * np.sqrt(2.0 / 3.0))
    assert found.faster > found.slower


def test_a_group_that_no_law_knows_counts_as_twice_what_is_assumed() -> None:
    strange, stranger = (deviations_of(CELL.evidence, [normal(0.1, bias=bias)]) for bias in (2.0, 5.0))
    assert strange == stranger
    assert strange.slower == pytest.approx(np.sqrt((2.0 + 4.0) / 3.0) * ASSUMED)


def test_a_cell_needs_a_group_of_enough_runs() -> None:
    enough = errors("a", normal(0.1, runs=LEAST_RUNS))
    assert spreads(enough[1:]) == ()
    (found,) = spreads([*enough, *errors("b", normal(0.1, runs=LEAST_RUNS - 1))])
    assert (found.evidence, found.engine, found.weights, found.groups, found.runs) == (*CELL, 1, LEAST_RUNS)
    deviations = deviations_of(CELL.evidence, [np.array([each.log_error for each in enough])])
    assert found.slower_factor == pytest.approx(exp(INTERVAL_DEVIATIONS * deviations.slower), abs=1e-3)


def test_a_model_is_held_against_the_others_and_the_evidence_never_against_itself() -> None:
    wild = errors("wild", normal(2.0))
    alone = left_out_cover(CELL.evidence, wild)[CLOSED_LOOP]
    beside_itself = deviations_of(CELL.evidence, [normal(2.0)])
    own = np.array([each.log_error for each in wild])
    assert alone.inside == (np.abs(own) <= log(1.5)).sum() < beside_itself.hold(own).sum()


def test_nine_of_ten_runs_of_models_alike_are_inside() -> None:
    models = [each for seed in range(40) for each in errors(f"model {seed}", normal(0.15, runs=50, seed=seed))]
    covered = left_out_cover(CELL.evidence, models)[CLOSED_LOOP]
    assert covered.times == 2000
    assert covered.inside / covered.times == pytest.approx(0.9, abs=0.03)
    assert covered.at_risk / covered.times == pytest.approx(0.9, abs=0.03)


def test_the_section_misses_its_bars_where_intervals_do_not_hold_or_the_catalog_is_stale() -> None:
    snapshot = load()

    def section_of(found: list[Error], **stored: object) -> list[bool]:
        tables = snapshot.efficiency.model_copy(update=stored)
        made = intervals_section(found, snapshot.model_copy(update={"efficiency": tables}))
        return [line.met for table in made.tables for line in table.lines if line.bar]

    alike = [each for seed in range(9) for each in errors(f"m{seed}", normal(0.15, runs=99, seed=seed))]
    assert section_of(alike, step_spread=spreads(alike)) == [True, True]
    assert section_of(alike, step_spread=()) == [True, False]
    wild = [each for seed in range(9) for each in errors(f"m{seed}", normal(2.0, runs=99, seed=seed))]
    assert section_of(wild, step_spread=spreads(wild)) == [False, True]
