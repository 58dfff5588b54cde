"""What can be wrong with a question.

    RequirementsError
    ├── SpecError                  one spec file; carries every problem that was found in it
    │   ├── UnreadableSpecError    the file cannot be opened, is too large, or is not UTF-8 text
    │   ├── MalformedSpecError     the text is not one YAML or JSON mapping
    │   └── InvalidSpecError       keys or values that the spec does not allow
    └── ValueProblem               one value; whoever knows its place in a file makes a Problem of it
        ├── QuantityError          a text that is no quantity of the dimension asked for
        ├── LengthError            numbers that no length distribution has
        └── UnknownNameError       a name that the catalog does not hold

`str(error)` is the message for people; a traceback is never needed to act on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

_MOST_PROBLEMS_SHOWN = 20
_LONGEST_TEXT_SHOWN = 80


def printable(text: str) -> str:
    """`text` on one line, control characters escaped, cut after 80 characters: safe to print whatever a file held."""
    return _escaped(text if len(text) <= _LONGEST_TEXT_SHOWN else text[: _LONGEST_TEXT_SHOWN - 1] + "…")


def _escaped(text: str) -> str:
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


@dataclass(frozen=True)
class Mark:
    """A place in a file; both numbers start at 1. `column` is None where the line says enough, as in a table."""

    line: int
    column: int | None

    def __str__(self) -> str:
        """`8:9`, or `8`."""
        return f"{self.line}" if self.column is None else f"{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, where it stands, and how to put it right.

    `mark` is None where the whole file is meant; `key` is the path in the spec (`slo.ttft.p99`), empty at the top.
    """

    path: str
    mark: Mark | None
    key: str
    what: str
    read: str | None = None
    allowed: str | None = None
    fix: str | None = None

    def __str__(self) -> str:
        """`path:line:column: key: what`, then what was read, what is allowed and the fix, a line each."""
        place = _escaped(self.path) + ("" if self.mark is None else f":{self.mark}")
        lines = [": ".join(part for part in (place, printable(self.key), self.what) if part)]
        if self.read is not None:
            lines.append(f"    read: {printable(self.read) or 'nothing'}")
        if self.allowed is not None:
            lines.append(f"    allowed: {self.allowed}")
        if self.fix is not None:
            lines.append(f"    did you mean: {self.fix}")
        return "\n".join(lines)


class RequirementsError(Exception):
    """Base of every error of this package: bad input, never a bug."""


class SpecError(RequirementsError):
    """A spec that cannot be answered as written; `problems` holds all that was found, in the file's order."""

    def __init__(self, problems: Sequence[Problem]):
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        blocks = [str(problem) for problem in self.problems[:_MOST_PROBLEMS_SHOWN]]
        hidden = len(self.problems) - len(blocks)
        return "\n".join([*blocks, f"and {hidden} more of them"] if hidden else blocks)


class UnreadableSpecError(SpecError):
    """The file cannot be read as text."""


class MalformedSpecError(SpecError):
    """The text is not one YAML or JSON mapping."""


class InvalidSpecError(SpecError):
    """The text is well formed; its keys or values are not a spec."""


class ValueProblem(RequirementsError):  # noqa: N818 - a base that only its subclasses are raised as
    """One value is wrong; whoever knows the place adds it."""

    def __init__(self, what: str, *, read: str | None = None, allowed: str | None = None, fix: str | None = None):
        self.what = what
        self.read = read
        self.allowed = allowed
        self.fix = fix
        super().__init__(what, read, allowed, fix)

    def __str__(self) -> str:
        parts = [self.what]
        if self.read is not None:
            parts.append(f"read {printable(self.read)!r}")
        if self.allowed is not None:
            parts.append(f"allowed: {self.allowed}")
        if self.fix is not None:
            parts.append(f"did you mean: {self.fix}")
        return "; ".join(parts)


class QuantityError(ValueProblem):
    """A text that is no quantity of the dimension asked for."""


class LengthError(ValueProblem):
    """Numbers that no distribution of lengths has; `part` names the one to blame (`p50`), None for all together."""

    def __init__(self, what: str, *, part: str | None = None, read: str | None = None, allowed: str | None = None):
        self.part = part
        super().__init__(what, read=read, allowed=allowed)


class UnknownNameError(ValueProblem):
    """A name that nothing in the catalog answers to."""
