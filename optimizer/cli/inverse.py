"""`roofplan inverse`: what hardware would be just enough, and what each other part is worth beside it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from optimizer.cli.exits import ExitCode, exit_codes

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def inverse(
    spec_file: Annotated[Path, typer.Argument(metavar="SPEC", help="A specification, YAML or JSON.")],
    as_json: AsJson = False,
) -> None:
    """Find the hardware that would be just enough, and the price at which each other part would tie."""
    started = time.perf_counter()
    with exit_codes(), ExitStack() as resources:
        from optimizer.search.solver_process import SolverProcess

        solver = resources.enter_context(SolverProcess())

        from datetime import date

        from catalog.read import load
        from optimizer.additions import read_question
        from optimizer.answers import Answer
        from optimizer.deliver.console import render, terminal_text
        from optimizer.deliver.inverse_page import render_inverse
        from optimizer.errors import QuestionError
        from optimizer.inverse import invert
        from optimizer.outcome import Status, Timing
        from optimizer.report import outcome_of
        from optimizer.report.inverse_part import with_inverse
        from optimizer.solve import answer

        spec, snapshot = read_question(spec_file, load())
        if spec.workload.offline is not None:
            raise QuestionError(
                f"{spec_file}: workload.offline: the hardware that is just enough is sought for requests that arrive; "
                "state workload.request_rate, or `roofplan solve` for the wall of a job"
            )
        try:
            found = answer(spec, snapshot, solver.solve)
        except QuestionError as error:
            raise QuestionError(f"{spec_file}: {error}") from None
        outcome = outcome_of(spec, found, snapshot, 0.0, date.today())
        if isinstance(found, Answer):
            outcome = with_inverse(outcome, found, invert(spec, found, snapshot))
        outcome = outcome.model_copy(update={"timing": Timing(seconds=time.perf_counter() - started)})
        if as_json:
            typer.echo(outcome.model_dump_json(indent=2))
        elif outcome.minimum_hardware is None or outcome.design is None or outcome.cost is None:
            typer.echo(terminal_text(render(outcome, spec, str(spec_file))), color=True)
        else:
            page = render_inverse(outcome.minimum_hardware, outcome.design, outcome.cost, str(spec_file))
            typer.echo(terminal_text(page), color=True)
        codes = {Status.OPTIMAL: ExitCode.ANSWERED, Status.INFEASIBLE: ExitCode.INFEASIBLE}
        raise typer.Exit(codes.get(outcome.status, ExitCode.UNPROVED))
