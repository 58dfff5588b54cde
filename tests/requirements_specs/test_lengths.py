import math
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from requirements_specs.errors import LengthError
from requirements_specs.lengths import LengthDistribution

NORMAL = NormalDist()
LENGTHS = st.floats(min_value=1, max_value=1e6)


@st.composite
def by_statistics(draw: st.DrawFn) -> LengthDistribution:
    quantiles = sorted(draw(st.lists(LENGTHS, min_size=3, max_size=3)))
    given = {"p50": quantiles[0], "p90": quantiles[1], "p99": quantiles[2]}
    for name in draw(st.sets(st.sampled_from(["p90", "p99"]), max_size=1)):
        del given[name]
    without_mean = LengthDistribution.from_statistics(**given)
    if draw(st.booleans()):
        return without_mean
    try:
        return LengthDistribution.from_statistics(**given, mean=without_mean.mean * draw(st.floats(0.9, 1.1)))
    except LengthError:
        assume(False)
        raise


@st.composite
def by_histogram(draw: st.DrawFn) -> LengthDistribution:
    tokens = draw(st.lists(LENGTHS, min_size=1, max_size=60))
    weights = draw(st.lists(st.floats(0.001, 1), min_size=len(tokens), max_size=len(tokens)))
    return LengthDistribution.histogram(tokens, [weight / math.fsum(weights) for weight in weights])


ANY_DISTRIBUTION = st.one_of(LENGTHS.map(LengthDistribution.constant), by_statistics(), by_histogram())


@settings(max_examples=300, deadline=None)
@given(ANY_DISTRIBUTION, st.integers(4, 64))
def test_bins_keep_the_mean_and_sum_to_one(length: LengthDistribution, count: int) -> None:
    tokens, shares = length.bins(count)
    assert tokens.dtype == shares.dtype == np.float64
    assert 1 <= len(tokens) == len(shares) <= count
    assert (shares > 0).all()
    assert shares.sum() == pytest.approx(1.0, abs=1e-12)
    assert (np.diff(tokens) > 0).all()
    assert tokens[0] >= 1
    assert tokens[-1] <= length.maximum
    assert float(tokens @ shares) == pytest.approx(length.mean, rel=1e-9)


@settings(max_examples=300, deadline=None)
@given(ANY_DISTRIBUTION, st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_quantiles_never_fall(length: LengthDistribution, probabilities: list[float]) -> None:
    quantiles = [length.quantile(p) for p in sorted([0.0, *probabilities, 1.0])]
    assert all(low <= high * (1 + 1e-12) for low, high in pairwise(quantiles))
    assert quantiles[0] >= 1
    assert quantiles[-1] <= length.maximum <= quantiles[-1] + 1


@settings(max_examples=200, deadline=None)
@given(by_statistics())
def test_stated_numbers_are_met(length: LengthDistribution) -> None:
    for name, value in length.stated:
        met = length.mean if name == "mean" else length.quantile(int(name[1:]) / 100)
        assert met == value
    end = NORMAL.inv_cdf(1 - 1e-4)
    grid = np.linspace(-end, end, 401)
    density = np.exp(-(grid**2) / 2) / math.sqrt(2 * math.pi)
    inside = np.trapezoid(density * [length.quantile(NORMAL.cdf(z)) for z in grid], grid)
    ends = 1e-4 * (length.quantile(0.0) + length.quantile(1.0))
    assert inside + ends == pytest.approx(length.mean, rel=0.02)


@settings(max_examples=200, deadline=None)
@given(by_statistics(), st.integers(12, 64))
def test_the_tail_is_kept(length: LengthDistribution, count: int) -> None:
    assume(length.quantile(0.9) < 0.99 * length.quantile(0.99) < 0.98 * length.maximum)
    tokens, _ = length.bins(count)
    assert (tokens > length.quantile(0.9)).sum() >= 3
    assert tokens[-1] == pytest.approx(length.quantile(1.0), rel=1e-9)


@pytest.mark.parametrize("sigma", [0.3, 0.8, 1.3])
@pytest.mark.parametrize("given", [("mean", "p50"), ("mean", "p99"), ("p50", "p90"), ("mean", "p50", "p90", "p99")])
def test_a_log_normal_is_met_by_any_of_its_numbers(sigma: float, given: tuple[str, ...]) -> None:
    truth = NormalDist(math.log(600.0), sigma)
    end = NORMAL.inv_cdf(1 - 1e-4)
    grid = np.linspace(-end, end, 20_001)
    density = np.exp(-(grid**2) / 2) / math.sqrt(2 * math.pi)
    inside = np.trapezoid(density * np.exp(truth.mean + sigma * grid), grid)
    ends = 1e-4 * (math.exp(truth.mean - sigma * end) + math.exp(truth.mean + sigma * end))
    numbers = {"mean": float(inside) + ends} | {f"p{p}": math.exp(truth.inv_cdf(p / 100)) for p in (50, 90, 99)}
    length = LengthDistribution.from_statistics(**{name: numbers[name] for name in given})
    assert length.mean == pytest.approx(numbers["mean"], rel=1e-6)
    for p in (0.01, 0.2, 0.5, 0.7, 0.9, 0.99, 0.999):
        assert length.quantile(p) == pytest.approx(math.exp(truth.inv_cdf(p)), rel=1e-3)


def test_a_constant_is_one_bin() -> None:
    length = LengthDistribution.constant(512.0)
    tokens, shares = length.bins(22)
    assert tokens.tolist() == [512.0]
    assert shares.tolist() == [1.0]
    assert length.is_constant
    assert length.mean == length.maximum == length.quantile(0.0) == length.quantile(1.0) == 512


def test_few_lengths_are_given_as_they_are() -> None:
    length = LengthDistribution.histogram([4000.0, 100.0, 100.0], [0.2, 0.5, 0.3])
    tokens, shares = length.bins(4)
    assert tokens.tolist() == [100.0, 4000.0]
    assert shares == pytest.approx([0.8, 0.2])
    assert length.quantile(0.8) == 100.0
    assert length.quantile(0.81) == 4000.0
    assert length.mean == pytest.approx(880.0)


def test_bins_are_the_same_every_time() -> None:
    one, other = (LengthDistribution.from_statistics(mean=512.0, p99=1500.0) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert all((a == b).all() for a, b in zip(one.bins(22), other.bins(22), strict=True))


@pytest.mark.parametrize(
    ("given", "part", "what"),
    [
        ({"p50": 300.0, "p99": 200.0}, "p50", "p50 is greater than p99"),
        ({"mean": 300.0, "p90": 500.0, "p99": 400.0}, "p90", "p90 is greater than p99"),
        ({"mean": 300.0}, None, "do not determine"),
        ({"p50": 300.0}, None, "do not determine"),
        ({"p90": 300.0, "p99": 400.0}, None, "do not determine"),
        ({"mean": 300.0, "p50": 400.0}, "mean", "this mean"),
        ({"mean": 9000.0, "p50": 400.0, "p99": 500.0}, "mean", "this mean"),
        ({"mean": 0.5, "p50": 400.0}, "mean", "not a possible length"),
        ({"mean": math.nan, "p50": 400.0}, "mean", "not a possible length"),
    ],
)
def test_impossible_numbers_are_refused(given: dict[str, float], part: str | None, what: str) -> None:
    with pytest.raises(LengthError) as error:
        LengthDistribution.from_statistics(**given)
    assert error.value.part == part
    assert what in error.value.what


def test_the_message_gives_the_attainable_means() -> None:
    with pytest.raises(LengthError) as error:
        LengthDistribution.from_statistics(mean=9000.0, p50=400.0, p99=500.0)
    low, high = (float(word.replace(",", "")) for word in (error.value.allowed or "").split() if word[0].isdigit())
    for mean in (low, high):
        assert LengthDistribution.from_statistics(mean=mean, p50=400.0, p99=500.0).mean == mean
    for mean in (low - 2, high + 2):
        with pytest.raises(LengthError):
            LengthDistribution.from_statistics(mean=mean, p50=400.0, p99=500.0)


@pytest.mark.parametrize(
    ("tokens", "shares"),
    [([], []), ([100.0], [0.9]), ([100.0, 200.0], [1.1, -0.1]), ([0.0], [1.0]), ([100.0], [math.nan])],
)
def test_impossible_histograms_are_refused(tokens: list[float], shares: list[float]) -> None:
    with pytest.raises(LengthError):
        LengthDistribution.histogram(tokens, shares)


def test_wrong_arguments_are_bugs() -> None:
    length = LengthDistribution.constant(512.0)
    for p in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="probability"):
            length.quantile(p)
    with pytest.raises(ValueError, match="at least 4"):
        length.bins(3)


@pytest.mark.parametrize(
    "lengths",
    [
        LengthDistribution.constant(512),
        LengthDistribution.from_statistics(mean=800, p50=400, p99=6000),
        LengthDistribution.histogram([16, 100, 900], [0.25, 0.25, 0.5]),
    ],
)
def test_drawn_lengths_follow_the_curve(lengths: LengthDistribution) -> None:
    drawn = lengths.draw(np.random.default_rng(4), 200_000)
    assert drawn.mean() == pytest.approx(lengths.mean, rel=0.01)
    for p in (0.1, 0.4, 0.6, 0.9, 0.99):
        assert np.quantile(drawn, p) == pytest.approx(lengths.quantile(p), rel=0.03, abs=0.5)
    assert drawn.max() <= lengths.maximum
