"""How long a job of waiting requests takes and what it costs.

A job of n requests on R replicas that share one queue, each at a steady rate λ while requests wait:

    duration = (n/R + 1)/λ + drain

n/R + 1 is at least ⌈n/R⌉, the share of the fullest replica, and unlike it makes cost·R affine in R: more replicas end
sooner, and never cheaper. The drain is the life of the longest request, admitted last.
"""

import numpy as np
from numpy.typing import ArrayLike

from optimizer.arithmetic.arrays import Floats, Integers
from optimizer.arithmetic.money import SECONDS_PER_HOUR

# No plan holds more, and no product below overflows: a thousand billion dollars.
_MOST_USD_MICRO = 1e18


def job_seconds(requests: ArrayLike, replicas: ArrayLike, rate_per_s: Floats, drain_s: Floats) -> Floats:
    """Seconds from the start to the last token; infinite where the rate is 0. Arguments broadcast."""
    share = np.asarray(requests, dtype=np.float64) / np.asarray(replicas, dtype=np.float64) + 1.0
    working = np.divide(
        share, rate_per_s, out=np.full(np.broadcast(share, rate_per_s).shape, np.inf), where=rate_per_s > 0
    )
    seconds: Floats = working + drain_s
    return seconds


def fewest_replicas(requests: float, window_s: float, rate_per_s: Floats, drain_s: Floats) -> Floats:
    """Real number of replicas that end a job exactly with the window; infinite where none does."""
    share = (window_s - drain_s) * rate_per_s - 1.0
    replicas: Floats = np.divide(requests, share, out=np.full(share.shape, np.inf), where=share > 0.0)
    return replicas


def useful_share(interruptions_per_s: ArrayLike, restart_s: float, redone_s: Floats) -> Floats:
    """Share of its time that a replica makes progress when it is interrupted at random, never below 0.

    Each interruption costs the restart and the work on the requests in flight, which are done anew. With a rate ν a
    share ν·(restart + redone) is lost. The renewal process keeps (1 − ν·redone)/(1 + ν·restart), which is never less:
    the first-order form errs to the safe side, and falls with the rate.
    """
    lost = np.asarray(interruptions_per_s, dtype=np.float64) * (restart_s + redone_s)
    return np.maximum(1.0 - lost, 0.0)


def job_usd_micro(usd_micro_per_hour: Integers, seconds: Floats) -> Integers:
    """Micro-dollars of instances that are paid by the second while the job runs, rounded up."""
    exact = usd_micro_per_hour * seconds / SECONDS_PER_HOUR
    return np.ceil(np.minimum(exact, _MOST_USD_MICRO)).astype(np.int64)
