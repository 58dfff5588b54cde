"""`roofplan solve` and `roofplan predict`, the options of `roofplan` itself, its commands and its entry point."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from optimizer.cli import calibrate, catalog, inverse
from optimizer.cli.answering import Wanted, print_answer
from optimizer.cli.ask import ask
from optimizer.cli.exits import ExitCode, exit_codes, report_bug
from optimizer.cli.init import init
from optimizer.version import VERSION

app = typer.Typer(
    name="roofplan",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(catalog.app, name="catalog")
app.command()(inverse.inverse)
app.command()(ask)
app.command()(init)
app.command()(calibrate.calibrate)

GARBAGE_THRESHOLD = 100_000
"""Objects made before Python looks for garbage (its own: 700)."""

MOST_ALTERNATIVES = 50
"""The search goes through everything that costs no more than the last of them."""

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
CalibrationFile = Annotated[
    Path | None,
    typer.Option("--calibration", metavar="FILE", help="Corrections that `roofplan calibrate` wrote."),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"roofplan {VERSION}")
        raise typer.Exit(ExitCode.ANSWERED)


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """The cheapest serving design that meets the requirements, proved.

    Exit codes: 0 answered, 2 bad input, 3 proved infeasible, 4 stopped before a proof, 1 a bug.
    """


@app.command()
def solve(
    spec_file: Annotated[Path, typer.Argument(metavar="SPEC", help="A specification, YAML or JSON.")],
    alternatives: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_ALTERNATIVES,
            metavar="K",
            help="Show the next K designs that differ in part, layout or formats, and all within 5 %.",
        ),
    ] = None,
    frontier: Annotated[
        bool, typer.Option("--frontier", help="Show the least cost at every limit on the first latency of the slo.")
    ] = False,
    frontier_of: Annotated[
        str | None, typer.Option(metavar="LIMIT", help="The same for another latency, as slo.tpot.p99.")
    ] = None,
    calibration: CalibrationFile = None,
    as_json: AsJson = False,
) -> None:
    """Find the best design for a specification, and prove it."""
    started = time.perf_counter()
    with exit_codes(), ExitStack() as resources:
        from optimizer.search.solver_process import SolverProcess

        solver = resources.enter_context(SolverProcess())  # first: CP-SAT gets ready beside everything else

        from catalog.corrections import with_layer
        from catalog.read import load
        from optimizer.additions import read_question

        snapshot = load()
        if calibration is not None:
            snapshot = with_layer(snapshot, calibration)
        spec, snapshot = read_question(spec_file, snapshot)

        beside = Wanted(alternatives, frontier=frontier, frontier_of=frontier_of)
        raise typer.Exit(print_answer(spec, snapshot, solver, started, str(spec_file), beside, as_json=as_json))


@app.command()
def predict(
    cases: Annotated[Path, typer.Argument(metavar="CASES.csv", help="Designs that exist, a row each.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT.csv", help="Where to write the rows, predicted.")],
    calibration: CalibrationFile = None,
    as_json: AsJson = False,
) -> None:
    """Predict latency, throughput and memory of designs that exist."""
    with exit_codes():
        from dataclasses import asdict

        from catalog.corrections import with_layer
        from catalog.read import load
        from optimizer.predict import predict_file

        snapshot = load()
        if calibration is not None:
            snapshot = with_layer(snapshot, calibration)
        summary = predict_file(cases, out, snapshot)
        if as_json:
            counts = asdict(summary)
            typer.echo(json.dumps({"schema_version": 1, **counts, "out": str(out), "catalog_hash": snapshot.hash}))
        else:
            typer.echo(
                f"{summary.rows:,} rows: {summary.ok:,} predicted, {summary.does_not_fit:,} do not fit, "
                f"{summary.unsupported:,} unsupported; written to {out}"
                + (f"; {summary.calibrated:,} calibrated by {calibration}" if calibration is not None else "")
            )


def main() -> None:
    """Run the command of this process; nothing that a command raises is shown as a traceback."""
    sys.excepthook = report_bug
    # What a command builds it keeps to its end: to look for garbage at Python's usual pace takes a tenth of the time.
    gc.set_threshold(GARBAGE_THRESHOLD)
    # No plugin of pydantic is ours, and to look for one reads the metadata of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without × or ≤ still gets its report
    # Not app(): that would put typer's own hook in place of ours.
    typer.main.get_command(app)(prog_name="roofplan")
