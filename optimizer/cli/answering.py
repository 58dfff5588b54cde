"""What `solve` and `ask` share: a specification is answered and the answer printed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from optimizer.cli.exits import ExitCode

if TYPE_CHECKING:
    from catalog.read import Snapshot
    from optimizer.search.solver_process import SolverProcess
    from requirements_specs.serving import ServingSpec


@dataclass(frozen=True)
class Wanted:
    """What is wanted beside the optimum, as the command line says it."""

    alternatives: int | None = None
    frontier: bool = False
    frontier_of: str | None = None


NOTHING_MORE = Wanted()


def print_answer(
    spec: ServingSpec,
    snapshot: Snapshot,
    solver: SolverProcess,
    started: float,
    source_name: str,
    wanted: Wanted = NOTHING_MORE,
    *,
    as_json: bool,
    heading: str = "",
    next_command: str = "",
) -> ExitCode:
    """Print the report of a specification, or its JSON, and return how the command ends.

    `source_name` is named in messages; `heading` stands above a report, and `next_command` in its last line in place
    of `solve` with that name.

    Raises:
        QuestionError: the catalog cannot be asked this.
        InternalError: a bug of ours.

    """
    from datetime import date

    from optimizer.answers import Beside
    from optimizer.errors import QuestionError
    from optimizer.outcome import Status
    from optimizer.question import moved_limit
    from optimizer.report import outcome_of
    from optimizer.solve import answer
    from optimizer.topology.pins import refuse_impossible_pins

    try:
        refuse_impossible_pins(snapshot.models[spec.model], spec.layout)
        frontier = wanted.frontier or wanted.frontier_of is not None
        moved = moved_limit(spec, wanted.frontier_of) if frontier else None
        found = answer(spec, snapshot, solver.solve, Beside(wanted.alternatives, moved))
    except QuestionError as error:
        raise QuestionError(f"{source_name}: {error}") from None
    outcome = outcome_of(spec, found, snapshot, time.perf_counter() - started, date.today())
    if as_json:
        typer.echo(outcome.model_dump_json(indent=2))
    else:
        from optimizer.deliver.console import render, terminal_text

        if heading:
            typer.echo(heading)
        typer.echo(terminal_text(render(outcome, spec, source_name, next_command)), color=True)
    codes = {Status.OPTIMAL: ExitCode.ANSWERED, Status.INFEASIBLE: ExitCode.INFEASIBLE}
    return codes.get(outcome.status, ExitCode.UNPROVED)
