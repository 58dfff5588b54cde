import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.traffic.workload_bins import OUTPUT_BINS, PROMPT_BINS, WorkloadBins, bin_workload, constant_lengths
from requirements_specs.lengths import LengthDistribution
from requirements_specs.workload import Workload

lengths = st.lists(st.integers(1, 4000), min_size=1, max_size=6, unique=True).map(sorted)


def shares_of(count: int, seed: int) -> np.ndarray:
    shares = np.random.default_rng(seed).uniform(0.1, 1.0, count)
    return shares / shares.sum()


def make_bins(prompt: list[int], output: list[int], seed: int = 1, hit: float = 0.0) -> WorkloadBins:
    return WorkloadBins(
        np.array([prompt], dtype=float),
        shares_of(len(prompt), seed),
        np.full((1, 1), hit),
        np.array([output], dtype=float),
        shares_of(len(output), seed + 1),
    )


@given(lengths, lengths, st.integers(0, 1000))
def test_moments_of_the_context_match_an_integral_over_every_request(
    prompt: list[int], output: list[int], seed: int
) -> None:
    """A request with output o is seen decoding with weight o, at an age uniform on [0, o]."""
    bins = make_bins(prompt, output, seed)
    mean = second = weight = 0.0
    for s, p in zip(prompt, bins.prompt_share, strict=True):
        for o, q in zip(output, bins.output_share, strict=True):
            weight += p * q * o
            mean += p * q * (s * o + o**2 / 2)
            second += p * q * ((s + o) ** 3 - s**3) / 3
    mean, second = mean / weight, second / weight
    assert bins.mean_context[0] == pytest.approx(mean, rel=1e-12)
    assert bins.context_deviation[0] == pytest.approx(np.sqrt(second - mean**2), rel=1e-6, abs=1e-6)
    assert bins.mean_output[0] == pytest.approx(weight, rel=1e-12)
    assert bins.longest_request[0] == max(prompt) + max(output)


def test_the_context_seen_at_random_times_is_that_of_a_simulation() -> None:
    """Requests run for `output` steps each; a random step of a random busy slot is looked at."""
    bins = make_bins([100, 900], [10, 50, 700], seed=3)
    random = np.random.default_rng(5)
    requests = 40_000
    prompt = random.choice(bins.prompt_tokens[0], requests, p=bins.prompt_share)
    output = random.choice(bins.output_tokens[0], requests, p=bins.output_share).astype(int)
    ends = np.cumsum(output)
    looked_at = random.integers(0, ends[-1], 200_000)
    request = np.searchsorted(ends, looked_at, side="right")
    context = prompt[request] + (looked_at - (ends - output)[request]) + 0.5
    assert bins.mean_context[0] == pytest.approx(context.mean(), rel=0.01)
    assert bins.context_deviation[0] == pytest.approx(context.std(), rel=0.01)


def test_one_constant_length() -> None:
    bins = constant_lengths(np.array([1000.0, 10.0]), np.array([200.0, 1.0]), np.array([0.25, 0.0]))
    np.testing.assert_allclose(bins.new_tokens[:, 0], [750.0, 10.0])
    np.testing.assert_allclose(bins.mean_context, [1100.0, 10.5])
    np.testing.assert_allclose(bins.context_deviation, [200.0 / np.sqrt(12.0), 1.0 / np.sqrt(12.0)], rtol=1e-6)
    np.testing.assert_allclose(bins.longest_request, [1200.0, 11.0])


def test_the_last_prompt_token_is_computed_even_if_the_prefix_cache_holds_the_rest() -> None:
    bins = make_bins([1, 5], [7], hit=0.99)
    np.testing.assert_array_equal(bins.new_tokens, [[1.0, 1.0]])


def test_quantiles_count_whole_bins() -> None:
    bins = WorkloadBins(
        np.array([[1.0, 2.0, 3.0]]),
        np.array([0.9, 0.09, 0.01]),
        np.zeros((1, 1)),
        np.array([[10.0, 20.0, 30.0]]),
        np.array([0.5, 0.4, 0.1]),
    )
    quantiles = {0.5: 10.0, 0.51: 20.0, 0.9: 20.0, 0.95: 30.0, 0.99: 30.0}
    assert {p: float(bins.output_quantile(p)[0]) for p in quantiles} == quantiles
    assert [bins.prompt_quantile_bin(p) for p in (0.5, 0.9, 0.95, 0.99, 0.995)] == [0, 0, 1, 1, 2]


def test_a_workload_keeps_its_means_and_longest_requests() -> None:
    workload = Workload(
        request_rate_per_s=3.0,
        prompt_tokens=LengthDistribution.from_statistics(mean=700.0, p50=400.0, p99=5000.0),
        output_tokens=LengthDistribution.from_statistics(mean=250.0, p50=180.0, p90=600.0),
        prefix_cache_hit=0.5,
    )
    bins = bin_workload(workload)
    assert bins.prompt_tokens.shape == (1, PROMPT_BINS)
    assert bins.output_tokens.shape == (1, OUTPUT_BINS)
    assert bins.mean_prompt[0] == pytest.approx(700.0, rel=1e-9)
    assert bins.mean_new_tokens[0] == pytest.approx(350.0, rel=1e-9)
    assert bins.mean_output[0] == pytest.approx(250.0, rel=1e-9)
    longest = workload.prompt_tokens.quantile(1.0) + workload.output_tokens.quantile(1.0)
    assert bins.longest_request[0] == pytest.approx(longest, rel=1e-9)
