"""CP-SAT in a process of its own, started before it is needed.

Importing CP-SAT takes longer than most searches; in another process it runs on another core meanwhile, and the sooner
it begins the better: see `solver_made_ready`. Programs go in and results come out as one line of JSON each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from optimizer.errors import SolverError
from optimizer.search.cp_sat import solve_with_cp_sat
from optimizer.search.integer_program import Domain, IntegerProgram, Row, SolveResult, SolveStatus, Term

# Started before it was asked for; it belongs to the first who asks.
_ready: list[subprocess.Popen[str]] = []


@contextmanager
def solver_made_ready() -> Iterator[None]:
    """Let the process start now that the first `SolverProcess` within will have."""
    process = _started()
    _ready.append(process)
    try:
        yield
    finally:
        if process in _ready:
            _ready.remove(process)
            _end(process)


def _started() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "optimizer.search.solver_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # so that it finds the packages where this process found them, installed or not
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


class SolverProcess:
    """A CP-SAT that is getting ready; use it as a context, so that the process ends with it."""

    def __init__(self) -> None:
        """Take the process that was made ready, or start one."""
        self._process = _ready.pop() if _ready else _started()

    def __enter__(self) -> SolverProcess:
        """The process itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process, whether it was used or not."""
        _end(self._process)

    def dismiss(self) -> None:
        """Let the process end while its last answer is made use of; nothing can be solved any more."""
        self._process.kill()

    def solve(self, program: IntegerProgram) -> SolveResult:
        """Minimise an integer program.

        Raises:
            SolverError: the process ended without an answer; its own message is on stderr.

        """
        if self._process.stdin is None or self._process.stdout is None:
            raise SolverError("the solver process has no pipes")
        try:
            self._process.stdin.write(encode_program(program) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise SolverError("the solver process ended before it was asked") from None
        line = self._process.stdout.readline()
        if not line:
            raise SolverError("the solver process ended without an answer")
        return decode_result(line)


def encode_program(program: IntegerProgram) -> str:
    """One line of JSON."""
    return json.dumps(asdict(program))


def decode_program(line: str) -> IntegerProgram:
    """The inverse of `encode_program`."""
    data = json.loads(line)

    def terms(values: list[dict[str, int]]) -> tuple[Term, ...]:
        return tuple(Term(**value) for value in values)

    return IntegerProgram(
        [Domain(**domain) for domain in data["domains"]],
        [Row(terms(row["terms"]), row["lower"], row["upper"]) for row in data["rows"]],
        terms(data["objective"]),
    )


def encode_result(result: SolveResult) -> str:
    """One line of JSON."""
    return json.dumps(asdict(result))


def decode_result(line: str) -> SolveResult:
    """The inverse of `encode_result`."""
    data = json.loads(line)
    return SolveResult(SolveStatus(data["status"]), data["objective"], data["bound"], tuple(data["values"]))


def _serve() -> None:
    """Import CP-SAT, then answer one program per line until the input ends."""
    import ortools.sat.python.cp_model  # noqa: F401 (now, while nobody waits for it)

    for line in sys.stdin:
        print(encode_result(solve_with_cp_sat(decode_program(line))), flush=True)


if __name__ == "__main__":
    _serve()
