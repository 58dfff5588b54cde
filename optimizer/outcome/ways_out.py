"""Why nothing meets a specification, and what would."""

from pydantic import ConfigDict, Field

from optimizer.outcome.result import Result


class Floor(Result):
    """Why nothing is feasible: a requirement and the least number that any admitted design reaches."""

    requirement: str
    limit: float
    least: float
    accelerator: str
    explanation: str


SpecValue = bool | int | float | str | tuple[str, ...] | tuple[int, ...] | dict[str, int]
"""A value as a specification writes it: SI for latencies, dollars for budgets, a range as its ends."""


class Change(Result):
    """One requirement of the specification: what it states (`from` in JSON), and what it would have to state."""

    model_config = ConfigDict(serialize_by_alias=True)

    requirement: str
    stated: SpecValue = Field(serialization_alias="from")
    to: SpecValue


class Relaxation(Result):
    """Changes that together give a design at this cost; `verified`: the changed specification was solved once more."""

    changes: tuple[Change, ...]
    usd_per_hour: float
    verified: bool
