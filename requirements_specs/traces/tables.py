"""Traces as CSV with a header: the Azure LLM inference traces, and a plain table of one's own.

Azure: `TIMESTAMP` as 2023-11-16 18:15:46.6805900 (UTC, with or without +00:00), `ContextTokens`, `GeneratedTokens`.
Plain: `time` in seconds, `prompt_tokens`, `output_tokens`. Columns stand in any order, and others are not read.
"""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from requirements_specs.traces.trace import Arrivals, Field, RowProblem, Trace, listed, seconds_of, whole_tokens


@dataclass(frozen=True)
class TableForm:
    """The columns of a kind of table, by `Field`, and whether its times are dates."""

    columns: tuple[str, str, str]
    dated: bool


AZURE = TableForm(("TIMESTAMP", "ContextTokens", "GeneratedTokens"), dated=True)
PLAIN = TableForm(("time", "prompt_tokens", "output_tokens"), dated=False)
TABLES = (PLAIN, AZURE)

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(\.\d+)?(?:Z|\+00:00)?", re.ASCII)


class TableReader:
    """Reads the lines of one CSV file; `line` is where it stands, `columns` the names by `Field`."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._rows = csv.reader(lines, strict=True)
        self.columns: Sequence[str] = PLAIN.columns

    @property
    def line(self) -> int:
        """Number of the line that was read last."""
        return max(self._rows.line_num, 1)

    def read(self) -> Trace:
        """Return the trace.

        Raises:
            RowProblem: what is wrong with the header, or with the first row that is wrong.
        """
        try:
            return self._read()
        except csv.Error as error:
            raise RowProblem(None, f"not CSV: {error}", allowed="a row a line, commas between cells") from None

    def _read(self) -> Trace:
        header = [cell.strip() for cell in next(self._rows, [])]
        form = _form(header)
        self.columns = form.columns
        width = len(header)
        time, prompt, output = (header.index(column) for column in form.columns)
        clock = _Clock()
        seconds: Callable[[str], float] = clock.seconds if form.dated else seconds_of
        arrivals = Arrivals()
        for row in self._rows:
            if len(row) != width:
                if not row:
                    continue
                raise RowProblem(
                    None, "another number of cells than the header", read=f"{len(row)} cells", allowed=f"{width}"
                )
            arrivals.add(
                seconds(row[time]), whole_tokens(Field.PROMPT, row[prompt]), whole_tokens(Field.OUTPUT, row[output])
            )
        return arrivals.trace(clock.began, None)


def _form(header: Sequence[str]) -> TableForm:
    """The kind of table with this header; raises RowProblem."""
    for form in TABLES:
        if set(form.columns) <= set(header):
            twice = next((column for column in form.columns if header.count(column) > 1), None)
            if twice is not None:
                raise RowProblem(None, "the header names a column twice", read=twice, allowed="each column once")
            return form
    allowed = f"{listed(PLAIN.columns)}; or of Azure {listed(AZURE.columns)}"
    nearest = max(TABLES, key=lambda form: len(set(form.columns) & set(header)))
    missing = [column for column in nearest.columns if column not in header]
    what = "the file is empty" if not any(header) else f"the header lacks {' and '.join(missing)}"
    raise RowProblem(None, what, read=listed(header) or None, allowed=allowed)


class _Clock:
    """Dates as seconds since the whole second of the first one; digits below a microsecond are kept."""

    def __init__(self) -> None:
        self.began: datetime | None = None
        self._text = ""
        self._whole_s = 0.0

    def seconds(self, text: str) -> float:
        """Return the seconds of a date; raises RowProblem."""
        match = _MOMENT.fullmatch(text.strip())
        if match is None:
            raise RowProblem(
                Field.TIME, "not a moment", read=text or "nothing", allowed="2023-11-16 18:15:46.6805900, in UTC"
            )
        whole, fraction = match.groups()
        if whole != self._text:  # most rows share their second with the one above
            try:
                moment = datetime.fromisoformat(whole)
            except ValueError:
                raise RowProblem(Field.TIME, "no such moment", read=text, allowed="a date that exists") from None
            self.began = self.began or moment
            self._text, self._whole_s = whole, (moment - self.began).total_seconds()
        return self._whole_s + (0.0 if fraction is None else float(fraction))
