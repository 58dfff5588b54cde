"""Statistics of pooled requests, with intervals from batch means."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Consecutive parts of each seed's requests. Parts this long hardly depend on each other.
BATCHES_PER_SEED = 10
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A statistic of all requests and the ends of its 95 % interval, seconds; infinite where unfinished ones reach."""

    value: float
    low: float
    high: float


def estimate(samples: Floats, probability: float | None) -> Estimate:
    """The mean (None) or a percentile of samples (S, n) of S seeds in the order of arrival; NaN counts as absent.

    A percentile is the smallest sample that at most 1 − probability of the samples exceed. The half width is Student's
    quantile times the standard error of the same statistic over the batches, which knows that neighbours are alike.
    Zero where every sample is absent: nobody waits.
    """
    if np.isnan(samples).all():
        return Estimate(0.0, 0.0, 0.0)
    value = _statistic(samples.ravel(), probability)
    batches = [batch for seed in samples for batch in np.array_split(seed[~np.isnan(seed)], BATCHES_PER_SEED)]
    of_batches = np.array([_statistic(batch, probability) for batch in batches if len(batch)])
    if not isfinite(value):
        return Estimate(inf, float(of_batches.min()), inf)
    if not np.isfinite(of_batches).all():
        return Estimate(value, float(of_batches.min()), inf)
    if len(of_batches) < 2:
        return Estimate(value, 0.0, inf)  # one batch does not say how far another would be
    half = _student(len(of_batches) - 1) * float(of_batches.std(ddof=1)) / sqrt(len(of_batches))
    return Estimate(value, max(value - half, 0.0), value + half)


def _statistic(samples: Floats, probability: float | None) -> float:
    present = samples[~np.isnan(samples)]
    if probability is None:
        return float(present.mean())
    return float(np.quantile(present, probability, method="inverted_cdf"))


def _student(freedom: int) -> float:
    """Quantile of Student's law for a central interval, by two terms of its expansion: to 0.2 % from 9 degrees on."""
    z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2.0)
    return z + (z**3 + z) / (4.0 * freedom) + (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / (96.0 * freedom**2)
