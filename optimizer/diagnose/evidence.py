"""All that causes are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from optimizer.diagnose.diagnosis import Change, Comparison, PoolsOut
from optimizer.diagnose.forecast import Forecast
from optimizer.diagnose.terms import Share, Term


@dataclass(frozen=True)
class Measured:
    """Means that were measured, of the whole deployment; None where nobody did. notes: what to know of them."""

    tpot_s: float | None = None
    ttft_s: float | None = None
    tokens_per_s: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """The prediction, its time per token taken apart, what was measured, pools, and the best other arrangement."""

    found: Forecast
    tpot: tuple[Share, ...]
    measured: Measured
    comparisons: tuple[Comparison, ...]
    pools: PoolsOut | None
    best: Change | None

    @property
    def term_s(self) -> Mapping[Term, float]:
        """Seconds per token of each term."""
        return {share.term: share.seconds for share in self.tpot}
