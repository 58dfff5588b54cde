"""The work that prompts bring, against sampled batches, and between its limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.traffic.prompt_stream import NEAR, PromptStream, prompt_stream

SHARE = np.array([0.7, 0.2, 0.1])
WORK_S = np.array([[0.01, 0.05, 0.4]])
RATE_PER_S = 3.0


def stream_of(dispersion: float) -> PromptStream:
    return prompt_stream(np.array([RATE_PER_S]), WORK_S, np.array([dispersion]), SHARE)


def test_poisson_prompts_come_alone() -> None:
    stream = stream_of(1.0)
    assert [float(each[0]) for each in stream.moments] == pytest.approx(
        [RATE_PER_S * float((WORK_S[0] ** power * SHARE).sum()) for power in (1, 2, 3)]
    )
    assert stream.mates_moments[0][0] == 0.0
    assert stream.company[0] == 1.0


@pytest.mark.parametrize("dispersion", [2.0, 9.0])
def test_batches_are_geometric_and_bring_company(dispersion: float) -> None:
    random = np.random.default_rng(5)
    batches = 400_000
    mean = (dispersion + 1.0) / 2.0
    sizes = random.geometric(1.0 / mean, batches)
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    work = np.add.reduceat(random.choice(WORK_S[0], sizes.sum(), p=SHARE), first)
    stream = stream_of(dispersion)
    for power, moment in enumerate(stream.moments, start=1):
        assert moment[0] == pytest.approx(RATE_PER_S / mean * np.mean(work**power), rel=0.05)
    # one of a batch meets the others: batches are met by their size
    others = sizes - 1
    assert stream.mates_moments[0][0] == pytest.approx(
        np.average(others, weights=sizes) * float((WORK_S[0] * SHARE).sum()), rel=0.03
    )
    assert sizes.var() / sizes.mean() + sizes.mean() == pytest.approx(dispersion, rel=0.03)


@given(st.floats(0.0, 50.0))
def test_cumulants_are_derivatives_of_the_transform(dispersion: float) -> None:
    stream, step = stream_of(dispersion), 1e-3
    theta = np.array([[-step, step]], dtype=np.complex128)
    low, high = stream.offspring(theta)[0].real
    first, second, _ = (float(each[0]) for each in stream.moments)
    assert (high - low) / (2.0 * step) == pytest.approx(first, rel=1e-2)
    assert (high + low) / step**2 == pytest.approx(second, rel=2e-2)
    mates = stream.mates(theta)[0].real
    assert (mates[1] - mates[0]) / (2.0 * step) == pytest.approx(stream.mates_moments[0][0], rel=2e-2, abs=1e-12)


@given(st.floats(0.0, 50.0), st.floats(0.0, 50.0))
def test_more_dispersion_spreads_the_work_and_does_not_change_its_mean(one: float, other: float) -> None:
    less, more = (stream_of(each) for each in sorted((one, other)))
    assert less.moments[0][0] == pytest.approx(more.moments[0][0])
    assert less.moments[1][0] <= more.moments[1][0] * (1.0 + 1e-12)
    assert less.company[0] <= more.company[0]


def test_a_regular_stream_spreads_by_its_lengths_alone() -> None:
    """Without any dispersion of arrivals the variance is that of the lengths, λ·Var Δ."""
    variance = float((WORK_S[0] ** 2 * SHARE).sum() - (WORK_S[0] * SHARE).sum() ** 2)
    assert stream_of(0.0).moments[1][0] == pytest.approx(RATE_PER_S * variance)


@pytest.mark.parametrize("dispersion", [0.5, 1.0, 9.0])
def test_the_offspring_of_harmonics_is_that_of_each(dispersion: float) -> None:
    stream, step = stream_of(dispersion), np.array([1.3])
    theta = 1j * step[:, None] * np.arange(1, 160)
    assert stream.offspring_of_harmonics(step, 159) == pytest.approx(stream.offspring(theta), rel=1e-10, abs=1e-10)


def test_the_transform_of_short_arguments_is_that_of_its_pieces() -> None:
    """By moments where all of a row is near 0, by pieces elsewhere; rows of both kinds beside each other."""
    work_s = np.repeat(WORK_S, 3, axis=0)
    stream = prompt_stream(np.full(3, RATE_PER_S), work_s, np.ones(3), SHARE)
    unit = np.exp(1j * np.linspace(0.0, np.pi, 40))
    theta = np.array([[0.1], [NEAR / WORK_S.max()], [100.0]]) * -unit
    by_hand = RATE_PER_S * ((np.exp(theta[:, :, None] * WORK_S) * SHARE).sum(axis=2) - 1.0)
    assert np.allclose(stream.offspring(theta)[:2], by_hand[:2], rtol=1e-12, atol=1e-12)
    assert np.allclose(stream.offspring(theta)[2], by_hand[2], rtol=1e-12)
