"""`roofplan simulate`: the cheapest design under simulated requests, beside what its evaluation predicts."""

from __future__ import annotations

import time
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from optimizer.cli.answering import answered_traffic, print_outcome
from optimizer.cli.exits import exit_codes
from optimizer.cli.options import AsJson

if TYPE_CHECKING:
    from rich.text import Text

_NO_JOB = (
    "requests that arrive are simulated; state workload.request_rate, or `roofplan solve` for the duration of a job"
)
# An interval needs several batches, and a batch its own 99th percentile.
FEWEST_SEEDS, MOST_SEEDS = 3, 100
FEWEST_REQUESTS, MOST_REQUESTS = 2_000, 10_000_000
DEFAULT_REQUESTS = 20_000
POISSON, LARGEST_BURSTINESS = 1.0, 100.0


class RouterName(StrEnum):
    """The routers of `traffic.simulate`, named here so that `--help` need not load it."""

    ROUND_ROBIN = "round_robin"
    LEAST_LOADED = "least_loaded"


def simulate(
    spec_file: Annotated[Path, typer.Argument(metavar="SPEC", help="A specification, YAML or JSON.")],
    seeds: Annotated[
        int, typer.Option(min=FEWEST_SEEDS, max=MOST_SEEDS, help="Independent runs, from seed 1 on.")
    ] = FEWEST_SEEDS,
    requests: Annotated[
        int, typer.Option(min=FEWEST_REQUESTS, max=MOST_REQUESTS, help="Requests that are counted in each run.")
    ] = DEFAULT_REQUESTS,
    router: Annotated[RouterName, typer.Option(help="Who gets a request.")] = RouterName.ROUND_ROBIN,
    burstiness: Annotated[
        float,
        typer.Option(
            min=POISSON,
            max=LARGEST_BURSTINESS,
            metavar="CV2",
            help="Squared variation of gaps between arrivals; 1: Poisson.",
        ),
    ] = POISSON,
    as_json: AsJson = False,
) -> None:
    """Simulate the design that is cheapest by the laws alone, and hold each limit against it.

    Whether the limits hold is printed, and no exit code: 0 says that the design was simulated.
    """
    started = time.perf_counter()
    with exit_codes(), ExitStack() as resources:
        from optimizer.search.solver_process import SolverProcess

        solver = resources.enter_context(SolverProcess())

        from datetime import date

        from catalog.read import load
        from optimizer.additions import read_question
        from optimizer.answers import Answer
        from optimizer.deliver.console import render
        from optimizer.deliver.simulation_page import render_simulation
        from optimizer.report import outcome_of
        from optimizer.report.simulated_part import with_simulation
        from optimizer.simulation import Runs, simulate
        from optimizer.traffic.simulate import Router

        spec, snapshot = read_question(spec_file, load())
        found = answered_traffic(spec, snapshot, solver, str(spec_file), _NO_JOB)
        outcome = outcome_of(spec, found, snapshot, date.today())
        if isinstance(found, Answer):
            runs = Runs(seeds, requests, Router(router.value), burstiness)
            outcome = with_simulation(outcome, spec, simulate(spec, found, runs))

        def page() -> Text:
            if outcome.simulation is None or outcome.design is None or outcome.cost is None:
                return render(outcome, spec, str(spec_file))
            again = _command(spec_file, seeds, requests, router, burstiness)
            return render_simulation(outcome.simulation, outcome.design, outcome.cost, again)

        raise typer.Exit(print_outcome(outcome, page, started, as_json=as_json))


def _command(spec_file: Path, seeds: int, requests: int, router: RouterName, burstiness: float) -> str:
    """The command that simulates the same runs, with the options that are not at their defaults."""
    options = (
        ("--seeds", seeds, FEWEST_SEEDS),
        ("--requests", requests, DEFAULT_REQUESTS),
        ("--router", router.value, RouterName.ROUND_ROBIN.value),
        ("--burstiness", burstiness, POISSON),
    )
    chosen = [f"{name} {value}" for name, value, default in options if value != default]
    return " ".join(["roofplan simulate", quote(str(spec_file)), *chosen])
