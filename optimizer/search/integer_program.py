"""An integer program as plain data: variables, rows and one objective, all exact integers.

The same rows can be put to any solver, in this process or another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum


@dataclass(frozen=True)
class Term:
    """coefficient · variable; variables are numbered in the order in which they were made."""

    variable: int
    coefficient: int


@dataclass(frozen=True)
class Row:
    """lower ≤ Σ terms ≤ upper; None is no limit."""

    terms: tuple[Term, ...]
    lower: int | None
    upper: int | None


@dataclass(frozen=True)
class Domain:
    """Least and greatest value of a variable."""

    lower: int
    upper: int


@dataclass
class IntegerProgram:
    """A minimisation that is being built; `minimize` gives the same rows another objective."""

    domains: list[Domain] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    objective: tuple[Term, ...] = ()

    def add_variable(self, lower: int, upper: int) -> int:
        """The number of a new variable."""
        self.domains.append(Domain(lower, upper))
        return len(self.domains) - 1

    def add_row(self, terms: Sequence[Term], *, lower: int | None = None, upper: int | None = None) -> None:
        """Require lower ≤ Σ terms ≤ upper."""
        self.rows.append(Row(tuple(terms), lower, upper))

    def minimize(self, terms: Sequence[Term]) -> IntegerProgram:
        """The same variables and rows with this objective."""
        return replace(self, objective=tuple(terms))


class SolveStatus(StrEnum):
    """What the solver ended with; a proof is `bound == objective`, never this word alone."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class SolveResult:
    """Outcome of one solve; objective and bound are None, values empty, without a solution."""

    status: SolveStatus
    objective: int | None
    bound: int | None
    values: tuple[int, ...]

    @property
    def proved(self) -> bool:
        """Whether the objective is known to be the least possible."""
        return self.objective is not None and self.objective == self.bound
