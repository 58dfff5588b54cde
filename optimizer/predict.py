"""Designs that exist, a row each: what they should do, with an interval.

The cases come as CSV with the columns of the user guide. A row that cannot be predicted gets its status and reason and
empty numbers, never a default; unknown columns pass through; row order and count are kept.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class PredictStatus(StrEnum):
    """What became of a case."""

    OK = "ok"
    DOES_NOT_FIT = "does_not_fit"
    UNSUPPORTED = "unsupported"


REQUIRED_COLUMNS = ("case_id", "model", "accelerator", "accelerators", "engine", "prompt_tokens", "output_tokens")
METRICS = (
    "ttft_mean_s",
    "ttft_p50_s",
    "ttft_p99_s",
    "tpot_mean_s",
    "tpot_p99_s",
    "e2e_mean_s",
    "output_tokens_per_s",
    "output_tokens_per_s_per_accelerator",
    "memory_bytes_per_accelerator",
)
