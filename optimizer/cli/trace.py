"""`roofplan trace`: what an arrival trace says of a workload."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from optimizer.cli.exits import exit_codes
from optimizer.cli.options import SCHEMA_VERSION, AsJson


def trace(
    trace_file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="CSV with time (s), prompt_tokens, output_tokens; Azure's CSV; or Mooncake's JSON lines.",
        ),
    ],
    window: Annotated[
        str | None, typer.Option(metavar="TIME", help="The busiest window of this length; default: 10 min.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read an arrival trace: its busiest window, its bursts, its lengths, and what a prefix cache could find."""
    with exit_codes():
        from optimizer.deliver.trace_page import trace_content, trace_text
        from requirements_specs import convert
        from requirements_specs.errors import ValueProblem
        from requirements_specs.quantity import Dimension
        from requirements_specs.traces.facts import facts_of
        from requirements_specs.traces.read import read_trace

        try:
            window_s = None if window is None else convert.quantity(Dimension.TIME, above=0.0)(window)
            facts = facts_of(read_trace(trace_file), window_s)
        except ValueProblem as problem:
            raise typer.BadParameter(str(problem), param_hint="--window") from None
        if as_json:
            content = {"schema_version": SCHEMA_VERSION, "file": str(trace_file), **trace_content(facts)}
            typer.echo(json.dumps(content, ensure_ascii=False, indent=2))
        else:
            typer.echo(trace_text(facts))
