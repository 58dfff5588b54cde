"""Distributions of prompt and output lengths, in tokens, given as a constant, by statistics or as a histogram.

Each is one quantile curve (`quantile_curve`). A curve given by statistics ends at the probabilities 10⁻⁴ and
1 − 10⁻⁴: the longest request is Q(1 − 10⁻⁴), and the probability beyond stands on it.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from statistics import NormalDist
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from requirements_specs.errors import LengthError
from requirements_specs.quantile_curve import (
    END,
    LONGEST_TOKENS,
    SHORTEST_TOKENS,
    Knot,
    bin_means,
    mean_of,
    value_between,
    with_mean,
    with_tails,
)

_SHARES_SUM_TOLERANCE = 1e-3
_FEWEST_BINS = 4
_DEVIATE = NormalDist()
# A normal deviate is finite from this probability on.
_LEAST = 1e-15


class LengthDistribution(BaseModel):
    """How long requests are; built by `constant`, `from_statistics` or `histogram`.

    `probabilities` and `tokens` are the knots of the quantile function, `stated` what the user wrote for a
    distribution given by statistics (`(("mean", 200.0), ("p99", 900.0))`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: float = Field(ge=SHORTEST_TOKENS, le=LONGEST_TOKENS)
    probabilities: tuple[float, ...]
    tokens: tuple[float, ...]
    stated: tuple[tuple[str, float], ...] = ()

    @classmethod
    def constant(cls, tokens: float) -> Self:
        """Every request has `tokens` tokens.

        Raises:
            LengthError: `tokens` is outside 1 … 10⁸.
        """
        _check_tokens("tokens", tokens)
        return cls(mean=tokens, probabilities=(0.0, 1.0), tokens=(tokens, tokens))

    @classmethod
    def histogram(cls, tokens: Sequence[float], shares: Sequence[float]) -> Self:
        """Make the distribution with the lengths (N,) in the shares (N,), which sum to 1 within 0.001.

        Raises:
            LengthError: no rows, a length outside 1 … 10⁸, a share that is not positive, or another sum.
        """
        total = math.fsum(shares)
        if not tokens or abs(total - 1.0) > _SHARES_SUM_TOLERANCE:
            raise LengthError(
                "the shares do not sum to 1", read=f"{len(tokens)} rows, sum {total:g}", allowed="a sum of 1 ± 0.001"
            )
        by_length: dict[float, float] = {}
        for length, share in sorted(zip(tokens, shares, strict=True)):
            _check_tokens("tokens", length)
            if not share > 0:
                raise LengthError("a share must be positive", read=f"{share:g}", allowed="0 < share ≤ 1")
            by_length[length] = by_length.get(length, 0.0) + share / total
        edges = np.concatenate(([0.0], np.cumsum(list(by_length.values()))))
        edges[-1] = 1.0
        knots = [Knot(float(u), x) for i, x in enumerate(by_length) for u in edges[i : i + 2]]
        return cls._from_knots(knots, mean=math.fsum(x * share for x, share in by_length.items()))

    @classmethod
    def from_statistics(
        cls, *, mean: float | None = None, p50: float | None = None, p90: float | None = None, p99: float | None = None
    ) -> Self:
        """Make the distribution through the given quantiles with exactly the given mean.

        Two numbers are needed, one of them `mean` or `p50`. Between quantiles Q is log-linear. Without a mean the
        tails go on with the slope of the piece beside them. With one, the tails are scaled until the mean is met, the
        lower tail first: from a lower tail as wide as allowed and a flat upper one (the least mean) to the reverse
        (the greatest). With a mean and one quantile it is the log-normal that has both.

        Raises:
            LengthError: too few numbers, one outside 1 … 10⁸, a quantile above a higher one, or a mean that no
                distribution with these quantiles has (the message gives the range that one can have).
        """
        named = {"mean": mean, "p50": p50, "p90": p90, "p99": p99}
        stated = tuple((name, value) for name, value in named.items() if value is not None)
        if len(stated) < 2 or (mean is None and p50 is None):
            raise LengthError(
                "these numbers do not determine a distribution",
                read=", ".join(name for name, _ in stated) or "nothing",
                allowed="two or more of mean, p50, p90, p99, with mean or p50 among them, or one constant: 512 tokens",
            )
        for name, value in stated:
            _check_tokens(name, value)
        quantiles = [(p, v, n) for n, p, v in (("p50", 0.5, p50), ("p90", 0.9, p90), ("p99", 0.99, p99)) if v]
        for (_, low, low_name), (_, high, high_name) in pairwise(quantiles):
            if low > high:
                raise LengthError(
                    f"{low_name} is greater than {high_name}",
                    part=low_name,
                    read=f"{low_name} {low:g}, {high_name} {high:g} tokens",
                    allowed="p50 ≤ p90 ≤ p99",
                )
        knots = [Knot(p, value) for p, value, _ in quantiles]
        whole = with_tails(knots) if mean is None else with_mean(knots, mean)
        return cls._from_knots(whole, mean=mean_of(whole) if mean is None else mean, stated=stated)

    @classmethod
    def _from_knots(cls, knots: Sequence[Knot], *, mean: float, stated: tuple[tuple[str, float], ...] = ()) -> Self:
        return cls(
            mean=min(max(mean, knots[0].tokens), knots[-1].tokens),  # a sum of shares is not 1 to the last bit
            probabilities=tuple(knot.probability for knot in knots),
            tokens=tuple(knot.tokens for knot in knots),
            stated=stated,
        )

    @property
    def maximum(self) -> int:
        """The longest request, tokens."""
        return math.ceil(self.tokens[-1])

    @property
    def is_constant(self) -> bool:
        """Whether all requests are equally long."""
        return self.tokens[0] == self.tokens[-1]

    def quantile(self, p: float) -> float:
        """Return the length, tokens, that a share `p` of the requests does not exceed.

        Raises:
            ValueError: `p` is outside 0 … 1.
        """
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"a quantile needs a probability between 0 and 1, not {p}")
        upper = bisect_left(self.probabilities, p)
        low, high = self._knot(max(upper - 1, 0)), self._knot(upper)
        return value_between(low, high, p)

    def bins(self, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """At most `count` lengths (B,), increasing, tokens, and their probabilities (B,), which sum to 1.

        Each length is the mean of its bin, so the bins have exactly the mean of the distribution. A quarter of them,
        never fewer than three, stand above the 0.9 quantile, ever thinner, the last one on the longest request. A
        distribution of at most `count` different lengths is given as it is.

        Raises:
            ValueError: `count` is below 4.
        """
        if count < _FEWEST_BINS:
            raise ValueError(f"at least {_FEWEST_BINS} bins are needed, not {count}")
        knots = [self._knot(i) for i in range(len(self.tokens))]
        pieces = [(low, high) for low, high in pairwise(knots) if high.probability > low.probability]
        if all(low.tokens == high.tokens for low, high in pieces):
            different: dict[float, float] = {}
            for low, high in pieces:
                different[low.tokens] = different.get(low.tokens, 0.0) + high.probability - low.probability
            if len(different) <= count:
                return np.array(list(different)), np.array(list(different.values()))
        tail = max(3, round(count / 4))
        top = max(1.0 - END, pieces[-1][0].probability)
        edges = [
            *np.linspace(0.0, 0.9, count - tail + 1),
            *(1.0 - 0.1 * np.geomspace(1.0, (1.0 - top) / 0.1, tail)[1:-1]),
            top,
            1.0,
        ]
        return bin_means(pieces, [float(edge) for edge in edges])

    # The type is quoted because only who draws pays for loading numpy.random.
    def draw(self, random: "np.random.Generator", count: int) -> NDArray[np.int64]:
        """`count` independent lengths (count,) in whole tokens, the nearest to the curve and at least one."""
        # Normal deviates in place of probabilities: the curve is log-linear in them.
        deviates = [_DEVIATE.inv_cdf(min(max(p, _LEAST), 1.0 - _LEAST)) for p in self.probabilities]
        lengths = np.exp(np.interp(random.standard_normal(count), deviates, np.log(self.tokens)))
        return np.maximum(np.rint(lengths), 1.0).astype(np.int64)

    def _knot(self, index: int) -> Knot:
        return Knot(self.probabilities[index], self.tokens[index])


def _check_tokens(name: str, tokens: float) -> None:
    if not SHORTEST_TOKENS <= tokens <= LONGEST_TOKENS:
        raise LengthError(
            "not a possible length", part=name, read=f"{tokens:g} tokens", allowed="1 token … 100,000,000 tokens"
        )
