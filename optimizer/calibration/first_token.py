"""What the first tokens of a few runs say: how long each of the things takes that a first token waits for.

A few clients wait for the host, many for the burst of the start, long prompts for their own prefill. One factor on all
of it would follow whichever the runs are mostly about, so each has its own, near a common one. They are kept only if
they hold for runs that are left out of the fit; otherwise first tokens stay as they are predicted without a
correction. One run, which nothing checks, moves them by half.
"""

from __future__ import annotations

import numpy as np

from catalog.corrections import FirstTokenFactors
from optimizer.arithmetic.arrays import Floats
from optimizer.calibration.least_absolute import least_absolute
from optimizer.calibration.left_out import holds

# Deviations of the logarithms of the common factor and of each one's own before any run: known to a factor e.
PRIOR_DEVIATION = 1.0
PRIOR_RUNS = 1.0
_FACTORS = len(FirstTokenFactors.model_fields)


def fit_first_token(measured: Floats, uncorrected: Floats, parts: Floats) -> FirstTokenFactors | None:
    """The factors of a first token, None where they do not hold for runs that are left out.

    Args:
        measured: logarithms of the mean TTFT, (runs,).
        uncorrected: logarithms of what is predicted without factors of the first token, (runs,).
        parts: seconds that each factor multiplies, then the rest, (runs, 4).

    """
    runs = len(measured)
    if runs > 1:
        others = ~np.eye(runs, dtype=np.bool_)
        fits = [_fit(measured[kept], parts[kept]) for kept in others]
        left_out = np.array([_predicted(logs, parts[run : run + 1])[0] for run, logs in enumerate(fits)])
        if not holds(measured, uncorrected, left_out):
            return None
    fixed, own_prefill, burst = np.exp(_fit(measured, parts)).tolist()
    return FirstTokenFactors(fixed=fixed, own_prefill=own_prefill, burst=burst)


def _fit(measured: Floats, parts: Floats) -> Floats:
    """Logarithms of the factors, (3,)."""

    def of_each(logs: Floats) -> Floats:
        each: Floats = logs[0] + logs[1:]
        return each

    def residuals(logs: Floats) -> Floats:
        return measured - _predicted(of_each(logs), parts)

    def slopes(logs: Floats, left: Floats) -> Floats:
        shares = parts[:, :_FACTORS] * np.exp(of_each(logs)) / np.exp(measured - left)[:, None]
        return np.column_stack([shares.sum(axis=1), shares])

    common_and_own = least_absolute(residuals, slopes, np.full(1 + _FACTORS, PRIOR_DEVIATION))
    return of_each(common_and_own) * (len(measured) / (len(measured) + PRIOR_RUNS))


def _predicted(logs: Floats, parts: Floats) -> Floats:
    """Logarithms of TTFT under factors, (runs,)."""
    found: Floats = np.log(parts @ np.append(np.exp(logs), 1.0))
    return found
