"""Quantile functions of lengths, in tokens: non-decreasing curves Q(u) over the probability u, made of pieces.

Between two knots a piece is flat (a constant, a row of a histogram) or log-linear on the normal scale, ln Q = a + b·z
with u = Φ(z). So a log-normal is met exactly by any of its quantiles, and every integral has a closed form:
∫ Q du = e^(a + b²/2)·(Φ(z₁ − b) − Φ(z₀ − b)).
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from requirements_specs.errors import LengthError

SHORTEST_TOKENS = 1.0
LONGEST_TOKENS = 1e8
END = 1e-4
"""Probability beyond which a curve is flat at either end."""

_WIDEST_TAIL = 3.0  # σ of a log-normal; p99/p50 of 1,000
_BISECTIONS = 60  # leave less than the spacing of floats near 1


class Knot(NamedTuple):
    """The curve passes through (`probability`, `tokens`); two knots of one probability are a jump."""

    probability: float
    tokens: float


class _Line(NamedTuple):
    """ln Q = `intercept` + `slope`·z between two knots; slope > 0."""

    intercept: float
    slope: float

    @classmethod
    def through(cls, low: Knot, high: Knot) -> Self:
        low_z, high_z = _normal_quantile(low.probability), _normal_quantile(high.probability)
        slope = math.log(high.tokens / low.tokens) / (high_z - low_z)
        return cls(math.log(low.tokens) - slope * low_z, slope)

    def at(self, z: float) -> float:
        return self.intercept + self.slope * z

    def integral(self, low: float, high: float) -> float:
        """∫ Q du between two probabilities."""
        between = _normal_between(_normal_quantile(low) - self.slope, _normal_quantile(high) - self.slope)
        return math.exp(self.intercept + self.slope**2 / 2) * between


def _normal_between(low: float, high: float) -> float:
    """Φ(high) − Φ(low), without cancellation in either tail."""
    if low > 0:
        low, high = -high, -low
    return 0.5 * (math.erfc(-high / math.sqrt(2)) - math.erfc(-low / math.sqrt(2)))


@lru_cache(maxsize=1024)  # few probabilities are ever asked for, each many times
def _normal_quantile(p: float) -> float:
    """Return the z with Φ(z) = p for 10⁻¹⁵ < p < 1 − 10⁻¹⁵, within 10⁻¹⁶, by bisection of the nearer tail."""
    if p == 0.5:
        return 0.0
    if p > 0.5:
        return -_normal_quantile(1.0 - p)
    low, high = -8.0, 0.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if 0.5 * math.erfc(-middle / math.sqrt(2)) < p:
            low = middle
        else:
            high = middle
    return high


def _integral(low: Knot, high: Knot, start: float, end: float) -> float:
    """∫ Q du over [start, end], inside the piece between two knots."""
    if low.tokens == high.tokens:
        return low.tokens * (end - start)
    return _Line.through(low, high).integral(start, end)


def value_between(low: Knot, high: Knot, p: float) -> float:
    """Q(p) inside the piece between two knots."""
    if low.tokens == high.tokens or high.probability == p:
        return high.tokens
    value = math.exp(_Line.through(low, high).at(_normal_quantile(p)))
    return min(max(value, low.tokens), high.tokens)


def mean_of(knots: Sequence[Knot]) -> float:
    """∫ Q du over the whole curve."""
    pairs = pairwise(knots)
    return math.fsum(_integral(a, b, a.probability, b.probability) for a, b in pairs)


def _tailed(knots: Sequence[Knot], lower_slope: float, upper_slope: float) -> list[Knot]:
    """`knots` (inside 10⁻⁴ … 1 − 10⁻⁴) with tails of the given slopes and flat ends."""
    low, high = knots[0], knots[-1]
    end = _normal_quantile(1.0 - END)
    shortest = low.tokens * math.exp(-lower_slope * (_normal_quantile(low.probability) + end))
    longest = high.tokens * math.exp(upper_slope * (end - _normal_quantile(high.probability)))
    shortest = min(max(shortest, SHORTEST_TOKENS), low.tokens)  # e^ln x is not x to the last bit
    return [Knot(0.0, shortest), Knot(END, shortest), *knots, Knot(1.0 - END, longest), Knot(1.0, longest)]


def _widest_lower_slope(knot: Knot) -> float:
    """Return the steepest lower tail whose shortest request still has one token."""
    span = _normal_quantile(knot.probability) + _normal_quantile(1.0 - END)
    return min(_WIDEST_TAIL, math.log(knot.tokens / SHORTEST_TOKENS) / span)


def _widest_upper_slope(knot: Knot) -> float:
    """Return the steepest upper tail whose longest request is still a possible length."""
    span = _normal_quantile(1.0 - END) - _normal_quantile(knot.probability)
    return min(_WIDEST_TAIL, math.log(LONGEST_TOKENS / knot.tokens) / span)


def _adjacent_slopes(knots: Sequence[Knot]) -> tuple[float, float]:
    """Return the slopes that the tails have if they go on like the first and the last piece, as far as allowed."""
    slopes = []
    for low, high in (knots[:2], knots[-2:]):
        slopes.append(0.0 if low.tokens == high.tokens else _Line.through(low, high).slope)
    return min(slopes[0], _widest_lower_slope(knots[0])), min(slopes[1], _widest_upper_slope(knots[-1]))


def with_tails(knots: Sequence[Knot]) -> list[Knot]:
    """`knots` with tails that go on like the pieces beside them, as far as allowed."""
    return _tailed(knots, *_adjacent_slopes(knots))


def with_mean(knots: Sequence[Knot], mean: float) -> list[Knot]:
    """`knots` with the tails that give the mean.

    One knot: the log-normal through it. More: from tails that go on like the pieces beside them, the lower one is
    scaled first, as it holds more of the requests, and the upper one only if that is not enough: a longest request
    far beyond the stated quantiles is not made up without need.
    """
    widest_lower, widest_upper = _widest_lower_slope(knots[0]), _widest_upper_slope(knots[-1])
    if len(knots) == 1:
        # Beyond a slope of z the mean of a log-normal with a fixed quantile rises again.
        turning = _normal_quantile(knots[0].probability) or _WIDEST_TAIL
        widest = min(widest_lower, widest_upper, 0.9 * turning)
        return _with_slopes(knots, [(0.0, 0.0), (widest, widest)], mean)
    lower, upper = _adjacent_slopes(knots)
    return _with_slopes(
        knots, [(widest_lower, 0.0), (widest_lower, upper), (lower, upper), (0.0, upper), (0.0, widest_upper)], mean
    )


def _with_slopes(knots: Sequence[Knot], path: Sequence[tuple[float, float]], mean: float) -> list[Knot]:
    """Return `knots` with the (lower, upper) tail slopes on `path` that give the mean, which is monotone along it."""

    def at(position: float) -> list[Knot]:
        step = min(int(position), len(path) - 2)
        (lower, upper), (next_lower, next_upper) = path[step], path[step + 1]
        share = position - step
        return _tailed(knots, lower + share * (next_lower - lower), upper + share * (next_upper - upper))

    low, high = 0.0, float(len(path) - 1)
    at_start, at_end = mean_of(at(low)), mean_of(at(high))
    least, greatest = min(at_start, at_end), max(at_start, at_end)
    if not least * (1 - 1e-12) <= mean <= greatest * (1 + 1e-12):
        raise LengthError(
            "no distribution with these quantiles has this mean",
            part="mean",
            read=f"mean {mean:g} tokens",
            allowed=f"a mean between {math.ceil(least):,} and {math.floor(greatest):,} tokens",
        )
    rising = at_end >= at_start
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if (mean_of(at(middle)) < mean) == rising:
            low = middle
        else:
            high = middle
    return at(high)


def bin_means(
    pieces: Sequence[tuple[Knot, Knot]], edges: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean lengths and probabilities of the bins between `edges`; bins of one length are put together."""
    ends = [high.probability for _, high in pieces]
    lengths: list[float] = []
    shares: list[float] = []
    for start, end in pairwise(edges):
        share = end - start
        total = math.fsum(
            _integral(low, high, max(start, low.probability), min(end, high.probability))
            for low, high in pieces[bisect_right(ends, start) : bisect_left(ends, end) + 1]
        )
        length = min(max(total / share, lengths[-1] if lengths else SHORTEST_TOKENS), pieces[-1][1].tokens)
        if lengths and length <= lengths[-1] * (1 + 1e-9):
            shares[-1] += share
        else:
            lengths.append(length)
            shares.append(share)
    return np.array(lengths), np.array(shares)
