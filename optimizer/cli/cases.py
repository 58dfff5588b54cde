"""`roofplan predict CASES.csv`: designs that exist, a row each."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path

import typer


class StepTimesSource(StrEnum):
    """Where step times come from: our laws, or measured kernels of the extra `silicon`."""

    ROOFLINE = "roofline"
    SILICON = "silicon"


def predict_cases(cases: Path, out: Path, calibration: Path | None, source: StepTimesSource, *, as_json: bool) -> None:
    """Predict a case file into another and print how many rows ended how."""
    from dataclasses import asdict

    from catalog.corrections import with_layer
    from catalog.read import load
    from optimizer.arithmetic.silicon import PACKAGE, load_tables
    from optimizer.predict import predict_file

    snapshot = load()
    if calibration is not None:
        if source is StepTimesSource.SILICON:
            raise typer.BadParameter(
                "corrections are of our own step times and say nothing of measured kernels; give one of the two",
                param_hint="--calibration",
            )
        snapshot = with_layer(snapshot, calibration)
    tables = load_tables() if source is StepTimesSource.SILICON else None
    summary = predict_file(cases, out, snapshot, tables)
    if as_json:
        counts = asdict(summary)
        answer = {"schema_version": 1, **counts, "out": str(out), "step_times": source, "catalog_hash": snapshot.hash}
        typer.echo(json.dumps(answer))
    else:
        typer.echo(
            f"{summary.rows:,} rows: {summary.ok:,} predicted, {summary.does_not_fit:,} do not fit, "
            f"{summary.unsupported:,} unsupported; written to {out}"
            + (f"; {summary.calibrated:,} calibrated by {calibration}" if calibration is not None else "")
            + (f"; steps of measured kernels ({PACKAGE} {tables.version})" if tables is not None else "")
        )
