import tracemalloc
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from requirements_specs.errors import ValueProblem
from requirements_specs.traces.facts import (
    FEWEST_BINS,
    TraceFacts,
    busiest_window,
    correlation,
    counts,
    facts_of,
    index_of_dispersion,
    lengths,
)
from requirements_specs.traces.trace import Trace
from tests.requirements_specs.traces.writers import poisson

# Multiples of 1/1024 s: sums and powers of two of them are exact.
times = st.lists(st.integers(0, 2**20), min_size=2, max_size=60, unique=True).map(
    lambda ticks: np.array(sorted(ticks)) / 1024.0
)
tokens = st.lists(st.integers(1, 50_000), min_size=1, max_size=200).map(lambda each: np.array(each, dtype=np.int32))


def trace_of(arrival_s: np.ndarray, prompt: np.ndarray | None = None, output: np.ndarray | None = None) -> Trace:
    ones = np.ones(len(arrival_s), dtype=np.int32)
    return Trace(arrival_s, ones if prompt is None else prompt, ones if output is None else output)


@given(times, st.integers(1, 2**20), st.sampled_from([0.25, 2.0, 8.0]))
def test_time_that_runs_slower_scales_every_rate(arrival_s: np.ndarray, ticks: int, factor: float) -> None:
    window_s = ticks / 1024.0
    window = busiest_window(arrival_s, window_s)
    slower = busiest_window(arrival_s * factor, window_s * factor)
    assert (slower.first, slower.requests) == (window.first, window.requests)
    assert slower.rate_per_s == window.rate_per_s / factor
    assert slower.start_s == window.start_s * factor


@given(times, st.integers(1, 2**20))
def test_no_window_holds_more_than_the_busiest(arrival_s: np.ndarray, ticks: int) -> None:
    length_s = ticks / 1024.0
    window = busiest_window(arrival_s, length_s)
    inside = [int(np.sum((arrival_s >= start) & (arrival_s < start + length_s))) for start in arrival_s]
    assert window.requests == max(inside)
    assert window.first == inside.index(max(inside))
    part = window.of(trace_of(arrival_s)).arrival_s
    assert part.tolist() == [each for each in arrival_s if window.start_s <= each < window.start_s + length_s]


@given(times, st.integers(2**12, 2**18))
def test_counts_and_dispersion_are_those_of_the_bins(arrival_s: np.ndarray, ticks: int) -> None:
    bin_s, start_s, end_s = ticks / 1024.0, float(arrival_s[0]), float(arrival_s[-1])
    bins = int((end_s - start_s) // bin_s)
    expected = [
        int(np.sum((arrival_s >= start_s + i * bin_s) & (arrival_s < start_s + (i + 1) * bin_s))) for i in range(bins)
    ]
    assert counts(arrival_s, bin_s, start_s, end_s).tolist() == expected
    found = index_of_dispersion(arrival_s, bin_s, start_s, end_s)
    if bins < FEWEST_BINS:
        assert found is None
    else:
        assert found == pytest.approx(np.var(expected, ddof=1) / np.mean(expected))


SEED = 20261127


@pytest.mark.parametrize("scale_s", [1.0, 10.0])
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_batches_at_poisson_times_have_their_size_as_dispersion(batch: int, scale_s: float) -> None:
    """With N bins the index of one batch is 1 ± √(2/N) (and a little for few requests a bin): six deviations."""
    length_s = 20_000.0
    arrival_s = np.repeat(np.array(poisson(2.0, length_s, Random(SEED))), batch)
    index = index_of_dispersion(arrival_s, scale_s, 0.0, length_s)
    deviation = np.sqrt((2.0 + 1.0 / (2.0 * scale_s)) / (length_s / scale_s))
    assert index == pytest.approx(batch, rel=6 * deviation)


def test_a_rate_that_moves_is_seen_at_the_long_scale() -> None:
    random = Random(SEED)
    arrival_s = np.array([60.0 * minute + each for minute in range(0, 60, 2) for each in poisson(4.0, 60.0, random)])
    by_scale = [index_of_dispersion(arrival_s, scale, 0.0, 3600.0) for scale in (1.0, 10.0, 60.0)]
    assert all(index is not None for index in by_scale)
    assert by_scale[0] < by_scale[1] < by_scale[2]  # type: ignore[operator]
    assert by_scale[2] > 60


def test_empty_bins_take_no_memory() -> None:
    arrival_s = np.array([0.0, 1e10])
    tracemalloc.start()
    index = index_of_dispersion(arrival_s, 1.0, 0.0, 1e10)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert index == pytest.approx(1.0)
    assert peak < 1e5


@given(tokens)
def test_lengths_have_the_mean_and_the_quantiles_of_the_sample(sample: np.ndarray) -> None:
    distribution = lengths(sample)
    assert distribution.mean == pytest.approx(float(sample.mean()), rel=1e-12)
    assert distribution.maximum == sample.max()
    ordered = np.sort(sample)
    for rank in range(len(ordered)):
        assert distribution.quantile((rank + 0.5) / len(ordered)) == ordered[rank]
    bins, shares = distribution.bins(16)
    assert bins @ shares == pytest.approx(sample.mean(), rel=1e-9)


def test_correlation_is_pearsons() -> None:
    prompt = np.array([1, 2, 3, 4], dtype=np.int32)
    assert correlation(prompt, 10 * prompt) == pytest.approx(1.0)
    assert correlation(prompt, np.array([4, 1, 1, 4], dtype=np.int32)) == pytest.approx(0.0)
    assert correlation(prompt, np.ones(4, dtype=np.int32)) is None


def night_and_day() -> TraceFacts:
    """Ten minutes of one request a second with long prompts, then ten of two with short ones."""
    slow, fast = np.arange(600.0), 600.0 + np.arange(1200) / 2
    prompt = np.repeat(np.array([4000, 100], dtype=np.int32), [600, 1200])
    return facts_of(trace_of(np.concatenate([slow, fast]), prompt))


def test_the_facts_are_those_of_the_busiest_window() -> None:
    facts = night_and_day()
    assert (facts.busiest.start_s, facts.busiest.length_s, facts.busiest.requests) == (600.0, 600.0, 1200)
    assert facts.busiest.rate_per_s == 2.0
    assert facts.prompt_tokens.is_constant
    assert facts.prompt_tokens.mean == 100
    assert facts.windows.tolist() == [600]  # the last one is not whole: nothing arrives at its end
    assert facts.dispersion == {1.0: 0.0, 10.0: 0.0, 60.0: None}


def test_times_that_are_rounded_say_nothing_of_less() -> None:
    facts = facts_of(trace_of(np.repeat(3.0 * np.arange(400.0), 2)))
    assert facts.dispersion[1.0] is None
    assert facts.dispersion[10.0] is not None


def test_a_short_trace_is_one_window() -> None:
    facts = facts_of(trace_of(np.arange(50.0)))
    assert facts.busiest.length_s == 49.0
    assert facts.busiest.rate_per_s == pytest.approx(1.0)


def test_half_a_year_has_windows_of_ten_minutes() -> None:
    facts = facts_of(trace_of(np.linspace(0.0, 183 * 86400.0, 1001)))
    assert facts.busiest.length_s == 600.0
    assert len(facts.windows) == 183 * 144


@pytest.mark.parametrize("window_s", [1e-5, 49.5, 1e9])
def test_a_window_that_the_trace_does_not_have_is_refused(window_s: float) -> None:
    with pytest.raises(ValueProblem, match=r"no window of this trace.*49 us to 49 s"):
        facts_of(trace_of(np.arange(50.0)), window_s)
