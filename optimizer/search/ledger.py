"""What became of every row of the candidate space.

A row is one offer with one layout, format choice, engine, token budget and max_num_seqs. The ledger closes:
candidates = illegal + bounded + refused + dominated + optimal + tied.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Ledger:
    """Counts of rows.

    illegal: no engine can run it, or the specification excludes it. bounded: even its optimistic rate makes it dearer
    than the designs that are reported. refused: it misses a requirement at the most units that are no dearer.
    dominated: it meets every requirement at a cost above the optimum. tied: same cost, later in the order of ties.
    Where the objective is a value within a budget (`search/aims.py`), the value stands in the place of the cost:
    bounded rows cannot reach that of the designs that are reported, refused ones miss a requirement or that value at
    the most units that the budget buys, and tied ones have both the value and the cost of the optimum.
    """

    candidates: int
    illegal: int
    bounded: int
    refused: int
    dominated: int
    optimal: int
    tied: int

    def __post_init__(self) -> None:
        """Refuse a ledger that does not close: some row would be unaccounted for."""
        accounted = self.illegal + self.bounded + self.refused + self.dominated + self.optimal + self.tied
        if accounted != self.candidates:
            raise ValueError(f"the ledger does not close: {self.candidates} candidates, {accounted} accounted for")
