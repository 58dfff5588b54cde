"""Continuous batching seen from the requests' side, and the law of the wait written once more.

The simulation knows no transform and no size bias: requests fall at uniform times into a step, all of a step are
prefilled together in the next one, and a request's first token comes when that one ends.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from optimizer.traffic import tails
from optimizer.traffic.fluid import OperatingPoint
from optimizer.traffic.tails import FirstTokenLaw, first_token_law, own_time
from optimizer.traffic.workload_bins import WorkloadBins

Floats = NDArray[np.float64]


def first_tokens(
    rate: float, base_s: Floats, increment_s: Floats, share: Floats, *, steps: int, warm_up: int, seed: int = 17
) -> tuple[Floats, Floats]:
    """Waits and times to first token of the requests of many replicas side by side.

    `base_s` (C,) is the step of each replica without prefill; `increment_s` and `share` (J,) the prompts. The wait is
    the time to first token without the base step and the own prefill.
    """
    random = np.random.default_rng(seed)
    length = base_s / (1.0 - rate * (increment_s * share).sum())
    waits, times = [], []
    for step in range(warm_up + steps):
        replica = np.repeat(np.arange(len(base_s)), random.poisson(rate * length))
        rest = length[replica] * random.uniform(size=len(replica))
        own = random.choice(increment_s, len(replica), p=share)
        length = base_s + np.bincount(replica, weights=own, minlength=len(base_s))
        if step >= warm_up:
            time = rest + length[replica]
            times.append(time)
            waits.append(time - base_s[replica] - own)
    return np.concatenate(waits), np.concatenate(times)


def point_at(rate: Floats | float, base_s: float, increment_s: Floats, share: Floats) -> OperatingPoint:
    """An operating point with a given base step; increments (R, J)."""
    increments = np.atleast_2d(increment_s)
    rates = np.broadcast_to(np.asarray(rate, dtype=np.float64), len(increments)).copy()
    load = rates * (increments * share).sum(axis=1)
    base = np.full(len(rates), base_s)
    nothing = np.zeros(len(rates))
    return OperatingPoint(
        overloaded=nothing > 0.0,
        rate_per_s=rates,
        sequences=nothing + 1.0,
        step_s=base / (1.0 - load),
        decode_s=base,
        hold_s=base[:, None] + increments,
        added_s=increments,
        queue_s=increments,
        queue_load=load,
        budget_load=load,
        load=load,
        deviation=nothing,
        dispersion=nothing + 1.0,
    )


def law_at(
    rate: Floats | float,
    base_s: float,
    increment_s: Floats,
    share: Floats,
    *,
    crowded: float = 1.0,
    own: bool = True,
) -> FirstTokenLaw:
    """The law under test, of TTFT without host time; of the wait alone where `own` is False."""
    point = point_at(rate, base_s, increment_s, share)
    rows, prompts = point.queue_s.shape
    nothing, single = np.zeros((rows, prompts)), np.zeros((1, 1))
    bins = WorkloadBins(np.ones((1, prompts)), share, single, np.ones((1, 1)), np.ones(1))
    alone = own_time(point.hold_s, point.added_s, np.zeros(rows), np.ones(rows))
    own_s = alone if own else nothing
    return first_token_law(point, own_s, np.full(rows, crowded), bins)


def refine_series(monkeypatch: pytest.MonkeyPatch, frequencies: int) -> None:
    """Let the law under test take as many frequencies, and four positions for each."""
    monkeypatch.setattr(tails, "FREQUENCIES", frequencies)
    monkeypatch.setattr(tails, "PARTS", 4 * frequencies)


def wait_exceedance(time_s: float, rate: float, base_s: float, increment_s: Floats, share: Floats) -> float:
    """P(W > t) by the Euler summation of Abate and Whitt (1995) from the transform, iterated until it stands still."""

    def offspring(theta: complex) -> complex:
        return complex(rate * ((share * np.exp(theta * increment_s)).sum() - 1.0))

    def log_transform(theta: complex) -> complex:
        total, term = theta, theta
        while abs(term) > 1e-15 * max(abs(total), 1e-3):
            term = offspring(term)
            total += term
        return base_s * total

    mean_step = base_s / (1.0 - rate * float((share * increment_s).sum()))

    def transform(s: complex) -> complex:
        children = offspring(-s)
        law = (np.exp(log_transform(children - s)) - np.exp(log_transform(children))) / (-s * mean_step)
        return complex((1.0 - law) / s)

    discretisation, first, binomial = 18.4, 60, 12
    terms = [
        (-1.0) ** k * transform(complex(discretisation, 2.0 * k * np.pi) / (2.0 * time_s)).real
        for k in range(first + binomial + 1)
    ]
    terms[0] /= 2.0
    partial = np.cumsum(terms)[first:]
    weights = np.array([1.0])
    for _ in range(binomial):
        weights = np.convolve(weights, [0.5, 0.5])
    return float(np.exp(discretisation / 2.0) / time_s * (weights * partial).sum())
