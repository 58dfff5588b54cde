"""A deployment's figures with their interval, and the single replica behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.confidence import INTERVAL_DEVIATIONS
from optimizer.diagnose.deployment import Deployment
from optimizer.diagnose.diagnosis import FiguresOut, Interval
from optimizer.diagnose.terms import Loaded
from optimizer.evaluate import Evaluation, Open, StepSpread, evaluate
from optimizer.predict.cases import Case
from optimizer.predict.evaluation import Prediction, evaluate_cases, load_of_one_replica, replicas_of, shape_of


@dataclass(frozen=True)
class Forecast:
    """What one deployment should do. `figures` is None where it is overloaded."""

    deployment: Deployment
    loaded: Loaded
    evaluation: Evaluation
    figures: FiguresOut | None
    fits: bool

    @property
    def case(self) -> Case:
        """The case behind it."""
        return self.deployment.case

    @property
    def kv_tokens(self) -> float:
        """KV cache of one replica."""
        return float(self.loaded.replica.kv_capacity_tokens[0])

    @property
    def running(self) -> float:
        """Requests that run at once in one replica."""
        in_step = float(self.evaluation.resident[0])
        return in_step * self.case.row.pp if isinstance(self.loaded.load, Open) else in_step


def forecast(deployment: Deployment) -> Forecast:
    """Predict a deployment at the point and at both ends of the interval."""
    case, snapshot = deployment.case, deployment.command.additions.snapshot
    loaded = loaded_replica(case, deployment)
    point, fast, slow = (
        evaluate_cases([case], snapshot, deviations) for deviations in (0.0, -INTERVAL_DEVIATIONS, INTERVAL_DEVIATIONS)
    )
    fits = bool(point.fits[0])
    figures = None
    if fits and point.steady[0]:
        figures = FiguresOut(
            ttft_s=_interval("ttft_mean_s", point, fast, slow),
            tpot_s=_interval("tpot_mean_s", point, fast, slow),
            e2e_s=_interval("e2e_mean_s", point, fast, slow),
            output_tokens_per_s=_interval("output_tokens_per_s", point, fast, slow),
        )
    return Forecast(deployment, loaded, loaded.evaluated(), figures, fits)


def loaded_replica(case: Case, deployment: Deployment) -> Loaded:
    """One replica of a case under its share of the load."""
    replica = replicas_of([case], deployment.command.additions.snapshot)
    return Loaded(replica, shape_of([case]), load_of_one_replica([case]))


def _interval(metric: str, point: Prediction, fast: Prediction, slow: Prediction) -> Interval:
    """A figure and its ends; a scenario that overloads has none."""
    value = float(getattr(point.figures, metric)[0])
    ends = [
        float(getattr(each.figures, metric)[0]) if each.fits[0] and each.steady[0] else None for each in (fast, slow)
    ]
    known = [value, *(end for end in ends if end is not None)]
    return Interval(value=value, low=min(known), high=None if None in ends else max(known))


def highest_rate_per_s(found: Forecast) -> float:
    """The highest arrival rate of the whole deployment that has a steady state, to a thousandth."""
    low, high = 0.0, 1.0
    while _steady(found, high) and high < 1e6:
        low, high = high, 2.0 * high
    while high - low > 1e-3 * high:
        middle = (low + high) / 2.0
        low, high = (middle, high) if _steady(found, middle) else (low, middle)
    return low * found.case.replicas


def _steady(found: Forecast, rate_per_s: float) -> bool:
    load = Open(np.full(1, rate_per_s), np.full(1, 1.0 / found.case.replicas))
    return bool(evaluate(found.loaded.replica, found.loaded.shape, load, StepSpread.none(1), 0.0).steady[0])
