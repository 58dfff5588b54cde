"""How the requests of a fleet come to each of its replicas, which a router takes in turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class FleetArrivals:
    """Requests that all R replicas share evenly: each gets every R-th, and 1/R of their dispersion.

    rate_per_s: of all together. dispersion: variance over mean of the requests in a long time, 1 for Poisson arrivals.
    """

    rate_per_s: float
    dispersion: float

    def dispersion_at(self, rate_per_s: Floats) -> Floats:
        """Index of dispersion at replicas that get `rate_per_s` (R,) each."""
        return self.dispersion * np.minimum(rate_per_s / self.rate_per_s, 1.0)

    def among(self, replicas: float | Floats) -> ReplicaArrivals:
        """The same where the number of replicas does not follow from the rate; a scalar or (R,)."""
        return ReplicaArrivals(self.dispersion / replicas)

    def take(self, rows: Integers) -> FleetArrivals:  # noqa: ARG002 (the signature of ReplicaArrivals)
        """The same: a rate tells the arrivals of any row."""
        return self


@dataclass(frozen=True)
class ReplicaArrivals:
    """Requests of one replica, with an index of dispersion that its rate does not change; a scalar or (R,)."""

    dispersion: float | Floats

    def dispersion_at(self, rate_per_s: Floats) -> Floats:
        """Index of dispersion at replicas that get `rate_per_s` (R,) each."""
        return np.broadcast_to(self.dispersion, rate_per_s.shape).astype(np.float64)

    def among(self, replicas: float | Floats) -> ReplicaArrivals:  # noqa: ARG002 (the signature of FleetArrivals)
        """The same."""
        return self

    def take(self, rows: Integers) -> ReplicaArrivals:
        """Of the given rows."""
        return self if np.ndim(self.dispersion) == 0 else ReplicaArrivals(np.asarray(self.dispersion)[rows])


POISSON = ReplicaArrivals(1.0)
"""What a replica gets if requests are dealt at random, or if it is the only one."""
