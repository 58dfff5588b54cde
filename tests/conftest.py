"""Hypothesis profiles: `suite` repeats the same examples in every run, `bench` draws ten times as many.

`make bench` sets ROOFPLAN_PROFILE=bench.
"""

import os
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from hypothesis import HealthCheck, settings

from optimizer.search.solver_process import SolverProcess

# As the commands have it, and as workers that share the cores need it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
settings.register_profile(
    "suite",
    max_examples=200,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("bench", settings.get_profile("suite"), max_examples=2000)
settings.load_profile(os.environ.get("ROOFPLAN_PROFILE", "suite"))


class SharedSolver(SolverProcess):
    """One that the first command does not take with it."""

    def dismiss(self) -> None:
        """Wait for the next command."""


@pytest.fixture(scope="session")
def running_solver() -> Iterator[SolverProcess]:
    with SharedSolver() as solver:
        yield solver


@pytest.fixture
def shared_solver(running_solver: SolverProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands share one CP-SAT: importing it takes longer than most of them do."""
    monkeypatch.setattr("optimizer.search.solver_process.SolverProcess", lambda: nullcontext(running_solver))
