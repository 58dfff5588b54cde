"""What simulation took out of the space: candidates that need more replicas than the laws say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from optimizer.search.columns import Column
from optimizer.topology.layouts import TOKEN_BUDGETS, CandidateSpace

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Cuts:
    """One kind of cut: a physics key with a token budget needs more than so many replicas, spare ones included.

    Neither its laws nor its simulation know the offer, so a cut holds for every machine and price of the key. Whatever
    is refused at a number of replicas is refused at every smaller one.
    """

    refused_replicas: Mapping[tuple[int, int], int] = field(default_factory=dict)

    def refusing(self, column: Column) -> Cuts:
        """These cuts, and that the candidate of a column needs more replicas than the column has."""
        candidate = (column.key, column.token_budget)
        most = max(column.replicas, self.refused_replicas.get(candidate, 0))
        return Cuts({**self.refused_replicas, candidate: most})

    def refuse(self, column: Column) -> bool:
        """Whether the candidate of a column needs more replicas than the column has."""
        return column.replicas <= self.refused_replicas.get((column.key, column.token_budget), 0)

    def least_units(self, space: CandidateSpace) -> Integers:
        """Fewest units that the cuts leave each placement with each token budget, (P, B)."""
        least = np.ones((len(space.placement_key), len(TOKEN_BUDGETS)), dtype=np.int64)
        for (key, token_budget), replicas in self.refused_replicas.items():
            placements = np.flatnonzero(space.placement_key == key)
            budget = int(np.searchsorted(TOKEN_BUDGETS, token_budget))
            least[placements, budget] = replicas // space.replicas_per_unit[placements] + 1
        return least


NO_CUTS = Cuts()
