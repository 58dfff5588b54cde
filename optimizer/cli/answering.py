"""What the commands share that answer a specification: it is answered, and the answer printed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from optimizer.cli.exits import ExitCode

if TYPE_CHECKING:
    from rich.text import Text

    from catalog.read import Snapshot
    from optimizer.answers import Answer, NoAnswer
    from optimizer.outcome import Outcome
    from optimizer.search.solver_process import SolverProcess
    from requirements_specs.serving import ServingSpec


@dataclass(frozen=True)
class Wanted:
    """What is wanted beside the optimum, as the command line says it."""

    alternatives: int | None = None
    frontier: bool = False
    frontier_of: str | None = None


NOTHING_MORE = Wanted()


def answered(
    spec: ServingSpec,
    snapshot: Snapshot,
    solver: SolverProcess,
    source_name: str,
    wanted: Wanted = NOTHING_MORE,
    *,
    simulated: bool = False,
) -> Answer | NoAnswer:
    """The answer to a specification; `source_name` is named in messages. simulated: as of `solve.answer`.

    Raises:
        QuestionError: the catalog cannot be asked this.
        InternalError: a bug of ours.

    """
    from optimizer.answers import Beside
    from optimizer.errors import QuestionError
    from optimizer.question import moved_limit
    from optimizer.solve import answer
    from optimizer.topology.pins import refuse_impossible_pins

    try:
        refuse_impossible_pins(snapshot.models[spec.model], spec.layout)
        frontier = wanted.frontier or wanted.frontier_of is not None
        moved = moved_limit(spec, wanted.frontier_of) if frontier else None
        beside = Beside(wanted.alternatives, moved)
        return answer(spec, snapshot, solver.solve, beside, simulated=simulated)
    except QuestionError as error:
        raise QuestionError(f"{source_name}: {error}") from None


def answered_traffic(
    spec: ServingSpec, snapshot: Snapshot, solver: SolverProcess, source_name: str, why_no_job: str
) -> Answer | NoAnswer:
    """As `answered`, for a command that an offline job has no part in; `why_no_job` says why and what works."""
    from optimizer.errors import QuestionError

    if spec.workload.offline is not None:
        raise QuestionError(f"{source_name}: workload.offline: {why_no_job}")
    return answered(spec, snapshot, solver, source_name)


def print_outcome(
    outcome: Outcome, page: Callable[[], Text], started: float, *, as_json: bool, heading: str = ""
) -> ExitCode:
    """Print an answer as JSON or as its page, with the time since `started`, and return how the command ends.

    `heading` stands above the page.
    """
    from optimizer.outcome import Status, Timing

    if as_json:
        timed = outcome.model_copy(update={"timing": Timing(seconds=time.perf_counter() - started)})
        typer.echo(timed.model_dump_json(indent=2))
    else:
        from optimizer.deliver.console import terminal_text

        if heading:
            typer.echo(heading)
        typer.echo(terminal_text(page()), color=True)
    codes = {Status.OPTIMAL: ExitCode.ANSWERED, Status.INFEASIBLE: ExitCode.INFEASIBLE}
    return codes.get(outcome.status, ExitCode.UNPROVED)


def print_answer(
    spec: ServingSpec,
    snapshot: Snapshot,
    solver: SolverProcess,
    started: float,
    source_name: str,
    wanted: Wanted = NOTHING_MORE,
    *,
    as_json: bool,
    simulated: bool = True,
    heading: str = "",
    next_command: str = "",
) -> ExitCode:
    """Answer a specification, verified by simulation, print the report or its JSON, and return how the command ends.

    `next_command` stands in the last line of the report, in place of `solve` with `source_name`.
    """
    from datetime import date

    found = answered(spec, snapshot, solver, source_name, wanted, simulated=simulated)
    solver.dismiss()

    from optimizer.report import outcome_of

    outcome = outcome_of(spec, found, snapshot, date.today())

    def page() -> Text:
        from optimizer.deliver.console import render

        return render(outcome, spec, source_name, next_command)

    return print_outcome(outcome, page, started, as_json=as_json, heading=heading)
