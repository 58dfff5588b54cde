"""Four points of Gauss and Legendre on [−1, 1]: exact up to degree 7, and in closed form, so alike everywhere."""

from __future__ import annotations

import numpy as np

_INNER, _OUTER = (np.sqrt(3.0 / 7.0 + sign * 2.0 / 7.0 * np.sqrt(6.0 / 5.0)) for sign in (-1.0, 1.0))
GAUSS_NODES = np.array([-_OUTER, -_INNER, _INNER, _OUTER])
GAUSS_WEIGHTS = (18.0 + np.sqrt(30.0) * np.array([-1.0, 1.0, 1.0, -1.0])) / 36.0
