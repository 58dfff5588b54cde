"""`roofplan ask`: a question in words becomes a specification, which is printed and solved."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optimizer.cli.answering import print_answer
from optimizer.cli.exits import ExitCode, exit_codes
from optimizer.cli.options import SCHEMA_VERSION, AsJson

if TYPE_CHECKING:
    from requirements_specs.serving import Assumption
    from requirements_specs.write import Value


def ask(
    context: typer.Context,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What is wanted, in words and numbers.")],
    model: Annotated[str | None, typer.Option(metavar="NAME", help="The model, in place of the question's.")] = None,
    rate: Annotated[str | None, typer.Option(metavar="RATE", help='The traffic, as "10 req/s".')] = None,
    spec_file: Annotated[
        Path | None,
        typer.Option("--spec", metavar="SPEC", help="A specification; what the question says replaces its keys."),
    ] = None,
    spec_only: Annotated[bool, typer.Option("--spec-only", help="Print the specification and stop.")] = False,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="SPEC.yaml", help="Keep the specification in this file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Turn a question into a specification, show what was assumed, and solve it."""
    started = time.perf_counter()
    with exit_codes(), ExitStack() as resources:
        from catalog.read import load
        from optimizer.additions import Additions
        from optimizer.cli.files import refuse_unwritable, write_text
        from optimizer.deliver.question import refusal, with_specification, written
        from optimizer.names import vocabulary
        from requirements_specs.ask.base import base_of
        from requirements_specs.ask.draft import draft
        from requirements_specs.ask.scan import scan
        from requirements_specs.errors import Problem, SpecError, ValueProblem
        from requirements_specs.read import spec_from_text
        from requirements_specs.source import read_text

        beside = Path() if spec_file is None else spec_file.parent
        additions = Additions(load(), beside)
        base = None
        if spec_file is not None:
            text = read_text(spec_file)
            base = base_of(text, str(spec_file), spec_from_text(text, str(spec_file), additions.names))
        try:
            if model is not None:
                additions.bring_model(model)
            words = vocabulary(additions.snapshot, additions.names)
            scanned = scan(question, words)
            drafted = draft(scanned, words, base=base, model=model, rate=rate)
        except ValueProblem as error:
            raise SpecError([Problem("options", None, "", error.what, error.read, error.allowed, error.fix)]) from None

        def repeated(more: str = "") -> str:
            return _repeated(f"{question.strip()} {more}".strip(), model, rate, spec_file)

        reason = refusal(scanned, drafted, getattr(context.find_root().command, "commands", ()), repeated)
        if reason is not None:
            typer.echo(reason, err=True)
            raise typer.Exit(ExitCode.BAD_INPUT)
        # Anew, as it brings again what its base did; the files that it names must be found from where it is kept.
        folder = beside if out is None else out.parent
        additions = Additions(load(), folder)
        try:
            spec = spec_from_text(written(scanned, drafted), str(folder / "specification"), additions.names)
        except SpecError as error:
            typer.echo(with_specification(str(error), written(scanned, drafted)), err=True)
            raise typer.Exit(ExitCode.BAD_INPUT) from None
        text = written(scanned, drafted, spec.assumed)
        spec = spec.model_copy(update={"assumed": (*drafted.assumed, *spec.assumed)})
        if spec_only:
            if out is not None:
                write_text(out, text)
            typer.echo(
                _as_json(scanned.missed, drafted.unused, drafted.tree, spec.assumed) if as_json else text, nl=as_json
            )
            return
        if out is not None:
            refuse_unwritable(out)  # before the answer, which takes a while; written after it, in case it is refused
        from optimizer.search.solver_process import SolverProcess

        solver = resources.enter_context(SolverProcess())

        code = print_answer(
            spec,
            additions.snapshot,
            solver,
            started,
            "question" if out is None else str(out),
            as_json=as_json,
            heading=text,
            next_command="" if out is not None else f"{repeated()} -o spec.yaml",
        )
        if out is not None:
            write_text(out, text)
        raise typer.Exit(code)


def _repeated(question: str, model: str | None, rate: str | None, spec_file: Path | None) -> str:
    """The command as it was typed, for a question."""
    given = {"--model": model, "--rate": rate, "--spec": None if spec_file is None else str(spec_file)}
    options = [word for name, value in given.items() if value is not None for word in (name, value)]
    return shlex.join(["roofplan", "ask", question, *options])


def _as_json(
    missed: Sequence[str], unused: Sequence[str], tree: Mapping[str, Value], assumed: Sequence[Assumption]
) -> str:
    answer = {
        "schema_version": SCHEMA_VERSION,
        "spec": tree,
        "assumed": [each.model_dump() for each in assumed],
        "not_used": unused,
        "not_understood": missed,
    }
    return json.dumps(answer, ensure_ascii=False, indent=2)
