"""`roofplan predict --command`: a running server held against its prediction."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from optimizer.calibration.importers import BenchmarkResult
    from optimizer.diagnose import Measured, Stated


class FormatScope(StrEnum):
    """In which formats a better arrangement is looked for."""

    OWN = "own"
    ANY = "any"


@dataclass(frozen=True)
class Answers:
    """The options of `predict` that go with `--command`, as they were written."""

    commands: tuple[str, ...] = ()
    machine: str | None = None
    prompt: str | None = None
    output: str | None = None
    concurrency: float | None = None
    rate: str | None = None
    servers: int | None = None
    engine_version: str | None = None
    formats: FormatScope = FormatScope.OWN
    measured: Path | None = None
    measured_tpot: str | None = None
    measured_ttft: str | None = None
    measured_tokens_per_s: float | None = None


NOTHING_ASKED = Answers()
_MEASURED = ("measured_tpot", "measured_ttft", "measured_tokens_per_s")


def given(answers: Answers) -> str:
    """The first option that was given, as it is written."""
    names = (each.name for each in fields(answers) if getattr(answers, each.name) != getattr(NOTHING_ASKED, each.name))
    first = next(names)
    return "--on" if first == "machine" else f"--{first.replace('_', '-')}"


def print_diagnosis(answers: Answers, calibration: Path | None, *, as_json: bool) -> None:
    """Diagnose and print; raises what is wrong with the question."""
    from catalog.corrections import with_layer
    from catalog.read import load
    from optimizer.diagnose import Asked, diagnose

    if answers.machine is None:
        raise typer.BadParameter("say which machine the command runs on, as 8xH100", param_hint="--on")
    if answers.concurrency is not None and answers.rate is not None:
        raise typer.BadParameter("clients that wait and arrivals at a rate exclude each other", param_hint="--rate")
    rate_per_s = None if answers.rate is None else _rate(answers.rate)
    run = None if answers.measured is None else _run(answers.measured, answers, rate_per_s)
    asked = Asked(
        commands=answers.commands,
        machine=answers.machine,
        load=_load(answers, rate_per_s, run),
        measured=_measured(answers, run),
        measured_model=None if run is None else run.model,
        engine_version=answers.engine_version or (run and run.deployment.engine_version) or "",
        servers=answers.servers,
        any_formats=answers.formats is FormatScope.ANY,
    )
    snapshot = load()
    if calibration is not None:
        snapshot = with_layer(snapshot, calibration)
    found = diagnose(asked, snapshot)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    from optimizer.deliver.console import terminal_text
    from optimizer.deliver.diagnosis import render_diagnosis

    typer.echo(terminal_text(render_diagnosis(found)), color=True)


def _load(answers: Answers, rate_per_s: float | None, run: BenchmarkResult | None) -> Stated:
    """The load that the options state, else the measured run."""
    from optimizer.diagnose import Stated
    from requirements_specs.convert import token_count

    lengths = {
        name: token_count(text)
        for name, text in (("prompt_tokens", answers.prompt), ("output_tokens", answers.output))
        if text is not None
    }
    concurrency, requests = answers.concurrency, None
    if run is not None:
        lengths = {"prompt_tokens": run.prompt_tokens, "output_tokens": run.output_tokens, **lengths}
        if concurrency is None and rate_per_s is None:
            concurrency = run.concurrency
            rate_per_s = None if concurrency is not None else run.request_rate_per_s
        requests = run.requests
    return Stated(
        **lengths, concurrency=concurrency, rate_per_s=rate_per_s, requests=requests, lengths_stated=len(lengths) == 2
    )


def _measured(answers: Answers, run: BenchmarkResult | None) -> Measured:
    from optimizer.diagnose import Measured
    from requirements_specs.convert import latency

    if run is not None:
        doubled = next((name for name in _MEASURED if getattr(answers, name) is not None), None)
        if doubled is not None:
            raise typer.BadParameter("the file of --measured says this", param_hint=f"--{doubled.replace('_', '-')}")
        tpot_s = None if run.tpot is None else run.tpot.mean_s
        return Measured(tpot_s, run.ttft.mean_s, run.output_tokens_per_s, run.notes)
    if not isfinite(answers.measured_tokens_per_s or 1.0):
        raise typer.BadParameter("a finite number is expected", param_hint="--measured-tokens-per-s")
    return Measured(
        tpot_s=None if answers.measured_tpot is None else latency(answers.measured_tpot),
        ttft_s=None if answers.measured_ttft is None else latency(answers.measured_ttft),
        tokens_per_s=answers.measured_tokens_per_s,
    )


def _run(path: Path, answers: Answers, rate_per_s: float | None) -> BenchmarkResult:
    """The run of a benchmark tool's file; of several, the one under the load that the options state.

    Raises ResultError for a file that cannot be used, or that holds no or several such runs.
    """
    from optimizer.calibration.consistency import checked
    from optimizer.calibration.importers import ResultError, read_results
    from optimizer.calibration.layer import read_files

    ((_, data),) = read_files([path])
    runs = read_results(data, str(path))
    wanted = [
        run
        for run in runs
        if answers.concurrency in (None, run.concurrency) and rate_per_s in (None, run.request_rate_per_s)
    ]
    if len(wanted) != 1:
        loads = ", ".join(dict.fromkeys(_shown(run) for run in runs))
        raise ResultError(
            f"{path}: {len(wanted)} of its {len(runs)} runs are of this load; it has {loads}; name one with "
            "--concurrency or --rate, or give it a file of its own"
        )
    return checked(wanted[0])


def _shown(run: BenchmarkResult) -> str:
    if run.concurrency is not None:
        return f"concurrency {run.concurrency:g}"
    return "everything at once" if run.request_rate_per_s is None else f"rate {run.request_rate_per_s:g} req/s"


def _rate(text: str) -> float:
    """Requests per second; a bare number is one."""
    from requirements_specs.convert import quantity
    from requirements_specs.quantity import Dimension

    bare = text.removeprefix("-").replace(".", "", 1).isdecimal()
    return quantity(Dimension.REQUEST_RATE, above=0.0, at_most=1e6)(f"{text} req/s" if bare else text)
