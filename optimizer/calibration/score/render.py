"""The sections of a score as text for a terminal and as Markdown.

Both print every line and figure of the same tables, so that they cannot differ.
"""

from __future__ import annotations

from collections.abc import Sequence

from optimizer.calibration.score.sections import Line, Section, Table

INDENT = "  "
ALL_MET, MISSED = "every bar met", "A BAR IS MISSED"


def text(section: Section) -> str:
    """The section for a terminal, ending in a newline."""
    lines = [f"{section.name}: {section.note}"]
    for table in section.tables:
        lines += [f"{INDENT}{row}" for row in _aligned(table)]
    lines += [f"{INDENT}{remark}" for remark in section.remarks]
    if section.has_bars:
        lines.append(f"{INDENT}{ALL_MET if section.met else MISSED}")
    return "\n".join(lines) + "\n"


def markdown(section: Section, plots: str) -> str:
    """The section as Markdown, ending in a newline; `plots` is the folder of the plots, relative to the document."""
    blocks = [f"## {section.name}", f"{_capital(section.note)}."]
    if section.has_bars:
        blocks.append(f"**{_capital((ALL_MET if section.met else MISSED).lower())}.**")
    blocks += ["\n".join(_markdown_table(table)) for table in section.tables]
    if section.plot is not None:
        name, quantity = section.plot.name, section.plot.quantity
        blocks.append(f"![{quantity}, predicted against measured]({plots}/{name}.svg)")
    for title, said in (("", section.remarks), ("What is known of the errors:", section.causes)):
        if said:
            listed = "\n".join(f"- {each}" for each in said)
            blocks.append(f"{title}\n\n{listed}" if title else listed)
    return "\n\n".join(blocks) + "\n"


def _aligned(table: Table) -> list[str]:
    bars = any(line.bar for line in table.lines)
    rows = [(table.heading, *table.columns, *(("bar",) if bars else ())), *(_cells(line, bars) for line in table.lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        ).rstrip()
        for row in rows
    ]


def _markdown_table(table: Table) -> list[str]:
    bars = any(line.bar for line in table.lines)
    head = (table.heading, *table.columns, *(("bar",) if bars else ()))
    rule = ("---", *("---:" for _ in head[1:]))
    return [_row(cells) for cells in (head, rule, *(_cells(line, bars) for line in table.lines))]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _cells(line: Line, bars: bool) -> tuple[str, ...]:
    if not bars:
        return line.name, *line.figures
    return line.name, *line.figures, f"{line.bar}{'' if line.met else ': missed'}"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
