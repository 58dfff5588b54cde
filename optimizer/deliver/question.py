"""A question in words as a person gets it back: as a specification with what was assumed, or why it has no answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from textwrap import shorten, wrap

from optimizer.deliver.page import GLUE
from requirements_specs.ask.drafted import Draft
from requirements_specs.ask.intent import Kind
from requirements_specs.ask.scan import Scan
from requirements_specs.errors import printable
from requirements_specs.serving import Assumption
from requirements_specs.write import spec_text

WIDTH = 98
_LONGEST_ASKED = 400
EXAMPLE = 'roofplan ask "cheapest design for llama-3.1-70b meeting 200ms p99 at 10 req/s"'

VERBS: Mapping[Kind, tuple[str, str]] = {
    Kind.MEMORY: ("inverse", "the least memory that is enough; solve shows the memory that one design takes"),
    Kind.WHY: ("predict", "what a deployment that exists should do, a row of a CSV file each"),
    Kind.POOLS: ("solve", "with pools: any, which a later version reads; until then prefill and decode share replicas"),
    Kind.BUY_OR_BUILD: (
        "solve",
        "dollars per million tokens of machines that you rent; a price to beat is a budget, "
        'as in "$2 per million output tokens"',
    ),
    Kind.TRAINING: ("solve", "with kind: training, which a later version reads"),
}
"""Kinds of questions that `ask` understands and does not solve -> the verb for them, and what it does."""


def written(scanned: Scan, drafted: Draft, defaults: Iterable[Assumption] = ()) -> str:
    """The specification as a file, under what was assumed for it; `defaults` are what the reader assumed besides."""
    asked = "".join(character if character.isprintable() else " " for character in scanned.question)
    comments = [f"asked: {shorten(asked, _LONGEST_ASKED, placeholder=' …')}"]
    comments += [f"assumed: {each.key} = {each.value}: {each.why}" for each in drafted.assumed]
    comments += [f"not used: {each}" for each in drafted.unused]
    if scanned.missed:
        comments.append(f"not understood: {printable(', '.join(scanned.missed))}")
    left = "; ".join(f"{each.key} {each.value}".replace(" ", GLUE) for each in defaults)
    if left:
        comments.append(f"by default: {left}")
    return spec_text(drafted.tree, [line for comment in comments for line in _folded(comment)])


def _folded(comment: str) -> list[str]:
    return [line.replace(GLUE, " ") for line in wrap(comment, WIDTH, subsequent_indent="  ", break_on_hyphens=False)]


def refusal(scanned: Scan, drafted: Draft, commands: Collection[str], repeated: Callable[[str], str]) -> str | None:
    """Why the question is not answered, with the specification so far and an example; None if it can be.

    `commands` are the verbs of this version; `repeated` is the command as typed, with more words in the question.
    """
    if not scanned.understood:
        share = f"{scanned.coverage:.0%} of its words".replace("%", " %")
        words = f", not: {printable(', '.join(scanned.missed))}" if scanned.missed else ""
        why = [
            f"question: not understood: {share}{words}",
            "    ask for a design: a model, how much arrives, a limit or a budget",
        ]
        return "\n".join([*why, f"For example: {EXAMPLE}"])
    why = [str(problem) for problem in drafted.problems]
    if scanned.slots.kind is not Kind.DESIGN:
        verb, what = VERBS[scanned.slots.kind]
        when = "" if verb in commands else " (of a later version)"
        why.insert(0, f"question: not a question for `ask`: {scanned.slots.kind}\n    roofplan {verb}{when}: {what}")
    for each in drafted.missing:
        why.append(f"question: {each.key}: this is missing: {each.what}\n    say it, as in: {each.example}")
    if not why:
        return None
    return "\n".join([*why, *_so_far(scanned, drafted, repeated)])


def with_specification(message: str, text: str) -> str:
    """A message about a specification that was written for a question, above its lines."""
    return f"{message}\nThe specification:\n\n{text}"


def _so_far(scanned: Scan, drafted: Draft, repeated: Callable[[str], str]) -> list[str]:
    lines = ["The specification so far:", "", written(scanned, drafted)]
    if drafted.missing and not drafted.problems:
        examples = [each.example for each in drafted.missing]
        words = " ".join(each for each in examples if not each.startswith("--"))
        options = [each for each in examples if each.startswith("--")]
        lines.append(f"For example: {' '.join([repeated(words), *options])}")
    return lines
