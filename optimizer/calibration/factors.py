"""The correction that a few benchmark runs carry, for one model, part and engine.

Three kinds of factors, all near 1 unless the runs say otherwise:

- one on every step for each weight format (they share a common part), and one on what a prompt adds to the steps of
  others: together they move TPOT, and are fitted to it (and, under arrivals at a rate, to TTFT too, for there the steps
  make the queue);
- those of the first token, which is then fitted to TTFT.

The load may be of any kind, for derivatives are of the evaluation itself.

What is left of the error gives the interval, a prior of four runs at the law's own spread included; every factor of
TPOT that was fitted uses up one run, so that runs as few as the factors never narrow it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from catalog.corrections import FirstTokenFactors, corrected_engine
from catalog.engines import Engine
from catalog.read import Snapshot
from optimizer.arithmetic.arrays import Floats
from optimizer.calibration.first_token import fit_first_token
from optimizer.calibration.least_absolute import least_absolute
from optimizer.predict.cases import Case, Clients
from optimizer.predict.evaluation import evaluate_cases

# Deviation of the logarithm of the prefill factor before any run: prefill is known to a factor e.
PREFILL_DEVIATION = 1.0
PRIOR_RUNS_OF_SPREAD = 4.0
_WITH_THE_STEPS = FirstTokenFactors.alike(1.0)
_DIFFERENCE = 0.02


@dataclass(frozen=True)
class Observation:
    """A run as a case of `predict`, with the means that were measured, seconds."""

    source: str
    case: Case
    tpot_s: float
    ttft_s: float


@dataclass(frozen=True)
class Factors:
    """Multiples of every step by weight format, of what a prompt adds, and of a first token that is not left alone."""

    step: Mapping[str, float]
    prefill: float
    first_token: FirstTokenFactors | None


NO_FACTORS = Factors({}, 1.0, None)


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

    def factors_at(logs: Floats) -> Factors:
        steps = [logs[0] + (logs[2 + position] if own else 0.0) for position in range(len(formats))]
        step = {name: math.exp(value) for name, value in zip(formats, steps, strict=True)}
        return Factors(step, math.exp(logs[1]), _WITH_THE_STEPS)

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

    factors = factors_at(least_absolute(residuals, slopes, prior))
    tpot, alone = predicted_logs(cases, replace(factors, first_token=None), snapshot)
    left = measured_tpot - tpot
    first_token = fit_first_token(measured_ttft, alone, _first_token_parts(cases, factors, snapshot))
    fitted = len(formats) + 1
    spread = PRIOR_RUNS_OF_SPREAD * prior_deviation**2 + float((left**2).sum())
    runs = PRIOR_RUNS_OF_SPREAD + max(len(cases) - fitted, 0)
    return Fitted(replace(factors, first_token=first_token), math.sqrt(spread / runs))


def _first_token_parts(cases: Sequence[Case], factors: Factors, snapshot: Snapshot) -> Floats:
    """Seconds of TTFT that each of the first token's factors multiplies, then the rest, (R, 4)."""

    def ttft(first_token: FirstTokenFactors) -> Floats:
        seconds: Floats = np.exp(predicted_logs(cases, replace(factors, first_token=first_token), snapshot)[1])
        return seconds

    all_s = ttft(_WITH_THE_STEPS)
    # TTFT is linear in each of them, so that a difference is exact
    parts = [
        (ttft(_WITH_THE_STEPS.model_copy(update={name: 1.0 + _DIFFERENCE})) - all_s) / _DIFFERENCE
        for name in FirstTokenFactors.model_fields
    ]
    return np.column_stack([*parts, all_s - sum(parts)])


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
