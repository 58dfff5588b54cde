"""What the first tokens of a few runs say: how long each of the things takes that a first token waits for.

A few clients wait for the host, many for the burst of the start, long prompts for their own prefill. One factor on all
of it would follow whichever the runs are mostly about, so each has its own, near a common one; and where runs are of
several stacks, each stack has its own near those of all. Besides, some engines let a client wait for another's answer
to end, which no factor tells. Factors are kept only if they hold for runs that are left out of the fit, the waiting
clients only if they hold better still; otherwise first tokens stay as they are predicted without a correction. One run,
which nothing checks, moves them by half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.corrections import MULTIPLES, FirstTokenFactors
from optimizer.arithmetic.arrays import Floats
from optimizer.calibration.least_absolute import least_absolute
from optimizer.calibration.left_out import holds, parts_in_turn

# Deviations of the logarithms before any run: of the common factor and of each one's own, known to a factor e; of what
# a stack has beside the others; and clients that wait.
PRIOR_DEVIATION = 1.0
STACK_DEVIATION = 0.5
WAITING_DEVIATION = 1.0
PRIOR_RUNS = 1.0
# Runs are left out one by one, or in so many parts.
MOST_PARTS = 10

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class FirstTokens:
    """First tokens of runs, (runs,) each but `parts`.

    measured: logarithms of the mean TTFT. uncorrected: of what is predicted without factors of the first token. parts:
    seconds that each of `MULTIPLES` multiplies, then the rest, (runs, 4). waiting_s: what one waiting client adds.
    stack: number of the stack of each run, from 0.
    """

    measured: Floats
    uncorrected: Floats
    parts: Floats
    waiting_s: Floats
    stack: NDArray[np.int64]

    def take(self, runs: Bools) -> FirstTokens:
        """Those of the given runs; stacks keep their numbers."""
        return FirstTokens(
            self.measured[runs], self.uncorrected[runs], self.parts[runs], self.waiting_s[runs], self.stack[runs]
        )


@dataclass(frozen=True)
class _Fitted:
    """Logarithms of the factors of each stack, (S, 3), and the clients that wait."""

    logs: Floats
    waiting: float


def fit_first_token(tokens: FirstTokens, stacks: int) -> Sequence[FirstTokenFactors | None]:
    """The factors of a first token for each of so many stacks, all None where they do not hold for runs left out."""
    kept: _Fitted | None = None
    if len(tokens.measured) == 1:
        kept = _fit(tokens, stacks, with_waiting=False)
    else:
        best = tokens.uncorrected
        for with_waiting in (False, True) if tokens.waiting_s.any() else (False,):
            left_out = _left_out(tokens, stacks, with_waiting)
            if holds(tokens.measured, best, left_out):
                best, kept = left_out, _fit(tokens, stacks, with_waiting)
    if kept is None:
        return [None] * stacks
    return [
        FirstTokenFactors(**dict(zip(MULTIPLES, np.exp(logs).tolist(), strict=True)), waiting_clients=kept.waiting)
        for logs in kept.logs
    ]


def _left_out(tokens: FirstTokens, stacks: int, with_waiting: bool) -> Floats:
    """Logarithms of TTFT of every run, predicted by the runs of the other parts, (runs,)."""
    in_turn = parts_in_turn(tokens.measured, tokens.uncorrected, MOST_PARTS)
    found = np.empty_like(tokens.measured)
    for part in np.unique(in_turn):
        out = in_turn == part
        found[out] = _predicted(tokens.take(out), _fit(tokens.take(~out), stacks, with_waiting))
    return found


def _fit(tokens: FirstTokens, stacks: int, with_waiting: bool) -> _Fitted:
    own = stacks if stacks > 1 else 0
    common = 1 + len(MULTIPLES)
    member = np.eye(stacks)[tokens.stack]

    def fitted(values: Floats) -> _Fitted:
        logs = np.tile(values[0] + values[1:common], (stacks, 1))
        if own:
            logs = logs + values[common : common + own * len(MULTIPLES)].reshape(own, -1)
        return _Fitted(logs, max(float(values[-1]), 0.0) if with_waiting else 0.0)

    def residuals(values: Floats) -> Floats:
        return tokens.measured - _predicted(tokens, fitted(values))

    def slopes(values: Floats, left: Floats) -> Floats:
        total = np.exp(tokens.measured - left)[:, None]
        shares = tokens.parts[:, :-1] * np.exp(fitted(values).logs[tokens.stack]) / total
        columns = [shares.sum(axis=1, keepdims=True), shares]
        if own:
            columns.append((member[:, :, None] * shares[:, None, :]).reshape(len(left), -1))
        if with_waiting:
            columns.append(tokens.waiting_s[:, None] / total)
        return np.hstack(columns)

    prior = np.concatenate(
        [
            np.full(common, PRIOR_DEVIATION),
            np.full(own * len(MULTIPLES), STACK_DEVIATION),
            np.full(int(with_waiting), WAITING_DEVIATION),
        ]
    )
    found = fitted(least_absolute(residuals, slopes, prior))
    runs = len(tokens.measured)
    believed = runs / (runs + PRIOR_RUNS)
    return _Fitted(found.logs * believed, found.waiting * believed)


def _predicted(tokens: FirstTokens, fitted: _Fitted) -> Floats:
    """Logarithms of TTFT under factors, (runs,)."""
    multiplied = (tokens.parts[:, :-1] * np.exp(fitted.logs[tokens.stack])).sum(axis=1)
    found: Floats = np.log(multiplied + tokens.parts[:, -1] + fitted.waiting * tokens.waiting_s)
    return found
