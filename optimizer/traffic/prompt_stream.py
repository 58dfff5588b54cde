"""The work that arriving prompts bring to one pipeline: Poisson requests, batches of them, or a smoother stream.

The index of dispersion D is the variance over the mean of the number of arrivals in a long time. A router that takes R
pipelines in turn gives each every R-th arrival, and 1/R of the index of the whole (Cox and Lewis, The Statistical
Analysis of Series of Events, 1966).

D > 1: batches at Poisson times, of geometric size with mean (D + 1)/2; whoever arrives has D − 1 mates on the average.
D < 1: work comes in pieces that are smaller and as much more frequent as makes its first two moments right,
λE[Δ²] − (1 − D)·λE[Δ]²; and of those who would arrive in the same step a share D does.

Rates are per pipeline, times seconds; R candidates, J prompt bins, F frequencies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

# Up to this |θ|Δ the series of e^{θΔ} is both shorter than the sum over pieces and exact: beyond, its terms cancel.
NEAR = 6.0
# Terms of the series below rounding are left out; so near none beyond the last of these is above it.
MOST_TERMS = 60
ROUNDING = 1e-17


@dataclass(frozen=True)
class PromptStream:
    """The work that arriving prompts bring to one pipeline.

    rate_per_s (R,): pieces of work per second. work_s (R, J): of a piece, per prompt bin. batch (R,): mean pieces that
    come at once, ≥ 1. company (R,): share of those who would arrive in the step of another. share (J,).
    """

    rate_per_s: Floats
    work_s: Floats
    batch: Floats
    company: Floats
    share: Floats

    @property
    def moments(self) -> tuple[Floats, Floats, Floats]:
        """First three moments of the work that arrives, per second, (R,) each: λE[B], λE[B²], λE[B³] over batches."""
        first, second, third = ((self.work_s**power * self.share).sum(axis=1) for power in (1, 2, 3))
        more = self.batch - 1.0
        return (
            self.rate_per_s * first,
            self.rate_per_s * (second + 2.0 * more * first**2),
            self.rate_per_s * (third + 6.0 * more * first * second + 6.0 * more**2 * first**3),
        )

    def offspring(self, theta: Complexes) -> Complexes:
        """g(θ), (R, F): cumulants per second of the work that arrives."""
        return self._of_pieces(self._transform(theta))

    def offspring_of_harmonics(self, step: Floats, count: int) -> Complexes:
        """g(i·n·step) for n = 1 … count, (R, count), of steps (R,): by the powers of one wave for each bin."""
        piece = np.zeros((len(step), count), dtype=np.complex128)
        for column, probability in enumerate(self.share.tolist()):
            wave = np.exp(1j * step * self.work_s[:, column])
            piece += probability * np.cumprod(np.broadcast_to(wave[:, None], piece.shape), axis=1)
        return self._of_pieces(piece)

    def _of_pieces(self, piece: Complexes) -> Complexes:
        """g(θ), (R, F), from E e^{θ·(a piece)}."""
        batch = self.batch[:, None]
        whole = piece / (batch - (batch - 1.0) * piece)
        offspring: Complexes = (self.rate_per_s / self.batch)[:, None] * (whole - 1.0)
        return offspring

    def mates(self, theta: Complexes) -> Complexes:
        """E e^{θ·(work of those in the batch of one that arrives)}, (R, F)."""
        if (self.batch == 1.0).all():
            return np.ones_like(theta)
        batch = self.batch[:, None]
        transform: Complexes = (1.0 / (batch - (batch - 1.0) * self._transform(theta))) ** 2
        return transform

    @property
    def mates_moments(self) -> tuple[Floats, Floats]:
        """Mean and variance of the work of those in the batch of one that arrives, (R,) each."""
        first, second = ((self.work_s**power * self.share).sum(axis=1) for power in (1, 2))
        more = self.batch - 1.0
        mean = 2.0 * more * first
        return mean, 2.0 * more * (second + more * first**2)

    def _transform(self, theta: Complexes) -> Complexes:
        """E e^{θ·(a piece)}, (R, F); where |θ|·(longest piece) is small for all of a row, by its moments.

        Row by row: most arguments are generations of the recursion, and those shrink.
        """
        reach = np.abs(theta).max(axis=1) * self.work_s.max(axis=1)
        near = reach <= NEAR
        if not near.any():
            return _by_pieces(theta, self.work_s, self.share)
        if near.all():
            return _by_moments(theta, self.work_s, self.share, float(reach.max()))
        transform = np.empty_like(theta)
        transform[near] = _by_moments(theta[near], self.work_s[near], self.share, float(reach[near].max()))
        transform[~near] = _by_pieces(theta[~near], self.work_s[~near], self.share)
        return transform


def _by_pieces(theta: Complexes, work_s: Floats, share: Floats) -> Complexes:
    """E e^{θΔ}, (R, F); bin by bin: the (R, F, J) array of all would leave the cache."""
    transform = np.zeros_like(theta)
    for column, probability in enumerate(share.tolist()):
        transform += probability * np.exp(theta * work_s[:, column, None])
    return transform


def _by_moments(theta: Complexes, work_s: Floats, share: Floats, reach: float) -> Complexes:
    """E e^{θΔ} = Σ θᵏ·E[Δᵏ]/k!, (R, F), where |θ|Δ ≤ reach; as many terms as rounding leaves visible."""
    terms = np.cumprod(reach / np.arange(1.0, MOST_TERMS))
    order = 1 + int(np.count_nonzero(terms > ROUNDING))
    powers = np.cumprod(work_s[:, :, None] / np.arange(1.0, order + 1.0), axis=2)
    coefficients = np.einsum("rjk,j->kr", powers, share)[:, :, None]
    transform: Complexes = theta * coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        transform += coefficient
        transform *= theta
    transform += 1.0
    return transform


def prompt_stream(rate_per_s: Floats, work_s: Floats, dispersion: Floats, share: Floats) -> PromptStream:
    """The stream of prompts that arrive at a rate with an index of dispersion, both (R,), each with work (R, J)."""
    first, second = ((work_s**power * share).sum(axis=1) for power in (1, 2))
    spread = np.maximum(second - (1.0 - np.minimum(dispersion, 1.0)) * first**2, 1e-12 * second)
    finer = np.divide(second, spread, out=np.ones_like(second), where=second > 0.0)
    return PromptStream(
        rate_per_s=rate_per_s * finer,
        work_s=work_s / finer[:, None],
        batch=(np.maximum(dispersion, 1.0) + 1.0) / 2.0,
        company=np.minimum(dispersion, 1.0),
        share=share,
    )
