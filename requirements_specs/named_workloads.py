"""Lengths of workloads that have a name, as published traces have them: at most 32 lengths with their shares.

Each length is the mean of its bin of the sorted requests. Bins are 5 % wide up to the 0.825 quantile and ever thinner
above, the last one on the longest request; the median, p90 and p99 lie in the middle of theirs. So the mean is that of
the source, and a quantile is right within its bin.
"""

import json
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from requirements_specs.lengths import LengthDistribution

PACKAGED = Path(__file__).with_name("named_workloads.json")


class NamedWorkload(BaseModel):
    """What was measured, where it was published and under which licence, and the rows (tokens, share).

    index_of_dispersion: of the arrivals in the busiest ten minutes, in the shortest bins of 1 s, 10 s and 1 min that
    are longer than the shortest gap; at least 1. None where no times were published.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    source: str
    licence: str
    as_of: str
    requests: int
    prompt_tokens: tuple[tuple[float, float], ...]
    output_tokens: tuple[tuple[float, float], ...]
    index_of_dispersion: float | None = None

    @property
    def origin(self) -> str:
        """What was measured, and whom it is from."""
        return f"{self.what}; {self.source} ({self.licence})"

    def lengths(self, key: str) -> LengthDistribution:
        """Return the distribution for `prompt_tokens` or `output_tokens`."""
        tokens, shares = zip(*getattr(self, key), strict=True)
        return LengthDistribution.histogram(tokens, shares)


@cache
def named_workloads() -> dict[str, NamedWorkload]:
    """Return the workloads by name."""
    entries = json.loads(PACKAGED.read_text(encoding="utf-8"))
    return {name: NamedWorkload(**entry) for name, entry in entries.items()}
