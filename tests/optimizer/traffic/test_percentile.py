"""Percentiles by interpolation are those of plain halving, alone or among others."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from optimizer.traffic.percentile import percentile

Floats = NDArray[np.float64]
COUNT = 200


def mixtures(rng: np.random.Generator, count: int) -> Callable[[Floats], Floats]:
    """Exceedances of laws over [1, 9]: two exponential tails that begin with a jump each, cut off at 9."""
    starts, scales = rng.uniform(1.0, 9.0, (count, 2)), 10.0 ** rng.uniform(-4.0, 1.0, (count, 2))
    share = rng.uniform(0.0, 1.0, (count, 1))

    def exceedance(values: Floats) -> Floats:
        past = values[:, None] - starts
        tails = np.where(past < 0.0, 1.0, 0.7 * np.exp(-np.maximum(past, 0.0) / scales))
        mixed: Floats = (tails * np.hstack([share, 1.0 - share])).sum(axis=1)
        return np.where(values >= 9.0, 0.0, mixed)

    return exceedance


def halved(exceedance: Callable[[Floats], Floats], probability: float, least: Floats, most: Floats) -> Floats:
    lower, upper = least, most
    for _ in range(50):
        middle = (lower + upper) / 2.0
        met = exceedance(middle) <= 1.0 - probability
        lower, upper = np.where(met, lower, middle), np.where(met, middle, upper)
    return upper


@pytest.mark.parametrize("probability", [0.05, 0.5, 0.9, 0.99])
def test_it_is_what_halving_finds(probability: float) -> None:
    exceedance = mixtures(np.random.default_rng(7), COUNT)
    least, most = np.ones(COUNT), np.full(COUNT, 9.0)
    found = percentile(exceedance, probability, least, most)
    assert found == pytest.approx(halved(exceedance, probability, least, most), abs=2e-10)
    assert (exceedance(found) <= 1.0 - probability).all()


def test_a_law_alone_has_the_percentile_that_it_has_among_others() -> None:
    together = percentile(mixtures(np.random.default_rng(7), COUNT), 0.9, np.ones(COUNT), np.full(COUNT, 9.0))
    many = mixtures(np.random.default_rng(7), COUNT)
    for row in range(0, COUNT, 20):

        def alone(value: Floats, row: int = row) -> Floats:
            return many(np.full(COUNT, value[0]))[[row]]

        assert percentile(alone, 0.9, np.ones(1), np.full(1, 9.0))[0] == together[row]


def test_a_jump_at_either_end_is_the_percentile() -> None:
    least, most = np.array([2.0, 2.0, 5.0]), np.array([7.1, 7.1, 5.0])
    beyond = np.array([0.05, 0.5, 0.0])
    assert percentile(lambda values: np.where(values < most, beyond, 0.0), 0.9, least, most).tolist() == [2.0, 7.1, 5.0]


def test_a_smooth_law_needs_half_the_exceedances_of_halving() -> None:
    calls = []

    def exceedance(values: Floats) -> Floats:
        calls.append(values)
        return np.exp(-values)

    found = percentile(exceedance, 0.99, np.zeros(1), np.full(1, 50.0))
    assert found[0] == pytest.approx(np.log(100.0), abs=1e-9)
    assert len(calls) <= 18
