"""How far step times lie from their prediction, by runs that no fit saw.

    python -m optimizer.calibration.spread MEASURED

Runs are told apart by what a plan knows of a design: how its part is known, its engine era, and its weight format. In
such a cell the runs of one model on one part under one kind of load are a group. Errors within a group are much
alike, so that groups count, not runs. With e a group's 95th percentile of ln(measured/predicted), at least 0, as
standard deviations of a normal law, and σ what is assumed of the evidence without any run,

    deviation² = (2·σ² + Σ_groups min(e, 2·σ)²) / (2 + groups)

towards slower steps; towards faster ones the same of the 5th percentile. σ counts as two groups, for then nine of ten
runs of a group that is left out lie within what the others say; a group farther off than 2·σ ran in some way that no
law knows, and counts as that far.

Errors are of TPOT, of throughput, or of steps that were timed by themselves. Steps of the current engine eras are
priors, fitted to no run; those of older eras are predicted by constants that were fitted to the other models.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from catalog.efficiency import MeasuredSpread
from catalog.engines import Engine
from catalog.parts import Evidence
from catalog.read import Snapshot, load
from optimizer.additions import Additions
from optimizer.arithmetic.replica_rows import Estimate
from optimizer.arithmetic.serving import build_replicas
from optimizer.calibration.fit import Run, Runs, era_of, fit_engine, published_runs, run_errors, runs_of
from optimizer.calibration.silicon import PredictionCase
from optimizer.calibration.splitwise import StepCase
from optimizer.confidence import INTERVAL_DEVIATIONS, STEP_FACTOR, evidence_of
from optimizer.predict.cases import read_case

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CLOSED_LOOP = "closed loop"
LEAST_RUNS = 8
GROUPS_OF_THE_EVIDENCE = 2
MOST_DEVIATIONS = 2.0
UPPER, LOWER = 0.95, 0.05
ONE_SIDED_DEVIATIONS = NormalDist().inv_cdf(0.9)
COLUMNS = ("evidence", "engine", "weights", "slower_factor", "faster_factor", "groups", "runs", "source")
SOURCE = "errors of published runs left out of every fit (python -m optimizer.calibration.spread)"


class Cell(NamedTuple):
    """What a plan knows of how well a design's steps are known."""

    evidence: Evidence
    engine: str
    weights: str


class Group(NamedTuple):
    """Runs whose errors are much alike: one model on one part under one kind of load."""

    model: str
    part: str
    load: str


@dataclass(frozen=True)
class Error:
    """ln(measured/predicted) of one time of a run: above 0 it was slower."""

    cell: Cell
    group: Group
    log_error: float


@dataclass(frozen=True)
class Deviations:
    """Standard deviations of the logarithm of a step time over its prediction, of each half by itself."""

    slower: float
    faster: float

    def hold(self, log_errors: Floats) -> Bools:
        """Which errors lie in the central 90 % interval."""
        return (log_errors <= INTERVAL_DEVIATIONS * self.slower) & (log_errors >= -INTERVAL_DEVIATIONS * self.faster)


def errors_of(measured: Path, snapshot: Snapshot) -> tuple[Error, ...]:
    """The error of every time in the published files that can be predicted without having been fitted to."""
    published = published_runs(measured, snapshot)
    times = [each for engine in snapshot.engines.values() for each in _times_off(engine, published, measured, snapshot)]
    cells = cells_of([run for run, _ in times], snapshot)
    return tuple(
        Error(cell, Group(run.cells["model"], run.cells["accelerator"], _load(run)), -error)
        for (run, error), cell in zip(times, cells, strict=True)
    )


def _times_off(engine: Engine, published: Runs, measured: Path, snapshot: Snapshot) -> Iterator[tuple[Run, float]]:
    """Runs of an era with ln(predicted/measured) of a time; of those that its constants were fitted to, left out."""
    fitted = Runs() if engine.id == engine.library else runs_of(engine.id, measured, snapshot)
    for each in fit_engine(engine.id, fitted, snapshot).left_out:
        yield each.run, each.log_error
    seen = {run.case_id for run in fitted}
    others = published.where(lambda run: era_of(run, snapshot) == engine.id and run.case_id not in seen)
    for run, error in zip(others, run_errors(others, snapshot), strict=True):
        if error is not None:
            yield run, error


def cells_of(runs: Sequence[Run], snapshot: Snapshot) -> list[Cell]:
    """The cell of every run, each of which can be predicted."""
    additions = Additions(snapshot, Path())
    cells = []
    for run in runs:
        case = read_case(run.cells, additions)
        (bits,) = build_replicas(case.model, [case.row], snapshot).estimates.tolist()
        cells.append(Cell(evidence_of(case.row, Estimate(bits)), case.row.engine.id, case.row.weights.id))
    return cells


def _load(run: Run) -> str:
    if isinstance(run, PredictionCase):
        return CLOSED_LOOP
    if isinstance(run, StepCase):
        return "steps"
    return "queued" if run.batch is None else "static batch"


def groups_of(errors: Iterable[Error]) -> dict[Group, Floats]:
    """The errors of each group of enough runs, in the order of their names."""
    found: dict[Group, list[float]] = {}
    for error in errors:
        found.setdefault(error.group, []).append(error.log_error)
    return {group: np.array(found[group]) for group in sorted(found) if len(found[group]) >= LEAST_RUNS}


def deviations_of(evidence: Evidence, groups: Iterable[Floats]) -> Deviations:
    """What groups say together with the evidence; what the evidence says if there are none."""
    assumed = log(STEP_FACTOR[evidence]) / INTERVAL_DEVIATIONS
    ends = np.array([[np.quantile(each, UPPER), -np.quantile(each, LOWER)] for each in groups]).reshape(-1, 2)
    each = np.clip(ends / INTERVAL_DEVIATIONS, 0.0, MOST_DEVIATIONS * assumed)
    square = GROUPS_OF_THE_EVIDENCE * assumed**2 + (each**2).sum(axis=0)
    slower, faster = np.sqrt(square / (GROUPS_OF_THE_EVIDENCE + len(each))).tolist()
    return Deviations(slower, faster)


def by_cell(errors: Iterable[Error]) -> dict[Cell, tuple[Error, ...]]:
    """The errors of each cell, in the order of their names."""
    found: dict[Cell, list[Error]] = {}
    for error in errors:
        found.setdefault(error.cell, []).append(error)
    return {cell: tuple(found[cell]) for cell in sorted(found)}


def spreads(errors: Iterable[Error]) -> tuple[MeasuredSpread, ...]:
    """The spread of every cell that has a group."""
    found = []
    for cell, own in by_cell(errors).items():
        groups = groups_of(own)
        if groups:
            deviations = deviations_of(cell.evidence, groups.values())
            found.append(
                MeasuredSpread(
                    evidence=cell.evidence,
                    engine=cell.engine,
                    weights=cell.weights,
                    slower_factor=round(exp(INTERVAL_DEVIATIONS * deviations.slower), 3),
                    faster_factor=round(exp(INTERVAL_DEVIATIONS * deviations.faster), 3),
                    groups=len(groups),
                    runs=sum(map(len, groups.values())),
                    source=SOURCE,
                )
            )
    return tuple(found)


@dataclass(frozen=True)
class Covered:
    """How many of some times lie in their interval, and how many are no slower than nine of ten should be."""

    times: int
    inside: int
    at_risk: int

    @classmethod
    def of(cls, parts: Iterable[Covered]) -> Covered:
        """All of them together."""
        listed = list(parts)
        return cls(
            sum(each.times for each in listed),
            sum(each.inside for each in listed),
            sum(each.at_risk for each in listed),
        )


def left_out_cover(evidence: Evidence, errors: Sequence[Error]) -> dict[str, Covered]:
    """By kind of load: each model of one cell held against the interval that the evidence and the others give."""
    found: dict[str, list[Covered]] = {}
    for model in sorted({error.group.model for error in errors}):
        others = groups_of(error for error in errors if error.group.model != model)
        deviations = deviations_of(evidence, others.values())
        for kind in sorted({error.group.load for error in errors}):
            own = np.array([each.log_error for each in errors if (each.group.model, each.group.load) == (model, kind)])
            at_risk = own <= ONE_SIDED_DEVIATIONS * deviations.slower
            found.setdefault(kind, []).append(Covered(len(own), int(deviations.hold(own).sum()), int(at_risk.sum())))
    return {kind: Covered.of(each) for kind, each in found.items()}


def main(arguments: Sequence[str]) -> int:
    """Print the table of the catalog, a row for each cell."""
    (measured,) = arguments
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(COLUMNS)
    for each in spreads(errors_of(Path(measured), load())):
        table.writerow(str(getattr(each, column)) for column in COLUMNS)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
