"""Arrivals that a router keeps apart: how many come soon after another.

Of every k-th of Poisson arrivals, k = 1/D with D the index of dispersion, fewer than usual follow at once, and in the
long run (1 − D)/2 are missing (Cox and Miller, The Theory of Stochastic Processes, 1965, 9.2). With λ the rate, the
arrivals at a time t after another over those at any time are taken as

    h(t) = (1 − e^{−cλt})^{k − 1},   c = 2·H(k − 1)/(1 − D), H the harmonic numbers

which has as many missing, is as empty at once as the gaps of an Erlang stream, ∝ t^{k − 1}, and is exact for k of 1
and 2. Rates are per pipeline; R candidates.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic.quadrature import GAUSS_NODES, GAUSS_WEIGHTS

Floats = NDArray[np.float64]

# As regular as of a thousand replicas taken in turn; nothing that arrives is more so.
LEAST_DISPERSION = 1e-3


def hazard(rate_per_s: Floats, dispersion: Floats, age_s: Floats) -> Floats:
    """The law h of rates and dispersions (R,) at ages (R, …); 1 where nothing keeps arrivals apart."""
    wide = (-1,) + (1,) * (age_s.ndim - 1)
    power = 1.0 / np.clip(dispersion, LEAST_DISPERSION, 1.0) - 1.0
    missing = power / (1.0 + power)
    pace = np.divide(2.0 * harmonic(power), missing, out=np.ones_like(power), where=missing > 0.0)
    met = -np.expm1(-(pace * rate_per_s).reshape(wide) * age_s)
    found: Floats = met ** power.reshape(wide)
    return found


def followers(rate_per_s: Floats, dispersion: Floats, age_s: Floats) -> Floats:
    """Mean number of arrivals within an age (R, …) of another, λ∫h; by four Gauss points."""
    mean_hazard = sum(
        weight / 2.0 * hazard(rate_per_s, dispersion, age_s * (node + 1.0) / 2.0)
        for node, weight in zip(GAUSS_NODES, GAUSS_WEIGHTS, strict=True)
    )
    found: Floats = rate_per_s.reshape((-1,) + (1,) * (age_s.ndim - 1)) * age_s * mean_hazard
    return found


def harmonic(number: Floats) -> Floats:
    """Harmonic numbers, between the whole ones too: Σ x/(j(j + x)), its end as an integral; right to a thousandth."""
    end = 3.5
    total: Floats = sum(number / (j * (j + number)) for j in (1.0, 2.0, 3.0)) + np.log1p(number / end)
    return total
