"""How the count model is solved: CP-SAT, one worker, a fixed seed, a deterministic time limit.

One worker with `linearization_level` 2 proves small column models fastest and gives the same answer in every run; the
deterministic limit makes even an unproved stop repeatable.
"""

from __future__ import annotations

import importlib
import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from optimizer.errors import SolverError

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

SEED = 20260524
DETERMINISTIC_SECONDS = 60.0


class SolveStatus(StrEnum):
    """What the solver ended with; a proof is `bound == objective`, never this word alone."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class SolveResult:
    """Outcome of one solve of an integer model; objective and bound are None without a solution or a bound."""

    status: SolveStatus
    objective: int | None
    bound: int | None

    @property
    def proved(self) -> bool:
        """Whether the objective is known to be the least possible."""
        return self.objective is not None and self.objective == self.bound


def preload() -> threading.Thread:
    """Start importing the solver beside other work; it takes longer than most searches."""
    thread = threading.Thread(target=importlib.import_module, args=("ortools.sat.python.cp_model",), daemon=True)
    thread.start()
    return thread


def solve(model: cp_model.CpModel) -> tuple[cp_model.CpSolver, SolveResult]:
    """Solve a minimisation over integers.

    Raises:
        SolverError: the model is malformed, which is a bug.

    """
    from ortools.sat.python import cp_model as cp

    problem = model.validate()
    if problem:
        raise SolverError(f"CP-SAT refuses the model: {problem}")
    solver = cp.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.linearization_level = 2
    solver.parameters.random_seed = SEED
    solver.parameters.max_deterministic_time = DETERMINISTIC_SECONDS
    status = solver.solve(model)
    known = {
        cp.OPTIMAL: SolveStatus.OPTIMAL,
        cp.FEASIBLE: SolveStatus.FEASIBLE,
        cp.INFEASIBLE: SolveStatus.INFEASIBLE,
        cp.UNKNOWN: SolveStatus.UNKNOWN,
    }
    if status not in known:
        raise SolverError(f"CP-SAT ended with {solver.status_name(status)}")
    if status not in (cp.OPTIMAL, cp.FEASIBLE):
        return solver, SolveResult(known[status], None, None)
    return solver, SolveResult(known[status], round(solver.objective_value), round(solver.best_objective_bound))
