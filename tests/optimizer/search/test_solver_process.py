"""A solver that starts before it is asked for belongs to the first who asks, or ends unused."""

import subprocess
from typing import Any

import pytest

from optimizer.search.integer_program import IntegerProgram, SolveStatus, Term
from optimizer.search.solver_process import SolverProcess, solver_made_ready

Started = list["subprocess.Popen[str]"]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """The processes that were started, in order."""
    processes: Started = []
    original = subprocess.Popen

    def popen(*arguments: Any, **options: Any) -> "subprocess.Popen[str]":
        processes.append(original(*arguments, **options))
        return processes[-1]

    monkeypatch.setattr(subprocess, "Popen", popen)
    return processes


def test_the_first_who_asks_has_the_process_that_was_made_ready(started: Started) -> None:
    program = IntegerProgram()
    cost = program.add_variable(3, 9)
    with solver_made_ready():
        assert len(started) == 1
        with SolverProcess() as solver:
            assert len(started) == 1
            result = solver.solve(program.minimize([Term(cost, 2)]))
            assert (result.status, result.objective) == (SolveStatus.OPTIMAL, 6)
        with SolverProcess():
            assert len(started) == 2
    assert all(process.returncode is not None for process in started)


def test_a_process_that_nobody_asks_ends(started: Started) -> None:
    with solver_made_ready():
        assert started[0].returncode is None
    assert started[0].returncode is not None
