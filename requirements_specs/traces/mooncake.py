"""Traces as JSON lines in Mooncake's form.

A line holds `timestamp` in milliseconds, `input_length`, `output_length` and, in every line or in none, `hash_ids`: the
blocks of 512 prompt tokens, numbered as they first appear; equal numbers mean equal prompts up to there.
"""

import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from requirements_specs.traces.trace import (
    Arrivals,
    Field,
    PrefixBlocks,
    RowProblem,
    Trace,
    listed,
    seconds_of,
    whole_tokens,
)

COLUMNS = ("timestamp", "input_length", "output_length")
BLOCK_TOKENS = 512
_HASHES = "hash_ids"
_MOST_BLOCKS = 2**31  # their bits take 256 MiB


class MooncakeReader:
    """Reads the lines of one file; `line` is where it stands, `columns` the names by `Field`."""

    columns: Sequence[str] = COLUMNS

    def __init__(self, lines: Iterator[str], *, keep_blocks: bool = False) -> None:
        self._lines = lines
        self._kept = KeptBlocks() if keep_blocks else None
        self.line = 1

    def read(self) -> Trace:
        """Return the trace.

        Raises:
            RowProblem: what is wrong with the first line that is wrong.
        """
        arrivals, blocks = Arrivals(), SeenBlocks()
        hashed: bool | None = None
        prompt_tokens = cached_tokens = 0
        for line, text in enumerate(self._lines, start=1):
            self.line = line
            if text.isspace():
                continue
            row = _object(text)
            prompt = whole_tokens(Field.PROMPT, row[COLUMNS[Field.PROMPT]])
            output = whole_tokens(Field.OUTPUT, row[COLUMNS[Field.OUTPUT]])
            arrivals.add(seconds_of(row[COLUMNS[Field.TIME]]) / 1e3, prompt, output)
            if hashed is None:
                hashed = _HASHES in row
            elif hashed is not (_HASHES in row):
                read = "none here" if hashed else "here, and not above"
                raise RowProblem(None, f"some lines have {_HASHES}", read=read, allowed="all lines or none")
            if hashed:
                ids = _block_ids(row[_HASHES], prompt)
                prompt_tokens += prompt
                cached_tokens += min(blocks.admit(ids) * BLOCK_TOKENS, prompt)
                if self._kept is not None:
                    self._kept.add(ids)
        trace = arrivals.trace(None, cached_tokens / prompt_tokens if hashed else None)
        return replace(trace, prefix_blocks=self._kept.blocks()) if hashed and self._kept is not None else trace


class KeptBlocks:
    """The blocks read so far, in buffers that grow."""

    def __init__(self) -> None:
        self._ids = array("i")
        self._ends = array("q")

    def add(self, ids: Sequence[int]) -> None:
        """Add the blocks of the next prompt."""
        self._ids.extend(ids)
        self._ends.append(len(self._ids))

    def blocks(self) -> PrefixBlocks:
        """Return them; nothing is copied, so nothing can be added afterwards."""
        return PrefixBlocks(
            np.frombuffer(self._ids, dtype=np.int32), np.frombuffer(self._ends, dtype=np.int64), BLOCK_TOKENS
        )


class SeenBlocks:
    """Which blocks came before, a bit each."""

    def __init__(self) -> None:
        self._bits = bytearray(1024)

    def admit(self, ids: Sequence[int]) -> int:
        """Return how many blocks of a prompt, from the first one on, came before it; from now on all of them have."""
        if ids and max(ids) >= 8 * len(self._bits):
            self._bits.extend(bytes(max(len(self._bits), max(ids) // 8 + 1 - len(self._bits))))
        bits = self._bits
        known = next((index for index, each in enumerate(ids) if not bits[each >> 3] >> (each & 7) & 1), len(ids))
        for each in ids[known:]:
            bits[each >> 3] |= 1 << (each & 7)
        return known


def _object(text: str) -> Mapping[str, object]:
    """The object of a line, with the keys that are needed; raises RowProblem."""
    allowed = '{"timestamp": 0, "input_length": 512, "output_length": 200}'
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        raise RowProblem(None, "not a line of JSON", read=text.strip(), allowed=allowed) from None
    if not isinstance(row, dict):
        raise RowProblem(None, "not an object", read=text.strip(), allowed=allowed)
    missing = [column for column in COLUMNS if column not in row]
    if missing:
        raise RowProblem(None, f"the line lacks {' and '.join(missing)}", read=listed(list(row)), allowed=allowed)
    return row


def _block_ids(ids: object, prompt: int) -> list[int]:
    """The block numbers of a prompt; raises RowProblem."""
    if not isinstance(ids, list) or not all(type(each) is int and 0 <= each < _MOST_BLOCKS for each in ids):
        allowed = f"a list of whole numbers from 0 to {_MOST_BLOCKS - 1:,}"
        raise RowProblem(None, f"{_HASHES} are not block numbers", read=str(ids), allowed=allowed)
    if abs(len(ids) * BLOCK_TOKENS - prompt) >= BLOCK_TOKENS:
        raise RowProblem(
            None,
            f"{_HASHES} do not cover the prompt",
            read=f"{len(ids)} blocks, {prompt:,} tokens",
            allowed=f"a block for each {BLOCK_TOKENS} tokens",
        )
    return ids
