"""A case file in, a case file with predicted columns out."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path

import numpy as np

from catalog.read import Snapshot
from optimizer.additions import Additions
from optimizer.arithmetic.silicon import NotTabulatedError, SiliconTables
from optimizer.confidence import INTERVAL_DEVIATIONS, correction_of
from optimizer.errors import QuestionError
from optimizer.predict.cases import REQUIRED, Case, Unsupported, read_case
from optimizer.predict.evaluation import Figures, Prediction, evaluate_cases


class PredictStatus(StrEnum):
    """What became of a case."""

    OK = "ok"
    DOES_NOT_FIT = "does_not_fit"
    UNSUPPORTED = "unsupported"


METRICS = tuple(field.name for field in fields(Figures))
PREDICTED_COLUMNS = ("status", "reason", *(f"{metric}{end}" for metric in METRICS for end in ("", "_low", "_high")))


@dataclass(frozen=True)
class PredictSummary:
    """How many rows ended how; `calibrated` of the predicted ones rest on a correction of the user's own."""

    rows: int
    ok: int
    does_not_fit: int
    unsupported: int
    calibrated: int


@dataclass(frozen=True)
class PredictedRow:
    """The predicted columns of one row, as text; `calibrated`: a correction of the user's own was applied."""

    status: PredictStatus
    reason: str
    figures: Mapping[str, str]
    calibrated: bool = False


def predict_file(cases: Path, out: Path, snapshot: Snapshot, tables: SiliconTables | None = None) -> PredictSummary:
    """Predict every row of `cases` and write all its columns, with the predicted ones added, to `out`.

    With `tables`, by steps of their measured kernels.

    Raises:
        QuestionError: the file cannot be read, is no CSV with the required columns, or cannot be written.

    """
    header, rows = _read(cases)
    predictions = predict_rows(rows, snapshot, cases.parent, tables)
    kept = [name for name in header if name not in PREDICTED_COLUMNS]
    try:
        with out.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*kept, *PREDICTED_COLUMNS])
            for row, prediction in zip(rows, predictions, strict=True):
                figures = [prediction.figures.get(column, "") for column in PREDICTED_COLUMNS[2:]]
                writer.writerow([*(row[name] for name in kept), prediction.status, prediction.reason, *figures])
    except OSError as error:
        raise QuestionError(f"{out}: cannot be written: {error.strerror}") from error
    statuses = [prediction.status for prediction in predictions]
    return PredictSummary(
        len(rows),
        statuses.count(PredictStatus.OK),
        statuses.count(PredictStatus.DOES_NOT_FIT),
        statuses.count(PredictStatus.UNSUPPORTED),
        sum(prediction.calibrated for prediction in predictions),
    )


def predict_rows(
    rows: Sequence[Mapping[str, str]],
    snapshot: Snapshot,
    beside: Path = Path(),
    tables: SiliconTables | None = None,
) -> list[PredictedRow]:
    """One prediction per row, in order; rows of one model and one kind of load are evaluated together.

    Paths of models are relative to the folder `beside`. With `tables`, steps are those of their measured kernels; a row
    that they do not tell is unsupported.
    """
    additions = Additions(snapshot, beside)
    predictions: dict[int, PredictedRow] = {}
    groups: dict[tuple[str, type, int], list[tuple[int, Case]]] = {}
    for index, row in enumerate(rows):
        try:
            case = read_case(row, additions)
        except Unsupported as reason:
            predictions[index] = PredictedRow(PredictStatus.UNSUPPORTED, str(reason), {})
        else:
            # what tables do not tell must not take other rows with it
            alone = 0 if tables is None else index
            groups.setdefault((case.model.id, type(case.load), alone), []).append((index, case))
    for group in groups.values():
        try:
            found = _predict_group([case for _, case in group], snapshot, tables)
        except NotTabulatedError as reason:
            found = [PredictedRow(PredictStatus.UNSUPPORTED, str(reason), {})] * len(group)
        predictions |= zip((index for index, _ in group), found, strict=True)
    return [predictions[index] for index in range(len(rows))]


def _predict_group(cases: Sequence[Case], snapshot: Snapshot, tables: SiliconTables | None) -> list[PredictedRow]:
    point, fast, slow = (
        evaluate_cases(cases, snapshot, deviations, tables)
        for deviations in (0.0, -INTERVAL_DEVIATIONS, INTERVAL_DEVIATIONS)
    )
    predictions = []
    for row, case in enumerate(cases):
        if not point.fits[row]:
            reason = f"weights and one request do not fit on {case.row.tp * case.row.pp} × {case.row.accelerator.id}"
            predictions.append(PredictedRow(PredictStatus.DOES_NOT_FIT, reason, {}))
        elif not point.steady[row]:
            reason = "overloaded: the arrivals exceed what the deployment can carry"
            predictions.append(PredictedRow(PredictStatus.DOES_NOT_FIT, reason, {}))
        else:
            figures: dict[str, str] = {}
            for metric in METRICS:
                figures |= _with_interval(metric, row, point, fast, slow)
            calibrated = correction_of(case.model, case.row, snapshot) is not None
            predictions.append(PredictedRow(PredictStatus.OK, "", figures, calibrated))
    return predictions


def _with_interval(metric: str, row: int, point: Prediction, fast: Prediction, slow: Prediction) -> dict[str, str]:
    """A metric and the ends of its central 90 % interval; an end without a steady state stays empty."""
    values = []
    for prediction in (point, fast, slow):
        column = getattr(prediction.figures, metric)
        usable = column is not None and prediction.fits[row] and prediction.steady[row]
        values.append(float(column[row]) if usable else None)
    value, *ends = values
    known = [end for end in ends if end is not None]
    low = min(known) if len(known) == 2 else (None if value is None or not known else min(known[0], value))
    high = max(known) if len(known) == 2 else None
    return {metric: _text(value), f"{metric}_low": _text(low), f"{metric}_high": _text(high)}


def _text(value: float | None) -> str:
    if value is None:
        return ""
    if not math.isfinite(value):
        raise FloatingPointError("a prediction is not finite")
    return repr(float(np.format_float_positional(value, precision=9, fractional=False)))


def _read(cases: Path) -> tuple[list[str], list[dict[str, str]]]:
    try:
        with cases.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            header = list(reader.fieldnames or [])
            missing = [name for name in REQUIRED if name not in header]
            if missing:
                raise QuestionError(
                    f"{cases}:1: the header lacks {', '.join(missing)}; read {', '.join(header) or 'nothing'}"
                )
            if len(set(header)) != len(header):
                raise QuestionError(f"{cases}:1: the header names a column twice")
            rows = []
            for row in reader:
                if None in row or None in row.values():
                    raise QuestionError(f"{cases}:{reader.line_num}: {len(header)} cells are expected")
                rows.append({name: value.strip() for name, value in row.items()})
    except OSError as error:
        raise QuestionError(f"{cases}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise QuestionError(f"{cases}: not a CSV file in UTF-8: {error}") from error
    return header, rows
