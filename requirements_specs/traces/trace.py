"""A trace in memory: 16 bytes a request."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from requirements_specs.errors import ValueProblem
from requirements_specs.quantile_curve import LONGEST_TOKENS, SHORTEST_TOKENS
from requirements_specs.quantity import Dimension, format_quantity

LATEST_S = 1e11
"""The latest time of a request. Seconds since 1970 are far below it, milliseconds since 1970 far above."""

_DIGITS_OF_A_MOMENT = 13  # milliseconds of seconds since 1970


class Field(IntEnum):
    """What a row says of its request."""

    TIME = 0
    PROMPT = 1
    OUTPUT = 2


class RowProblem(ValueProblem):
    """One row of a trace is wrong in `field`, or as a whole where that is None."""

    def __init__(self, field: Field | None, what: str, *, read: str | None = None, allowed: str | None = None):
        self.field = field
        super().__init__(what, read=read, allowed=allowed)


@dataclass(frozen=True)
class PrefixBlocks:
    """The blocks of the prompts of N requests; equal numbers mean equal prompts up to there.

    ids (B,): int32, prompt after prompt. ends (N,): int64, where the blocks of each prompt end. `block_tokens`: tokens
    of a block; the last of a prompt may have fewer.
    """

    ids: NDArray[np.int32]
    ends: NDArray[np.int64]
    block_tokens: int

    def part(self, first: int, end: int) -> Self:
        """Return the blocks of the requests `first` … `end − 1`."""
        start = int(self.ends[first - 1]) if first else 0
        return replace(self, ids=self.ids[start : self.ends[end - 1]], ends=self.ends[first:end] - start)

    def of_each(self) -> list[list[int]]:
        """Return the blocks of every request."""
        ids, starts = self.ids.tolist(), [0, *self.ends.tolist()]
        return [ids[start:end] for start, end in pairwise(starts)]


@dataclass(frozen=True)
class Trace:
    """The requests of a trace in the order of their arrival.

    arrival_s (N,): seconds, not negative, since `began` if the file has dates, else as the file counts them.
    prompt_tokens, output_tokens (N,): int32, at least 1. `prefix_hit_ceiling`: share of all prompt tokens whose blocks,
    from the first one on, had been seen before, as a cache without end would find them; None for a file without hashes.
    `sha256` is of the file. `prefix_blocks`: where the file has them and they were asked for.
    """

    arrival_s: NDArray[np.float64]
    prompt_tokens: NDArray[np.int32]
    output_tokens: NDArray[np.int32]
    began: datetime | None = None
    prefix_hit_ceiling: float | None = None
    sha256: str = ""
    prefix_blocks: PrefixBlocks | None = None

    @property
    def requests(self) -> int:
        """How many requests there are."""
        return len(self.arrival_s)

    @property
    def span_s(self) -> float:
        """Seconds from the first request to the last."""
        return float(self.arrival_s[-1] - self.arrival_s[0])

    def part(self, first: int, end: int) -> Self:
        """Return the requests `first` … `end − 1`; what is known of the whole file stays."""
        return replace(
            self,
            arrival_s=self.arrival_s[first:end],
            prompt_tokens=self.prompt_tokens[first:end],
            output_tokens=self.output_tokens[first:end],
            prefix_blocks=None if self.prefix_blocks is None else self.prefix_blocks.part(first, end),
        )

    def moment(self, arrival_s: float) -> str:
        """Return a time of the trace as its file tells it: a date, or seconds."""
        if self.began is None:
            return format_quantity(arrival_s, Dimension.TIME, _DIGITS_OF_A_MOMENT)
        return str((self.began + timedelta(seconds=arrival_s)).replace(microsecond=0))


class Arrivals:
    """The requests read so far, in buffers that grow."""

    def __init__(self) -> None:
        self._arrival_s = array("d")
        self._prompt = array("i")
        self._output = array("i")
        self._last_s = 0.0

    def add(self, arrival_s: float, prompt: int, output: int) -> None:
        """Add the next request.

        Raises:
            RowProblem: a time that is negative, before the last one or not a number, or an impossible length.
        """
        if not self._last_s <= arrival_s <= LATEST_S:
            raise self._bad_time(arrival_s)
        if not (SHORTEST_TOKENS <= prompt <= LONGEST_TOKENS and SHORTEST_TOKENS <= output <= LONGEST_TOKENS):
            raise _bad_length(prompt, output)
        self._last_s = arrival_s
        self._arrival_s.append(arrival_s)
        self._prompt.append(prompt)
        self._output.append(output)

    def trace(self, began: datetime | None, prefix_hit_ceiling: float | None) -> Trace:
        """Return the requests as a trace; nothing is copied, so nothing can be added afterwards.

        Raises:
            RowProblem: fewer than two requests, or all at one time, which have no rate.
        """
        count = len(self._arrival_s)
        if count == 0:
            raise RowProblem(None, "no requests below the header", allowed="two requests or more, a line each")
        if self._arrival_s[0] == self._last_s:
            what = "one request has no rate" if count == 1 else "requests that all arrive at once have no rate"
            raise RowProblem(None, what, read=f"{count:,} at one time", allowed="two requests or more, at two times")
        return Trace(
            arrival_s=np.frombuffer(self._arrival_s),
            prompt_tokens=np.frombuffer(self._prompt, dtype=np.int32),
            output_tokens=np.frombuffer(self._output, dtype=np.int32),
            began=began,
            prefix_hit_ceiling=prefix_hit_ceiling,
        )

    def _bad_time(self, arrival_s: float) -> RowProblem:
        if arrival_s < 0 and not self._arrival_s:
            return RowProblem(Field.TIME, "a time before the start", read=f"{arrival_s:g} s", allowed="0 s or later")
        if arrival_s < self._last_s:
            read = f"{self._last_s - arrival_s:g} s before the request above it"
            return RowProblem(
                Field.TIME, "the times are not in order", read=read, allowed="requests sorted by their arrival"
            )
        return RowProblem(Field.TIME, "not a possible time", read=f"{arrival_s:g} s", allowed=f"0 s to {LATEST_S:g} s")


def _bad_length(prompt: int, output: int) -> RowProblem:
    field, tokens = (Field.OUTPUT, output) if SHORTEST_TOKENS <= prompt <= LONGEST_TOKENS else (Field.PROMPT, prompt)
    allowed = f"{SHORTEST_TOKENS:.0f} to {LONGEST_TOKENS:,.0f}; leave out requests that were not served"
    return RowProblem(field, "not a possible length", read=f"{tokens} tokens", allowed=allowed)


def whole_tokens(field: Field, written: object) -> int:
    """Return a number of tokens from the text or the number that a file holds; raises RowProblem."""
    if isinstance(written, int) and not isinstance(written, bool):
        return written
    if isinstance(written, str) and _is_plain(written):
        try:
            return int(written)
        except ValueError:
            pass
    raise RowProblem(field, "not a whole number of tokens", read=_shown(written), allowed="1, 2, 3, …")


def seconds_of(written: object) -> float:
    """Return seconds from the text or the number that a file holds; raises RowProblem."""
    readable = _is_plain(written) if isinstance(written, str) else not isinstance(written, bool)
    if isinstance(written, str | float | int) and readable:
        try:
            return float(written)
        except (ValueError, OverflowError):  # OverflowError: an integer that no float holds
            pass
    raise RowProblem(Field.TIME, "not a time", read=_shown(written), allowed="seconds, as 12.25")


def _is_plain(written: str) -> bool:
    """Whether a text has none of what Python alone reads in a number: `1_000`, digits of other scripts."""
    return "_" not in written and written.isascii()


def _shown(written: object) -> str:
    return "nothing" if written in (None, "") else str(written)


def listed(columns: Sequence[str]) -> str:
    """Return columns as a header has them."""
    return ", ".join(columns)
