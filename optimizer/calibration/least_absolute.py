"""Factors that fit runs with the least absolute errors, so that one odd run among many moves nothing.

With r the logarithm of measured/predicted of a run under the factors, minimised is

    Σ √(r² + ε²)/s + ½·Σ (ln factor/τ)²

s, the error of a run, and τ, the prior's deviation of each factor, say how many runs it takes to move one. The minimum
is found by reweighted least squares on derivatives of the prediction: nothing is random.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from optimizer.arithmetic.arrays import Floats

# Scale of a run's error (a Laplace law): what identical configurations differ by between releases, and our law beside.
RUN_ERROR = 0.2
# Errors below this are rounded off in the objective, so that it has a derivative.
ROUNDED_ERROR = 0.02
_ROUNDS = 20
_SETTLED = 1e-4


def least_absolute(
    residuals: Callable[[Floats], Floats], slopes: Callable[[Floats, Floats], Floats], prior: Floats
) -> Floats:
    """Logarithms of the factors that minimise the objective, (factors,), by steps that are halved until they help.

    Args:
        residuals: of the factors' logarithms, (runs,); factors with a residual of NaN are never taken.
        slopes: derivatives of the predicted logarithms, (runs, factors), at logarithms with these residuals.
        prior: τ of each factor, (factors,).

    """

    def objective(logs: Floats, left: Floats) -> float:
        return float(np.sqrt(left**2 + ROUNDED_ERROR**2).sum() / RUN_ERROR + 0.5 * ((logs / prior) ** 2).sum())

    logs = np.zeros(len(prior))
    left = residuals(logs)
    value = objective(logs, left)
    for _ in range(_ROUNDS):
        slope = slopes(logs, left)
        if not np.isfinite(slope).all():
            break
        weight = 1.0 / (RUN_ERROR * np.sqrt(left**2 + ROUNDED_ERROR**2))
        curvature = slope.T @ (weight[:, None] * slope) + np.diag(prior**-2.0)
        step = np.linalg.solve(curvature, slope.T @ (weight * left) - logs / prior**2)
        for _ in range(5):
            moved = residuals(logs + step)
            better = objective(logs + step, moved)
            if better < value:
                break
            step = step / 2.0
        else:
            break
        settled = value - better < _SETTLED
        logs, left, value = logs + step, moved, better
        if settled:
            break
    return logs
