"""The correction that a few benchmark runs carry, for one model, part and engine.

Three kinds of factors, all near 1 unless the runs say otherwise:

- a on every step, one per weight format (they share a common part), and b on what a prompt adds to the steps of others:
  together they move TPOT, and are fitted to it;
- g on the first token, which is then fitted to TTFT.

With r the logarithm of measured/predicted TPOT of a run under the factors (and, under arrivals at a rate, of its TTFT
too, for there the steps make the queue), minimised is

    Σ √(r² + ε²)/s + ½·Σ (ln factor/τ)²

absolute errors, so that one odd run among many moves nothing; s, the error of a run, and τ, the prior's deviation of
each factor, say how many runs it takes to move one. The minimum is found by reweighted least squares on derivatives of
the evaluation itself: nothing is random, and the load may be of any kind. g is the median of what TTFT is off, a prior
of one run at 1 included; it stays 1 unless it lowers the median error of a run that is left out by a tenth.

What is left of the error gives the interval, a prior of four runs at the law's own spread included; every factor that
was fitted uses up one run, so that runs as few as the factors never narrow it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from catalog.corrections import corrected_engine
from catalog.engines import Engine
from catalog.read import Snapshot
from optimizer.arithmetic.arrays import Floats
from optimizer.predict.cases import Case, Clients
from optimizer.predict.evaluation import evaluate_cases

# Scale of a run's error (a Laplace law): what identical configurations differ by between releases, and our law beside.
RUN_ERROR = 0.2
# Deviation of the logarithm of the prefill factor before any run: prefill is known to a factor e.
PREFILL_DEVIATION = 1.0
# Errors below this are rounded off in the objective, so that it has a derivative.
ROUNDED_ERROR = 0.02
PRIOR_RUNS_OF_FIRST_TOKEN = 1.0
LEAST_GAIN_OF_FIRST_TOKEN = 0.1
PRIOR_RUNS_OF_SPREAD = 4.0
_DIFFERENCE = 0.02
_ROUNDS = 20
_SETTLED = 1e-4


@dataclass(frozen=True)
class Observation:
    """A run as a case of `predict`, with the means that were measured, seconds."""

    source: str
    case: Case
    tpot_s: float
    ttft_s: float


@dataclass(frozen=True)
class Factors:
    """Multiples of every step by weight format, of what a prompt adds, and of the first token."""

    step: Mapping[str, float]
    prefill: float
    first_token: float


@dataclass(frozen=True)
class Fitted:
    """Factors, and the standard deviation of the logarithm of a step time that they leave."""

    factors: Factors
    step_deviation: float


def fit(observations: Sequence[Observation], snapshot: Snapshot, prior_deviation: float) -> Fitted:
    """Fit runs of one model, part and engine under one kind of load; each must be predicted.

    Args:
        observations: the runs, at least one.
        snapshot: the catalog, without corrections.
        prior_deviation: standard deviation of the logarithm of the uncorrected step time.

    """
    cases = [each.case for each in observations]
    weights = [case.row.weights.id for case in cases]
    formats = sorted(set(weights))
    member = np.array([[name == mine for name in formats] for mine in weights], dtype=np.float64)
    measured_tpot = np.log([each.tpot_s for each in observations])
    measured_ttft = np.log([each.ttft_s for each in observations])
    # the common step, the prefill, then each format's own part of the step where there are several
    own = len(formats) if len(formats) > 1 else 0
    prior = np.array([prior_deviation, PREFILL_DEVIATION, *[prior_deviation] * own])

    def factors_at(logs: Floats, first_token: float = 0.0) -> Factors:
        steps = [logs[0] + (logs[2 + position] if own else 0.0) for position in range(len(formats))]
        step = {name: math.exp(value) for name, value in zip(formats, steps, strict=True)}
        return Factors(step, math.exp(logs[1]), math.exp(first_token))

    queues = not isinstance(cases[0].load, Clients)

    def residuals(logs: Floats) -> Floats:
        """Of TPOT, (runs,), and of TTFT after them where steps make a queue."""
        tpot, ttft = predicted_logs(cases, factors_at(logs), snapshot)
        off = measured_tpot - tpot
        return np.concatenate([off, measured_ttft - ttft]) if queues else off

    def slopes(logs: Floats, at: Floats) -> Floats:
        """Derivatives of the predicted logarithms, (residuals, factors); a format's own step moves only its runs."""
        moved = [at - residuals(logs + _DIFFERENCE * np.eye(len(logs))[factor]) for factor in (0, 1)]
        step, prefill = (change / _DIFFERENCE for change in moved)
        of_format = np.tile(member, (len(at) // len(cases), 1))
        return np.column_stack([step, prefill, *([step[:, None] * of_format] if own else [])])

    logs = _least_absolute(residuals, slopes, prior)
    tpot, ttft = predicted_logs(cases, factors_at(logs), snapshot)
    left = measured_tpot - tpot
    first_token = _first_token(measured_ttft - ttft)
    fitted = len(formats) + 1
    spread = PRIOR_RUNS_OF_SPREAD * prior_deviation**2 + float((left**2).sum())
    runs = PRIOR_RUNS_OF_SPREAD + max(len(cases) - fitted, 0)
    return Fitted(factors_at(logs, first_token), math.sqrt(spread / runs))


def predicted_logs(cases: Sequence[Case], factors: Factors, snapshot: Snapshot) -> tuple[Floats, Floats]:
    """Logarithms of the mean TPOT and TTFT of cases of one model and kind of load under factors, (R,) each.

    NaN where the factors make a case overloaded.
    """
    corrected = [replace(case, row=replace(case.row, engine=_engine(case, factors))) for case in cases]
    found = evaluate_cases(corrected, snapshot, 0.0)
    tpot, ttft = np.log(found.figures.tpot_mean_s), np.log(found.figures.ttft_mean_s)
    return np.where(found.steady, tpot, np.nan), np.where(found.steady, ttft, np.nan)


def _engine(case: Case, factors: Factors) -> Engine:
    """The engine of a case under factors; as it is where the case's format has none."""
    step = factors.step.get(case.row.weights.id)
    engine = case.row.engine
    return engine if step is None else corrected_engine(engine, step, factors.prefill, factors.first_token)


def _least_absolute(
    residuals: Callable[[Floats], Floats], slopes: Callable[[Floats, Floats], Floats], prior: Floats
) -> Floats:
    """Logarithms of the factors that minimise the objective, by least-squares steps, each halved until it helps.

    Factors under which a run that was measured would be overloaded have no residual (NaN) and are never taken.
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


def _first_token(off: Floats) -> float:
    """Logarithm of the first-token factor from the logarithms that TTFT is off, (runs,)."""
    runs = len(off)
    if runs > 1:
        others = np.array([np.median(np.delete(off, run)) for run in range(runs)])
        if np.median(np.abs(off - others)) > (1.0 - LEAST_GAIN_OF_FIRST_TOKEN) * np.median(np.abs(off)):
            return 0.0
    return float(np.median(off)) * runs / (runs + PRIOR_RUNS_OF_FIRST_TOKEN)
