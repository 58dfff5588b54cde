"""Distinct designs among exact columns: what a user chooses between."""

from __future__ import annotations

from collections.abc import Sequence

from optimizer.search.columns import Column
from optimizer.search.refine import design_signature, worst_near
from optimizer.topology.layouts import CandidateSpace


def distinct_designs(space: CandidateSpace, columns: Sequence[Column]) -> tuple[Column, ...]:
    """First column of each design that differs in part, layout or formats; columns are in their order."""
    first: dict[tuple[object, ...], Column] = {}
    for column in columns:
        first.setdefault(design_signature(space, column.placement), column)
    return tuple(first.values())


def near_designs(space: CandidateSpace, columns: Sequence[Column]) -> tuple[Column, ...]:
    """Those of the distinct designs that are within `NEAR_PERCENT` of the first, in what the objective makes least."""

    def least(column: Column) -> int:
        return column.value or column.usd_micro_per_hour

    worst = worst_near(least(columns[0]))
    return tuple(column for column in distinct_designs(space, columns) if least(column) <= worst)
