"""The correction that a few benchmark runs carry, for one model, part and engine.

Three kinds of factors, all near 1 unless the runs say otherwise:

- one on every step for each stack, a weight format under a version of the engine (they share a common part), and one on
  what a prompt adds to the steps of others: together they move TPOT, and are fitted to it (and, under arrivals at a
  rate, to TTFT too, for there the steps make the queue);
- those of the first token, which is then fitted to TTFT.

Factors of steps are kept only if they hold for runs that are left out of the fit, and so are those of the first token.
The load may be of any kind, for derivatives are of the evaluation itself.

What is left of the error gives the interval, a prior of four runs at the law's own spread included; every factor of
TPOT that is kept uses up one run, so that runs as few as the factors never narrow it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from catalog.corrections import MULTIPLES, FirstTokenFactors, corrected_engine
from catalog.engines import Engine
from catalog.read import Snapshot
from optimizer.arithmetic.arrays import Floats
from optimizer.calibration.first_token import FirstTokens, fit_first_token
from optimizer.calibration.least_absolute import least_absolute
from optimizer.calibration.left_out import holds, parts_in_turn
from optimizer.predict.cases import Case, Clients
from optimizer.predict.evaluation import evaluate_cases

# Deviation of the logarithm of the prefill factor before any run: prefill is known to a factor e.
PREFILL_DEVIATION = 1.0
PRIOR_RUNS_OF_SPREAD = 4.0
PARTS_LEFT_OUT = 5
_WITH_THE_STEPS = FirstTokenFactors.alike(1.0)
_DIFFERENCE = 0.02


@dataclass(frozen=True)
class Observation:
    """A run as a case of `predict`, with the means that were measured, seconds."""

    source: str
    case: Case
    tpot_s: float
    ttft_s: float


class Stack(NamedTuple):
    """What runs alike: a weight format under a version of the engine, "" where none is stated."""

    weights: str
    engine_version: str


@dataclass(frozen=True)
class Factors:
    """Multiples of every step and of a first token that is not left alone, by stack, and of what a prompt adds."""

    step: Mapping[Stack, float]
    prefill: float
    first_token: Mapping[Stack, FirstTokenFactors | None]


NO_FACTORS = Factors({}, 1.0, {})


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
    stacks = sorted({stack_of(each.case) for each in observations})
    steps_hold = _steps_hold(observations, stacks, snapshot, prior_deviation)
    factors = _fit_steps(observations, stacks, snapshot, prior_deviation) if steps_hold else _as_predicted(stacks)
    cases = [each.case for each in observations]
    measured = _measured_logs(observations)
    tpot, alone = predicted_logs(cases, replace(factors, first_token={}), snapshot)
    first_token = fit_first_token(_first_tokens(observations, stacks, alone, factors, snapshot), len(stacks))
    fitted = len(stacks) + 1 if steps_hold else 0
    spread = PRIOR_RUNS_OF_SPREAD * prior_deviation**2 + float(((measured[0] - tpot) ** 2).sum())
    runs = PRIOR_RUNS_OF_SPREAD + max(len(cases) - fitted, 0)
    found = replace(factors, first_token=dict(zip(stacks, first_token, strict=True)))
    return Fitted(found, math.sqrt(spread / runs))


def stack_of(case: Case) -> Stack:
    """The stack of a case."""
    return Stack(case.row.weights.id, case.row.engine_version)


def _measured_logs(observations: Sequence[Observation]) -> Floats:
    """Logarithms of the measured TPOT and TTFT, (2, runs)."""
    return np.log([[each.tpot_s for each in observations], [each.ttft_s for each in observations]])


def _as_predicted(stacks: Sequence[Stack]) -> Factors:
    return Factors(dict.fromkeys(stacks, 1.0), 1.0, dict.fromkeys(stacks, _WITH_THE_STEPS))


def _steps_hold(
    observations: Sequence[Observation], stacks: Sequence[Stack], snapshot: Snapshot, prior_deviation: float
) -> bool:
    """Whether factors of steps hold for runs that they were not fitted to, a part at a time; one run is believed."""
    if len(observations) < 2:
        return True
    uncorrected, measured = _steps_decide(observations, NO_FACTORS, snapshot)
    in_turn = parts_in_turn(measured[0], uncorrected[0], PARTS_LEFT_OUT)
    left_out = np.empty_like(uncorrected)
    for part in np.unique(in_turn):
        out = in_turn == part
        kept = [each for each, leave in zip(observations, out, strict=True) if not leave]
        factors = _fit_steps(kept, stacks, snapshot, prior_deviation)
        others = [each for each, leave in zip(observations, out, strict=True) if leave]
        left_out[:, out], _ = _steps_decide(others, factors, snapshot)
    return holds(measured, uncorrected, left_out)


def _steps_decide(observations: Sequence[Observation], factors: Factors, snapshot: Snapshot) -> tuple[Floats, Floats]:
    """Logarithms, predicted and measured, of what steps decide: TPOT, and where they queue TTFT, (1 or 2, runs)."""
    found = np.array(predicted_logs([each.case for each in observations], factors, snapshot))
    queues = not isinstance(observations[0].case.load, Clients)
    figures = 2 if queues else 1
    return found[:figures], _measured_logs(observations)[:figures]


def _fit_steps(
    observations: Sequence[Observation], stacks: Sequence[Stack], snapshot: Snapshot, prior_deviation: float
) -> Factors:
    """Factors of the steps of every one of `stacks`, and of prefill; a stack without a run has the common one."""
    own_stacks = [stack_of(each.case) for each in observations]
    member = np.array([[stack == mine for stack in stacks] for mine in own_stacks], dtype=np.float64)
    # the common step, the prefill, then each stack's own part of the step where there are several
    own = len(stacks) if len(stacks) > 1 else 0
    prior = np.array([prior_deviation, PREFILL_DEVIATION, *[prior_deviation] * own])

    def factors_at(logs: Floats) -> Factors:
        steps = [logs[0] + (logs[2 + position] if own else 0.0) for position in range(len(stacks))]
        step = {stack: math.exp(value) for stack, value in zip(stacks, steps, strict=True)}
        return Factors(step, math.exp(logs[1]), dict.fromkeys(stacks, _WITH_THE_STEPS))

    def residuals(logs: Floats) -> Floats:
        predicted, measured = _steps_decide(observations, factors_at(logs), snapshot)
        return np.ravel(measured - predicted)

    def slopes(logs: Floats, at: Floats) -> Floats:
        """Derivatives of the predicted logarithms, (residuals, factors); a stack's own step moves only its runs."""
        moved = [at - residuals(logs + _DIFFERENCE * np.eye(len(logs))[factor]) for factor in (0, 1)]
        step, prefill = (change / _DIFFERENCE for change in moved)
        of_stack = np.tile(member, (len(at) // len(observations), 1))
        return np.column_stack([step, prefill, *([step[:, None] * of_stack] if own else [])])

    return factors_at(least_absolute(residuals, slopes, prior))


def _first_tokens(
    observations: Sequence[Observation], stacks: Sequence[Stack], alone: Floats, factors: Factors, snapshot: Snapshot
) -> FirstTokens:
    """First tokens of runs under factors of the steps, taken apart; `alone`: as predicted without factors of theirs."""
    cases = [each.case for each in observations]

    def ttft(first_token: FirstTokenFactors) -> Floats:
        everywhere = replace(factors, first_token=dict.fromkeys(stacks, first_token))
        seconds: Floats = np.exp(predicted_logs(cases, everywhere, snapshot)[1])
        return seconds

    all_s = ttft(_WITH_THE_STEPS)
    # TTFT is linear in each of them, so that a difference is exact
    parts = [
        (ttft(_WITH_THE_STEPS.model_copy(update={name: 1.0 + _DIFFERENCE})) - all_s) / _DIFFERENCE for name in MULTIPLES
    ]
    return FirstTokens(
        measured=_measured_logs(observations)[1],
        uncorrected=alone,
        parts=np.column_stack([*parts, all_s - sum(parts)]),
        waiting_s=ttft(_WITH_THE_STEPS.model_copy(update={"waiting_clients": 1.0})) - all_s,
        stack=np.array([stacks.index(stack_of(each)) for each in cases]),
    )


def predicted_logs(cases: Sequence[Case], factors: Factors, snapshot: Snapshot) -> tuple[Floats, Floats]:
    """Logarithms of the mean TPOT and TTFT of cases of one model and kind of load under factors, (R,) each.

    NaN where the factors make a case overloaded.
    """
    corrected = [replace(case, row=replace(case.row, engine=_engine(case, factors))) for case in cases]
    found = evaluate_cases(corrected, snapshot, 0.0)
    tpot, ttft = np.log(found.figures.tpot_mean_s), np.log(found.figures.ttft_mean_s)
    return np.where(found.steady, tpot, np.nan), np.where(found.steady, ttft, np.nan)


def _engine(case: Case, factors: Factors) -> Engine:
    """The engine of a case under factors; as it is where the case's stack has none."""
    stack = stack_of(case)
    step = factors.step.get(stack)
    engine = case.row.engine
    return engine if step is None else corrected_engine(engine, step, factors.prefill, factors.first_token.get(stack))
