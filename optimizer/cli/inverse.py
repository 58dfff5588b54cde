"""`roofplan inverse`: what hardware would be just enough, and what each other part is worth beside it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optimizer.cli.answering import answered_traffic, print_outcome
from optimizer.cli.exits import exit_codes
from optimizer.cli.options import AsJson

if TYPE_CHECKING:
    from rich.text import Text

_NO_LIMIT = (
    "what is just enough for the fastest is only the fastest there is; state the speed that will do as a limit "
    "(slo.e2e.mean) and objective: cheapest"
)
_NO_JOB = (
    "the hardware that is just enough is sought for requests that arrive; state workload.request_rate, or "
    "`roofplan solve` for the wall of a job"
)


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
        from optimizer.deliver.console import render
        from optimizer.deliver.inverse_page import render_inverse
        from optimizer.errors import QuestionError
        from optimizer.inverse import invert
        from optimizer.report import outcome_of
        from optimizer.report.inverse_part import with_inverse
        from requirements_specs.serving import Objective

        spec, snapshot = read_question(spec_file, load())
        if spec.objective is Objective.FASTEST:
            raise QuestionError(f"{spec_file}: objective: {_NO_LIMIT}")
        found = answered_traffic(spec, snapshot, solver, str(spec_file), _NO_JOB)
        outcome = outcome_of(spec, found, snapshot, date.today())
        if isinstance(found, Answer):
            outcome = with_inverse(outcome, found, invert(spec, found, snapshot))

        def page() -> Text:
            if outcome.minimum_hardware is None or outcome.design is None or outcome.cost is None:
                return render(outcome, spec, str(spec_file))
            return render_inverse(outcome.minimum_hardware, outcome.design, outcome.cost, str(spec_file))

        raise typer.Exit(print_outcome(outcome, page, started, as_json=as_json))
