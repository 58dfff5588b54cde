"""`roofplan solve` and `roofplan predict`, the options of `roofplan` itself, its commands and its entry point."""

from __future__ import annotations

import gc
import os
import sys
import time
from contextlib import ExitStack
from copy import copy
from pathlib import Path
from typing import Annotated

import typer

from optimizer.cli import calibrate, catalog, inverse, mechanisms, simulate
from optimizer.cli.answering import Wanted, print_answer
from optimizer.cli.ask import ask
from optimizer.cli.cases import StepTimesSource, predict_cases
from optimizer.cli.diagnose import NOTHING_ASKED, Answers, FormatScope, given, print_diagnosis
from optimizer.cli.exits import ExitCode, exit_codes, report_bug
from optimizer.cli.init import init
from optimizer.cli.options import AsJson
from optimizer.cli.trace import trace
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
app.command()(simulate.simulate)
app.command()(mechanisms.mechanisms)
app.command()(ask)
app.command()(init)
app.command()(calibrate.calibrate)
app.command()(trace)

GARBAGE_THRESHOLD = 100_000
"""Objects made before Python looks for garbage (its own: 700)."""

MOST_ALTERNATIVES = 50
"""The search goes through everything that costs no more than the last of them."""

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
    simulated: Annotated[
        bool,
        typer.Option("--simulate/--no-simulate", help="Confirm the design by simulated requests, or only by the laws."),
    ] = True,
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
        code = print_answer(
            spec, snapshot, solver, started, str(spec_file), beside, as_json=as_json, simulated=simulated
        )
        raise typer.Exit(code)


@app.command()
def predict(
    cases: Annotated[Path | None, typer.Argument(metavar="CASES.csv", help="Designs that exist, a row each.")] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="OUT.csv", help="Where to write the rows, predicted.")
    ] = None,
    command: Annotated[
        list[str] | None,
        typer.Option(metavar="COMMAND", help="In place of CASES.csv: the command that starts a server; one per pool."),
    ] = None,
    on: Annotated[str | None, typer.Option(metavar="MACHINE", help="Where it runs: 8xH100, 2x8xH200.")] = None,
    prompt: Annotated[str | None, typer.Option(metavar="TOKENS", help="Mean prompt tokens.")] = None,
    output: Annotated[str | None, typer.Option(metavar="TOKENS", help="Mean output tokens.")] = None,
    concurrency: Annotated[float | None, typer.Option(min=1, help="Clients that each wait for their answer.")] = None,
    rate: Annotated[str | None, typer.Option(metavar="RATE", help="Arrivals per second.")] = None,
    servers: Annotated[int | None, typer.Option(min=1, help="How often the command runs on the machine.")] = None,
    engine_version: Annotated[str | None, typer.Option(metavar="VERSION", help="Default: the current one.")] = None,
    formats: Annotated[
        FormatScope, typer.Option(help="Look for a better arrangement in the command's formats, or in any.")
    ] = FormatScope.OWN,
    measured: Annotated[
        Path | None, typer.Option(metavar="RESULT", help="What a benchmark tool wrote; it states the load too.")
    ] = None,
    measured_tpot: Annotated[str | None, typer.Option(metavar="TIME", help="Measured mean time per token.")] = None,
    measured_ttft: Annotated[
        str | None, typer.Option(metavar="TIME", help="Measured mean time to first token.")
    ] = None,
    measured_tokens_per_s: Annotated[
        float | None, typer.Option(min=1e-6, help="Measured output tokens/s of the whole deployment.")
    ] = None,
    calibration: CalibrationFile = None,
    step_times: Annotated[
        StepTimesSource, typer.Option(help="Of a case file: our laws, or measured kernels of the extra `silicon`.")
    ] = StepTimesSource.ROOFLINE,
    as_json: AsJson = False,
) -> None:
    """Predict designs that exist, or say why the server that a command starts is as slow as it is."""
    answers = Answers(
        commands=tuple(command or ()),
        machine=on,
        prompt=prompt,
        output=output,
        concurrency=concurrency,
        rate=rate,
        servers=servers,
        engine_version=engine_version,
        formats=formats,
        measured=measured,
        measured_tpot=measured_tpot,
        measured_ttft=measured_ttft,
        measured_tokens_per_s=measured_tokens_per_s,
    )
    with exit_codes():
        if answers.commands:
            if cases is not None or out is not None:
                raise typer.BadParameter("a case file and a launch command exclude each other", param_hint="--command")
            if step_times is not StepTimesSource.ROOFLINE:
                raise typer.BadParameter(
                    "this goes with a case file: a gap is taken apart by the laws", param_hint="--step-times"
                )
            print_diagnosis(answers, calibration, as_json=as_json)
        elif answers != NOTHING_ASKED:
            raise typer.BadParameter("this goes with --command, not with a case file", param_hint=given(answers))
        elif cases is None or out is None:
            raise typer.BadParameter("CASES.csv -o OUT.csv, or --command COMMAND --on MACHINE", param_hint="predict")
        else:
            predict_cases(cases, out, calibration, step_times, as_json=as_json)


def _with_one_command(asked_for: list[str]) -> typer.Typer:
    """The application with the command that is asked for alone; whole where it is none of these.

    To build the options of all the others takes longer than to read a specification.
    """
    alone = [each for each in app.registered_commands if each.callback and [each.callback.__name__] == asked_for]
    if not alone:
        return app
    smaller = copy(app)
    smaller.registered_commands, smaller.registered_groups = alone, []
    return smaller


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
    try:
        # Not app(): that would put typer's own hook in place of ours.
        typer.main.get_command(_with_one_command(sys.argv[1:2]))(prog_name="roofplan")
    finally:
        gc.freeze()  # what is left goes with the process: to look through it for cycles would take a third of a second
