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
from optimizer.cli.options import DEFAULT_DRAFTED, Acceptance, AsJson, DraftCost, Drafted
from optimizer.cli.progress import Progress

if TYPE_CHECKING:
    from rich.text import Text

    from optimizer.simulation import Recording

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
    PREFIX_AWARE = "prefix_aware"


# A trace is one sample of its own size and shape.
_NOT_OF_A_TRACE = ("seeds", "requests", "burstiness")


def simulate(
    context: typer.Context,
    spec_file: Annotated[Path, typer.Argument(metavar="SPEC", help="A specification, YAML or JSON.")],
    seeds: Annotated[
        int, typer.Option(min=FEWEST_SEEDS, max=MOST_SEEDS, help="Independent runs, from seed 1 on.")
    ] = FEWEST_SEEDS,
    requests: Annotated[
        int, typer.Option(min=FEWEST_REQUESTS, max=MOST_REQUESTS, help="Requests that are counted in each run.")
    ] = DEFAULT_REQUESTS,
    router: Annotated[
        RouterName, typer.Option(help="Who gets a request; prefix_aware needs a trace with prefix hashes.")
    ] = RouterName.ROUND_ROBIN,
    burstiness: Annotated[
        float | None,
        typer.Option(
            min=POISSON,
            max=LARGEST_BURSTINESS,
            metavar="CV2",
            help="Squared variation of gaps between arrivals, 1: Poisson; if not given, as the specification says.",
        ),
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Replay the requests of a trace, at its own rate."),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Count the trace's busiest window of this length; default: all of it."),
    ] = None,
    drafted: Drafted = DEFAULT_DRAFTED,
    acceptance: Acceptance = None,
    draft_cost: DraftCost = None,
    as_json: AsJson = False,
) -> None:
    """Simulate the design that is cheapest by the laws alone, and hold each limit against it.

    With --acceptance and --draft-cost it drafts tokens and verifies them in every step.

    Whether the limits hold is printed, and no exit code: 0 says that the design was simulated.
    """
    started = time.perf_counter()
    with exit_codes(), ExitStack() as resources:
        _refuse_what_does_not_go_together(context, router, trace, window)
        _refuse_half_of_what_drafts_need(context, acceptance, draft_cost)
        recorded = None if trace is None else _read(trace, window, router)

        from optimizer.search.solver_process import SolverProcess

        solver = resources.enter_context(SolverProcess())

        from datetime import date

        from catalog.read import load
        from optimizer.additions import read_question
        from optimizer.answers import Answer
        from optimizer.arithmetic.speculative import Speculation
        from optimizer.deliver.console import render
        from optimizer.deliver.simulation_page import render_simulation
        from optimizer.replay import replay_trace
        from optimizer.report import outcome_of
        from optimizer.report.simulated_part import with_simulation
        from optimizer.simulation import Runs, risks_of, simulate, with_drafts
        from optimizer.traffic.simulate import Router

        spec, snapshot = read_question(spec_file, load())
        found = answered_traffic(spec, snapshot, solver, str(spec_file), _NO_JOB)
        outcome = outcome_of(spec, found, snapshot, date.today())
        if isinstance(found, Answer):
            if acceptance is not None and draft_cost is not None:
                found = with_drafts(spec, found, snapshot, Speculation(drafted, acceptance, draft_cost))
            chosen, risks = Router(router.value), len(risks_of(spec))
            if recorded is None:
                bursts = spec.workload.index_of_dispersion if burstiness is None else burstiness
                runs = Runs(seeds, requests, chosen, bursts)
                with Progress("simulating", seeds * risks) as progress:
                    simulation = simulate(spec, found, runs, progress.step)
            else:
                model = snapshot.models[spec.model]
                with Progress("replaying", risks) as progress:
                    simulation = replay_trace(spec, model, found, recorded, chosen, progress.step)
            outcome = with_simulation(outcome, spec, simulation)

        def page() -> Text:
            if outcome.simulation is None or outcome.design is None or outcome.cost is None:
                return render(outcome, spec, str(spec_file))
            again = _command(context)
            return render_simulation(outcome.simulation, outcome.design, outcome.cost, again)

        raise typer.Exit(print_outcome(outcome, page, started, as_json=as_json))


def _refuse_what_does_not_go_together(
    context: typer.Context, router: RouterName, trace: Path | None, window: str | None
) -> None:
    if trace is None:
        if window is not None:
            raise typer.BadParameter("a window is one of a trace: add --trace FILE", param_hint="--window")
        if router is RouterName.PREFIX_AWARE:
            what = "random requests share no prefixes: add --trace FILE with prefix hashes (Mooncake's JSON lines)"
            raise typer.BadParameter(what, param_hint="--router")
        return
    for name in _NOT_OF_A_TRACE:
        if _was_given(context, name):
            raise typer.BadParameter("a trace states this: leave one of the two out", param_hint=f"--{name}")


def _refuse_half_of_what_drafts_need(
    context: typer.Context, acceptance: float | None, draft_cost: float | None
) -> None:
    needed = {"--acceptance": acceptance, "--draft-cost": draft_cost}
    missing = [option for option, value in needed.items() if value is None]
    given = [option for option in needed if option not in missing]
    if _was_given(context, "drafted"):
        given.insert(0, "--drafted")
    if given and missing:
        what = f"drafts need a chance and a cost: add {' and '.join(missing)}, or leave out {' and '.join(given)}"
        raise typer.BadParameter(what, param_hint=given[0])


def _read(trace_file: Path, window: str | None, router: RouterName) -> Recording:
    """The trace, before anything is solved.

    Raises:
        TraceError: it cannot be read.
        typer.BadParameter: it has no such window, or no prefixes for the router.

    """
    from optimizer.simulation import Recording
    from requirements_specs import convert
    from requirements_specs.errors import ValueProblem
    from requirements_specs.quantity import Dimension
    from requirements_specs.traces.facts import busiest_window_of, whole
    from requirements_specs.traces.read import read_trace

    trace = read_trace(trace_file, keep_blocks=True)
    try:
        if window is None:
            part = whole(trace)
        else:
            part = busiest_window_of(trace, convert.quantity(Dimension.TIME, above=0.0)(window))
    except ValueProblem as problem:
        raise typer.BadParameter(str(problem), param_hint="--window") from None
    if router is RouterName.PREFIX_AWARE and trace.prefix_blocks is None:
        what = f"{trace_file} has no prefix hashes (Mooncake's hash_ids); allowed: round_robin, least_loaded"
        raise typer.BadParameter(what, param_hint="--router")
    return Recording(str(trace_file), trace, part)


def _was_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _command(context: typer.Context) -> str:
    """The command that simulates the same runs: the specification and the options that were given."""
    words = ["roofplan", "simulate", str(context.params["spec_file"])]
    options = ("seeds", "requests", "router", "burstiness", "trace", "window", "drafted", "acceptance", "draft_cost")
    for name in options:
        if _was_given(context, name):
            words += [f"--{name.replace('_', '-')}", str(context.params[name])]
    return " ".join(map(quote, words))
