"""Percentiles of TPOT and E2E in their first form.

TPOT percentiles are a fixed factor over the mean step; E2E percentiles add the same percentiles of the parts, which
no dependence between them can exceed by much (it is exact when slow starts and long answers come together). Both
are stated as such in every report that relies on them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from requirements_specs.requirement import Statistic

Floats = NDArray[np.float64]

# Against event simulation, per-request mean inter-token times spread little around the mean step; 1.10 covers the
# 0.9 to 0.99 quantiles of all traces but those with very short outputs.
TPOT_TAIL_FACTOR = 1.10


def tpot_factor(statistic: Statistic) -> float:
    """Ratio of a TPOT statistic to the mean step."""
    return 1.0 if statistic in (Statistic.MEAN, Statistic.P50) else TPOT_TAIL_FACTOR


def decoding_s(step_s: Floats, output_tokens: Floats, statistic: Statistic) -> Floats:
    """Time from the first to the last of `output_tokens` tokens, (R,) seconds: (output − 1)·factor·step."""
    return np.maximum(output_tokens - 1.0, 0.0) * tpot_factor(statistic) * step_s
