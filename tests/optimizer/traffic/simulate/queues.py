"""Queues with a known law, as replicas, and the laws."""

from __future__ import annotations

from math import exp, factorial

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic.simulate import EngineLimits, PipelineSteps, Requests, Router, serve

Floats = NDArray[np.float64]

AMPLE = 10**9
SERVICE_TOKENS = 10_000  # prompt tokens of one second


def one_server_waits(rate: float, services: Floats, shares: Floats, count: int, seed: int) -> Floats:
    """Waits of a replica with one slot and one output token, whose step takes as long as the prompt says."""
    random = np.random.default_rng(seed)
    service_s = random.choice(services, count, p=shares)
    tokens = np.rint(service_s * SERVICE_TOKENS).astype(np.int64)
    arrival_s = np.cumsum(random.exponential(1.0 / rate, count))
    longest = 10.0 * services.max()
    steps = PipelineSteps(
        decode_s=np.zeros(2),
        new_tokens=np.array([0.0, longest * SERVICE_TOKENS]),
        alone_s=np.array([[0.0, longest], [0.0, longest]]),
        beside_s=np.array([0.0, longest]),
        further_chunk_s=0.0,
    )
    requests = Requests(arrival_s, tokens, tokens, np.ones(count, dtype=np.int64))
    served = serve(steps, EngineLimits(AMPLE, 1, AMPLE, 16), 1, requests, Router.ROUND_ROBIN, np.inf)
    np.testing.assert_array_equal(served.first_s, served.end_s)
    return served.end_s - arrival_s - service_s


def wait_law(rate: float, services: Floats, shares: Floats, probability: float) -> tuple[float, float]:
    """Mean and percentile of the wait in M/G/1: a geometric number of residual services, on a fine lattice."""
    mean = float((services * shares).sum())
    load = rate * mean
    cells, cell_s = 2**16, services.max() / 1000.0
    ends = np.arange(cells + 1) * cell_s
    below = (shares * np.minimum(ends[:, None], services)).sum(axis=1) / mean
    law = np.fft.ifft((1.0 - load) / (1.0 - load * np.fft.fft(np.diff(below)))).real
    percentile = (np.searchsorted(np.cumsum(law), probability) + 0.5) * cell_s
    return rate * float((services**2 * shares).sum()) / (2.0 * (1.0 - load)), percentile


def many_servers_stays(rate: float, slots: int, mean_output: float, step_s: float, count: int, seed: int) -> Floats:
    """Stays in a replica with some slots, geometric outputs and a constant step."""
    random = np.random.default_rng(seed)
    output = random.geometric(1.0 / mean_output, count)
    arrival_s = np.cumsum(random.exponential(1.0 / rate, count))
    nothing = np.zeros((slots + 1, 2))
    steps = PipelineSteps(np.full(slots + 1, step_s), np.array([1.0, 2.0]), nothing, np.zeros(2), 0.0)
    one = np.ones(count, dtype=np.int64)
    served = serve(
        steps,
        EngineLimits(AMPLE, slots, AMPLE, 16),
        1,
        Requests(arrival_s, one, one, output),
        Router.ROUND_ROBIN,
        np.inf,
    )
    return served.end_s - arrival_s


def stay_law(rate: float, slots: int, service_s: float, probability: float) -> tuple[float, float]:
    """Mean and percentile of the stay in M/M/c, from Erlang's C."""
    offered = rate * service_s
    load = offered / slots
    last = offered**slots / factorial(slots) / (1.0 - load)
    waits = last / (sum(offered**k / factorial(k) for k in range(slots)) + last)
    spare = slots - 1.0 - offered

    def beyond(time_s: float) -> float:
        t = time_s / service_s
        return exp(-t) * (1.0 + waits * (1.0 - exp(-t * spare)) / spare)

    low, high = 0.0, 1000.0 * service_s
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if beyond(middle) > 1.0 - probability else (low, middle)
    return service_s + waits * service_s / (slots * (1.0 - load)), high


def errors(samples: Floats, mean: float, p99: float) -> tuple[float, float]:
    """Relative errors of the mean and of the 99th percentile; the first tenth of the samples is left out."""
    steady = samples[len(samples) // 10 :]
    return float(steady.mean() / mean - 1.0), float(np.quantile(steady, 0.99) / p99 - 1.0)
