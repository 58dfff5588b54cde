"""`roofplan predict --command`: a running server held against its prediction."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import isfinite
from pathlib import Path

import typer


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
    any_formats: bool = False
    measured_tpot: str | None = None
    measured_ttft: str | None = None
    measured_tokens_per_s: float | None = None


NOTHING_ASKED = Answers()


def given(answers: Answers) -> str:
    """The first option that was given, as it is written."""
    names = (
        field.name for field in fields(answers) if getattr(answers, field.name) != getattr(NOTHING_ASKED, field.name)
    )
    first = next(names)
    return "--on" if first == "machine" else f"--{first.replace('_', '-')}"


def print_diagnosis(answers: Answers, *, as_json: bool) -> None:
    """Diagnose and print; raises what is wrong with the question."""
    from catalog.read import load
    from optimizer.diagnose import Asked, Measured, Stated, diagnose
    from requirements_specs.convert import latency, token_count

    if answers.machine is None:
        raise typer.BadParameter("say which machine the command runs on, as 8xH100", param_hint="--on")
    if answers.concurrency is not None and answers.rate is not None:
        raise typer.BadParameter("clients that wait and arrivals at a rate exclude each other", param_hint="--rate")
    if not isfinite(answers.measured_tokens_per_s or 1.0):
        raise typer.BadParameter("a finite number is expected", param_hint="--measured-tokens-per-s")
    load_of = Stated(
        **{
            name: token_count(text)
            for name, text in (("prompt_tokens", answers.prompt), ("output_tokens", answers.output))
            if text is not None
        },
        concurrency=answers.concurrency,
        rate_per_s=None if answers.rate is None else _rate(answers.rate),
        lengths_stated=answers.prompt is not None and answers.output is not None,
    )
    measured = Measured(
        tpot_s=None if answers.measured_tpot is None else latency(answers.measured_tpot),
        ttft_s=None if answers.measured_ttft is None else latency(answers.measured_ttft),
        tokens_per_s=answers.measured_tokens_per_s,
    )
    asked = Asked(
        commands=answers.commands,
        machine=answers.machine,
        load=load_of,
        measured=measured,
        engine_version=answers.engine_version or "",
        servers=answers.servers,
        any_formats=answers.any_formats,
    )
    found = diagnose(asked, load(), Path())
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    from optimizer.deliver.console import terminal_text
    from optimizer.deliver.diagnosis import render_diagnosis

    typer.echo(terminal_text(render_diagnosis(found)), color=True)


def _rate(text: str) -> float:
    """Requests per second; a bare number is one."""
    from requirements_specs.convert import quantity
    from requirements_specs.quantity import Dimension

    bare = text.removeprefix("-").replace(".", "", 1).isdecimal()
    return quantity(Dimension.REQUEST_RATE, above=0.0, at_most=1e6)(f"{text} req/s" if bare else text)
