"""What the search proved: which rows were settled how."""

from __future__ import annotations

from collections.abc import Sequence

from optimizer.search.columns import Column
from optimizer.search.ledger import Ledger
from optimizer.search.refine import Refinement
from optimizer.topology.layouts import MAX_NUM_SEQS, CandidateSpace


def count_rows(space: CandidateSpace, refinement: Refinement, columns: Sequence[Column]) -> Ledger:
    """Account for every row of the space; `columns` are in the order of ties, the first is the optimum."""
    bounded = refused = dominated = 0
    for placement in range(len(refinement.reached)):
        rows = space.rows_of(placement)
        if not refinement.feasible_bound[placement]:
            refused += rows
        elif not refinement.reached[placement]:
            bounded += rows
        else:
            per_budget = rows // refinement.units.shape[1]
            found = int((refinement.units[placement] > 0).sum())
            dominated += found * per_budget
            refused += rows - found * per_budget

    tied = 0
    if columns:
        best = (columns[0].value, columns[0].usd_micro_per_hour)
        for column in columns:
            if (column.value, column.usd_micro_per_hour) != best:
                break
            large_enough = int((column.max_num_seqs <= MAX_NUM_SEQS).sum())
            tied += large_enough
            refused += len(MAX_NUM_SEQS) - large_enough
            dominated -= len(MAX_NUM_SEQS)
    return Ledger(
        candidates=space.candidates,
        illegal=sum(space.illegal.values()),
        bounded=bounded,
        refused=refused,
        dominated=dominated,
        optimal=min(tied, 1),
        tied=max(tied - 1, 0),
    )


def refined_rows(refinement: Refinement) -> int:
    """Candidates that were evaluated, engine slots and equal offers counted once."""
    budgets: int = refinement.units.shape[1]
    return int(refinement.reached.sum()) * budgets
