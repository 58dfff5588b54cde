"""Progress of a long command, on a terminal's standard error."""

from __future__ import annotations

import sys
import time
from threading import Event, Thread
from types import TracebackType
from typing import Self

_SILENT_S = 1.0
_EVERY_S = 0.5
_ERASE_LINE = "\r\x1b[K"


class Progress:
    """Says how many of some runs are done, from the first second on; nothing where standard error is no terminal."""

    def __init__(self, what: str, runs: int) -> None:
        self._what, self._runs = what, runs
        self._done = 0
        self._started = time.monotonic()
        self._ended = Event()
        self._teller = Thread(target=self._tell, daemon=True) if sys.stderr.isatty() else None

    def step(self) -> None:
        """One more is done."""
        self._done += 1

    def __enter__(self) -> Self:
        if self._teller is not None:
            self._teller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._teller is not None:
            self._teller.join()

    def _tell(self) -> None:
        if self._ended.wait(_SILENT_S):
            return
        while True:
            seconds = time.monotonic() - self._started
            running = min(self._done + 1, self._runs)
            sys.stderr.write(f"{_ERASE_LINE}{self._what}: run {running} of {self._runs}, {seconds:.0f} s")
            sys.stderr.flush()
            if self._ended.wait(_EVERY_S):
                break
        sys.stderr.write(_ERASE_LINE)
        sys.stderr.flush()
