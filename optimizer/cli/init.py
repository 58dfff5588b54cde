"""`roofplan init`: five questions, and a specification from the answers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optimizer.cli.exits import exit_codes
from optimizer.cli.options import SCHEMA_VERSION

if TYPE_CHECKING:
    from requirements_specs.ask.interview import Question
    from requirements_specs.ask.vocabulary import Vocabulary
    from requirements_specs.write import Tree


def init(
    out: Annotated[Path, typer.Argument(metavar="SPEC.yaml", help="Where to write it.")] = Path("spec.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Write over a file that exists.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Take every default without asking.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Ask five questions and write a specification; Enter takes the answer in brackets."""
    with exit_codes():
        from catalog.read import load
        from optimizer.additions import Additions
        from optimizer.cli.files import exists, write_text
        from optimizer.names import vocabulary
        from requirements_specs.ask.interview import INTERVIEW
        from requirements_specs.errors import Problem, SpecError
        from requirements_specs.schema.build import PACKAGED
        from requirements_specs.write import spec_text

        if exists(out) and not force:
            raise SpecError([Problem(str(out), None, "", "the file exists", fix="another name, or --force")])
        additions = Additions(load(), out.parent)
        tree: Tree = {"kind": "serving", "name": out.stem or "spec"}
        for question in INTERVIEW:
            # anew for each, as an answer may bring a model
            words = vocabulary(additions.snapshot, additions.names)
            tree |= _answered(question, words, tree, ask=not yes)
        # The file's first line tells an editor where the schema is: the copy of this installation.
        comments = [f"yaml-language-server: $schema={PACKAGED}", f"roofplan solve {out.name}"]
        write_text(out, spec_text(tree, comments))
        if as_json:
            written = {"schema_version": SCHEMA_VERSION, "out": str(out), "spec": tree}
            typer.echo(json.dumps(written, ensure_ascii=False))
        else:
            typer.echo(f"written to {out}; next: roofplan solve {out}")


def _answered(question: Question, words: Vocabulary, so_far: Tree, *, ask: bool) -> Tree:
    """The keys of the first answer that is allowed; questions and what is wrong with an answer go to standard error.

    Raises:
        SpecError: the input ended after an answer that is not allowed.

    """
    from requirements_specs.errors import Problem, SpecError, ValueProblem

    problem: ValueProblem | None = None
    while ask:
        typer.echo(f"{question.text} [{question.default}] ", nl=False, err=True)
        line = sys.stdin.readline()
        if not line.endswith("\n") or not sys.stdin.isatty():
            typer.echo(err=True)  # nobody's Enter ends the line of the question
        if not line and problem is not None:
            raise SpecError([Problem("input", None, "", problem.what, problem.read, problem.allowed, problem.fix)])
        answer = line.strip()
        if not answer:
            break
        try:
            return question.read(answer, words, so_far)
        except ValueProblem as error:
            problem = error
            typer.echo(f"    {error}", err=True)
    return question.read(question.default, words, so_far)
