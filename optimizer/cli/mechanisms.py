"""`roofplan mechanisms`: what each mechanism of the engine does to the cheapest design."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from optimizer.cli.answering import answered_traffic, print_outcome
from optimizer.cli.exits import exit_codes
from optimizer.cli.options import DEFAULT_DRAFTED, Acceptance, AsJson, DraftCost, Drafted

if TYPE_CHECKING:
    from rich.text import Text

_NO_JOB = "mechanisms are held against requests that arrive; state workload.request_rate, or `roofplan solve` for a job"


def mechanisms(
    spec_file: Annotated[Path, typer.Argument(metavar="SPEC", help="A specification, YAML or JSON.")],
    drafted: Drafted = DEFAULT_DRAFTED,
    acceptance: Acceptance = None,
    draft_cost: DraftCost = None,
    as_json: AsJson = False,
) -> None:
    """Turn each mechanism of the engine on and off at the hardware of the design that is cheapest by the laws alone.

    Chunked prefill, prefix caching, an fp8 KV cache, attention data parallelism, and speculative decoding.
    """
    started = time.perf_counter()
    if (acceptance is None) != (draft_cost is None):
        given, missing = ("--acceptance", "--draft-cost") if draft_cost is None else ("--draft-cost", "--acceptance")
        raise typer.BadParameter(
            f"what drafting gains needs both; add {missing}, or leave out {given} for what must be accepted",
            param_hint=given,
        )
    with exit_codes(), ExitStack() as resources:
        from optimizer.search.solver_process import SolverProcess

        solver = resources.enter_context(SolverProcess())

        from datetime import date

        from catalog.read import load
        from optimizer.additions import read_question
        from optimizer.answers import Answer
        from optimizer.deliver.console import render
        from optimizer.deliver.mechanisms_page import render_mechanisms
        from optimizer.mechanisms import Drafts, mechanisms_of
        from optimizer.report import outcome_of
        from optimizer.report.mechanisms_part import with_mechanisms

        spec, snapshot = read_question(spec_file, load())
        found = answered_traffic(spec, snapshot, solver, str(spec_file), _NO_JOB)
        outcome = outcome_of(spec, found, snapshot, date.today())
        if isinstance(found, Answer):
            drafts = Drafts(drafted, acceptance, draft_cost or 0.0)
            outcome = with_mechanisms(outcome, found, mechanisms_of(spec, found, snapshot, drafts))

        def page() -> Text:
            if outcome.mechanisms is None or outcome.design is None or outcome.cost is None:
                return render(outcome, spec, str(spec_file))
            again = _command(spec_file, drafted, acceptance, draft_cost)
            return render_mechanisms(outcome.mechanisms, outcome.design, outcome.cost, again)

        raise typer.Exit(print_outcome(outcome, page, started, as_json=as_json))


def _command(spec_file: Path, drafted: int, acceptance: float | None, draft_cost: float | None) -> str:
    """The command that asks the same again."""
    options = [] if drafted == DEFAULT_DRAFTED else [f"--drafted {drafted}"]
    if acceptance is not None:
        options += [f"--acceptance {acceptance:g}", f"--draft-cost {draft_cost:g}"]
    return " ".join(["roofplan mechanisms", quote(str(spec_file)), *options])
