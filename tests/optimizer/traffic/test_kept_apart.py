"""How soon one arrival follows another: against Erlang streams, whose densities are known."""

import numpy as np
import pytest

from optimizer.traffic.kept_apart import LEAST_DISPERSION, followers, harmonic, hazard

RATE = np.array([2.0])
AGES = np.linspace(0.0, 5.0, 101)[None, :]


def erlang_density(k: int, expected: np.ndarray) -> np.ndarray:
    """Renewal density over the rate of every k-th of Poisson arrivals, at λt: a sum over the k-th roots of one."""
    roots = np.exp(2j * np.pi * np.arange(k) / k)
    terms = roots[:, None] * np.exp(-k * expected * (1.0 - roots)[:, None])
    return np.asarray(terms.sum(axis=0).real)


def test_poisson_arrivals_and_bursts_keep_nothing_apart() -> None:
    for dispersion in (1.0, 4.0):
        each = np.array([dispersion])
        assert np.all(hazard(RATE, each, AGES) == 1.0)
        np.testing.assert_allclose(followers(RATE, each, AGES), RATE * AGES, rtol=1e-12)


def test_every_second_arrival_is_exact() -> None:
    np.testing.assert_allclose(hazard(RATE, np.array([0.5]), AGES)[0], erlang_density(2, 2.0 * AGES[0]), atol=1e-3)


@pytest.mark.parametrize("k", [3, 4, 8])
def test_others_are_near_and_have_as_many_missing(k: int) -> None:
    expected = np.linspace(0.0, 12.0, 20_001)
    found = hazard(np.ones(1), np.array([1.0 / k]), expected[None, :])[0]
    off = np.cumsum(found - erlang_density(k, expected)) * expected[1]
    assert np.abs(off).max() < 0.1  # of a request, however long the time
    missing = float(np.trapezoid(1.0 - found, expected))
    assert missing == pytest.approx((1.0 - 1.0 / k) / 2.0, rel=2e-3)
    assert found[expected < 0.05].max() < 0.1


def test_the_longer_ago_the_more_and_the_less_apart_the_more_at_once() -> None:
    dispersions = np.array([LEAST_DISPERSION, 0.05, 0.25, 0.5, 0.9, 1.0])
    found = hazard(np.full(6, 2.0), dispersions, np.repeat(AGES, 6, axis=0))
    assert np.all(np.diff(found, axis=1) >= 0.0)
    assert np.all(np.diff(found[:, 4]) > 0.0)
    assert hazard(RATE, np.zeros(1), AGES).max() <= 1.0


def test_followers_are_the_sum_of_the_hazard() -> None:
    ages = np.array([[0.05, 0.2, 0.5]])
    fine = np.linspace(0.0, 1.0, 4001)
    for dispersion in (0.5, 0.25):
        each = np.array([dispersion])
        finely = [hazard(RATE, each, age * fine[None, :])[0] for age in ages[0]]
        exact = [RATE[0] * np.trapezoid(soon, age * fine) for soon, age in zip(finely, ages[0], strict=True)]
        np.testing.assert_allclose(followers(RATE, each, ages)[0], exact, rtol=5e-3)


def test_harmonic_numbers() -> None:
    whole = np.array([0.0, 1.0, 2.0, 3.0, 9.0, 99.0])
    exact = [sum(1.0 / j for j in range(1, int(n) + 1)) for n in whole]
    np.testing.assert_allclose(harmonic(whole), exact, rtol=2e-3, atol=1e-12)
