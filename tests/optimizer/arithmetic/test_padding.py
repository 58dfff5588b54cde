from itertools import combinations

import numpy as np
import pytest

from optimizer.arithmetic.padding import padding_overhead
from requirements_specs.lengths import LengthDistribution


def test_one_bucket_pads_to_the_longest() -> None:
    lengths = LengthDistribution.from_statistics(mean=1200, p50=1000, p99=4000)
    tokens, share = lengths.bins(64)
    assert padding_overhead(tokens, share, 1) == pytest.approx(lengths.maximum / lengths.mean - 1.0, rel=1e-3)
    assert padding_overhead(np.array([512.0]), np.array([1.0]), 1) == 0.0


def test_a_bucket_for_each_length_pads_nothing_and_more_never_pad_more() -> None:
    tokens, share = LengthDistribution.from_statistics(p50=300, p99=5000).bins(32)
    overheads = [padding_overhead(tokens, share, buckets) for buckets in range(1, len(tokens) + 2)]
    assert overheads[-1] == overheads[-2] == pytest.approx(0.0, abs=1e-12)
    assert overheads == sorted(overheads, reverse=True)
    assert overheads[0] > 2 * overheads[1] > 0.0


def test_the_buckets_are_the_best_of_all_ways_to_cut() -> None:
    generator = np.random.default_rng(11)
    for _ in range(30):
        count = int(generator.integers(2, 8))
        tokens = np.sort(generator.choice(np.arange(1.0, 1000.0), count, replace=False))
        share = generator.random(count)
        share /= share.sum()
        for buckets in range(1, 5):
            padded = min(
                sum(
                    share[low:high].sum() * tokens[high - 1]
                    for low, high in zip((0, *cuts), (*cuts, count), strict=True)
                )
                for used in range(buckets)
                for cuts in combinations(range(1, count), used)
            )
            expected = padded / (tokens * share).sum() - 1.0
            assert padding_overhead(tokens, share, buckets) == pytest.approx(expected, abs=1e-12)


def test_no_bucket_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one bucket"):
        padding_overhead(np.array([1.0]), np.array([1.0]), 0)
