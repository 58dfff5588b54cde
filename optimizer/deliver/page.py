"""The page of a report: labelled sections in a fixed width and a fixed number of lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import shorten, wrap

from rich.text import Text

PAGE_WIDTH = 100
PAGE_LINES = 30
LABEL_WIDTH = 10
TEXT_WIDTH = PAGE_WIDTH - LABEL_WIDTH
LABEL_STYLE = "bold cyan"
# A space at which no line breaks; it is printed as a plain one.
GLUE = "\N{NO-BREAK SPACE}"
# What stands where a section was cut.
MORE = " … (all with --json)"


@dataclass(frozen=True)
class Section:
    """Lines under one label, each at most `TEXT_WIDTH` wide."""

    label: str
    lines: tuple[Text, ...]


def packed(label: str, pieces: Iterable[str], most_lines: int, style: str = "", more: str = MORE) -> Section:
    """Pieces joined by semicolons; a line breaks between two of them, within one only if it is wider than the page.

    What does not fit into `most_lines` is cut, and `more` says where it stands.
    """
    lines: list[str] = []
    for piece in pieces:
        if lines and len(lines[-1]) + len(piece) + len("; ;") <= TEXT_WIDTH:
            lines[-1] += f"; {piece}"
            continue
        if lines:
            lines[-1] += ";"
        lines += wrap(piece, TEXT_WIDTH - len(";"), break_on_hyphens=False)
    if len(lines) > most_lines:
        last = shorten(lines[most_lines - 1].rstrip(";"), TEXT_WIDTH - len(more), placeholder="")
        lines = [*lines[: most_lines - 1], last + more]
    return Section(label, tuple(Text(line.replace(GLUE, " "), style) for line in lines))


def listed(label: str, items: Sequence[str], most_lines: int) -> Section:
    """One item a line, each cut to the width where a line may break; how many are left out stands in the last one."""
    hidden = len(items) - most_lines
    lines = [_cut(item, " …") for item in items[:most_lines]]
    if hidden > 0:
        more = f" … (+{hidden} with --json)"
        lines[-1] = _cut(items[most_lines - 1] + more, more)
    return Section(label, tuple(Text(line.replace(GLUE, " ")) for line in lines))


def _cut(line: str, end: str) -> str:
    """The line if it fits, else as much of it as leaves room for the end."""
    if len(line) <= TEXT_WIDTH:
        return line
    return wrap(line, TEXT_WIDTH - len(end), break_on_hyphens=False)[0] + end


def height(sections: Iterable[Section]) -> int:
    """Lines that the sections take."""
    return sum(len(section.lines) for section in sections)


def page(verdict: Text, groups: Sequence[Sequence[Section]]) -> Text:
    """The verdict and the groups of sections.

    A blank line stands below the verdict, and one between any two groups, if the page has room for them.
    """
    filled = [group for group in groups if height(group)]
    spare = PAGE_LINES - 1 - sum(height(group) for group in filled)
    lines = [verdict]
    for index, group in enumerate(filled):
        if spare >= (1 if index == 0 else len(filled)):
            lines.append(Text())
        lines += [line for section in group for line in _labelled_lines(section)]
    return Text("\n").join(lines)


def labelled(section: Section) -> Text:
    """A section that stands alone, below the page."""
    return Text("\n").join(_labelled_lines(section))


def _labelled_lines(section: Section) -> list[Text]:
    return [
        Text.assemble((f"{'' if index else section.label:<{LABEL_WIDTH}}", LABEL_STYLE), line)
        for index, line in enumerate(section.lines)
    ]
