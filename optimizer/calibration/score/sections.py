"""What a score says, before it is text: sections of tables, each line with its figures and its bar, if it has one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from optimizer.calibration.silicon import Agreement, agreement

Case = TypeVar("Case")

AGREEMENT_COLUMNS = ("median", "p90", "bias", "rows", "not predicted")


@dataclass(frozen=True)
class Line:
    """One line of a table: its figures under the table's columns, and whether its bar, if it has one, is met."""

    name: str
    figures: tuple[str, ...]
    bar: str = ""
    met: bool = True


@dataclass(frozen=True)
class Table:
    """Lines with the same columns; `heading` says what the lines are."""

    heading: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Point:
    """Measured against predicted in one group, both positive, in the unit of the plot."""

    group: str
    measured: float
    predicted: float


@dataclass(frozen=True)
class Plot:
    """A scatter of points on two logarithmic axes; `name` is the file's."""

    name: str
    quantity: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Section:
    """One kind of measurement: what it is, its tables, what is to be said of single rows, and the causes of errors."""

    name: str
    note: str
    tables: tuple[Table, ...]
    remarks: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    plot: Plot | None = None

    @property
    def has_bars(self) -> bool:
        """Whether any line has a bar."""
        return any(line.bar for table in self.tables for line in table.lines)

    @property
    def met(self) -> bool:
        """Whether every bar is met."""
        return all(line.met for table in self.tables for line in table.lines)


@dataclass(frozen=True)
class Pair:
    """A prediction (None: refused) and what was measured."""

    predicted: float | None
    measured: float


def agreement_line(name: str, pairs: Iterable[Pair], largest_median: float | None = None) -> Line:
    """The agreement of some pairs; the bar, if any, is on the median |ln(predicted/measured)|.

    Raises ValueError if none was predicted.
    """
    listed = list(pairs)
    found = agreement([pair.predicted for pair in listed], [pair.measured for pair in listed])
    if largest_median is None:
        return Line(name, agreement_figures(found))
    return Line(
        name, agreement_figures(found), f"median ≤ {largest_median:g}", found.median_log_error <= largest_median
    )


def agreement_table(heading: str, lines: Iterable[Line]) -> Table:
    """A table of `agreement_line`s."""
    return Table(heading, AGREEMENT_COLUMNS, tuple(lines))


def table_by(
    heading: str, cases: Sequence[Case], pairs: Sequence[Pair], group: Callable[[Case], tuple[int, str]]
) -> Table:
    """One line for each group of cases, by the rank and name that `group` gives.

    Groups of which nothing was predicted are left out.
    """
    groups: dict[tuple[int, str], list[Pair]] = defaultdict(list)
    for case, pair in zip(cases, pairs, strict=True):
        groups[group(case)].append(pair)
    return agreement_table(
        heading,
        (
            agreement_line(name, of_group)
            for (_, name), of_group in sorted(groups.items())
            if any(pair.predicted is not None for pair in of_group)
        ),
    )


def agreement_figures(found: Agreement) -> tuple[str, ...]:
    """The figures of an agreement under AGREEMENT_COLUMNS."""
    return (
        f"{found.median_log_error:.3f}",
        f"{found.p90_log_error:.3f}",
        f"{found.median_log_bias:+.3f}",
        f"{found.cases}",
        f"{found.cases - found.predicted}",
    )
