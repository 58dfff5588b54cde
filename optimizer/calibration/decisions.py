"""Decision quality: what it costs to choose by prediction instead of by measurement.

Within a group of measured runs of one model and one pair of lengths, a run is one configuration under one concurrency.
Under a limit on the mean TPOT, the choice is the run with the least predicted cost per million output tokens among
those predicted to meet the limit, at the point prediction or with a slower step at a risk. Its regret is its measured
cost over the least measured cost of the runs that measured within the limit, less one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf
from statistics import NormalDist, mean

import numpy as np

from catalog.offers import Tier
from catalog.read import Snapshot
from optimizer.arithmetic.money import SECONDS_PER_HOUR
from optimizer.calibration.silicon import PredictionCase
from optimizer.confidence import INTERVAL_DEVIATIONS
from optimizer.predict.file import PredictedRow, PredictStatus

LIMITS_S = (0.010, 0.020, 0.050)
LEAST_CONFIGURATIONS = 8
# Clouds that sell much else; the others rent accelerators, and their prices are what a buyer compares.
HYPERSCALERS = frozenset({"aws", "azure", "gcp", "oci"})
PER_MILLION = 1e6
RESAMPLES = 2000


@dataclass(frozen=True)
class Choice:
    """One group under one limit. regret: None if the chosen run measured beyond the limit, or nothing was chosen.

    best: the run that measured cheapest within the limit; best_tpot_s: its TPOT as predicted at the risk.
    """

    model: str
    prompt_tokens: float
    output_tokens: float
    limit_s: float
    best: PredictionCase
    best_tpot_s: float
    chosen: PredictionCase | None
    met: bool
    regret: float | None


@dataclass(frozen=True)
class DecisionQuality:
    """Choices that had something to find: some run measured within the limit.

    met and regret with their central 95 % intervals over resampled choices (fixed seed); regret over the choices that
    met.
    """

    risk: float
    choices: tuple[Choice, ...]
    met: float
    met_interval: tuple[float, float]
    regret: float
    regret_interval: tuple[float, float]


def decide(
    cases: Sequence[PredictionCase], rows: Sequence[PredictedRow], snapshot: Snapshot, risk: float
) -> DecisionQuality:
    """Choose in every group and under every limit; `rows` are the predictions of `cases`.

    Raises ValueError if no group has LEAST_CONFIGURATIONS runs at two prices.
    """
    prices = usd_per_hour_per_accelerator(snapshot)
    groups: dict[tuple[str, float, float], list[_Run]] = {}
    for case, row in zip(cases, rows, strict=True):
        price = prices.get(case.accelerator)
        if price is not None and row.status is PredictStatus.OK:
            run = _run(case, row, price * case.accelerators, risk)
            groups.setdefault((case.model, case.prompt_tokens, case.output_tokens), []).append(run)
    choices = [
        _choose(runs, *group, limit_s)
        for group, runs in sorted(groups.items())
        if len(runs) >= LEAST_CONFIGURATIONS and len({run.usd_per_hour for run in runs}) > 1
        for limit_s in LIMITS_S
        if any(run.case.measured_tpot_s <= limit_s for run in runs)
    ]
    if not choices:
        raise ValueError("no group has enough runs at more than one price")
    made = [choice for choice in choices if choice.chosen is not None]
    met = [float(choice.met) for choice in made]
    regrets = [choice.regret for choice in made if choice.regret is not None]
    return DecisionQuality(risk, tuple(choices), mean(met), _interval(met), mean(regrets), _interval(regrets))


def usd_per_hour_per_accelerator(snapshot: Snapshot) -> dict[str, float]:
    """Least dated on-demand list price of each part outside the hyperscalers."""
    prices: dict[str, float] = {}
    for offer in snapshot.offers:
        if offer.tier is Tier.ON_DEMAND and offer.provider not in HYPERSCALERS and offer.price_date is not None:
            price = offer.usd_micro_per_hour / 1e6 / offer.accelerators
            prices[offer.accelerator] = min(price, prices.get(offer.accelerator, inf))
    return prices


@dataclass(frozen=True)
class _Run:
    case: PredictionCase
    usd_per_hour: float
    tpot_at_risk_s: float
    predicted_usd_per_million: float

    @property
    def usd_per_million(self) -> float:
        """Measured."""
        return _per_million(self.usd_per_hour, self.case.measured_tokens_per_s)


def _run(case: PredictionCase, row: PredictedRow, usd_per_hour: float, risk: float) -> _Run:
    """The slower step of a risk, read off the interval of the prediction, whose logarithm is normal."""
    tpot = float(row.figures["tpot_mean_s"])
    deviations = NormalDist().inv_cdf(1.0 - risk)
    spread = np.log(float(row.figures["tpot_mean_s_high"]) / tpot) / INTERVAL_DEVIATIONS
    return _Run(
        case=case,
        usd_per_hour=usd_per_hour,
        tpot_at_risk_s=tpot * exp(spread * deviations),
        predicted_usd_per_million=_per_million(usd_per_hour, float(row.figures["output_tokens_per_s"])),
    )


def _per_million(usd_per_hour: float, tokens_per_s: float) -> float:
    return usd_per_hour / (tokens_per_s * SECONDS_PER_HOUR) * PER_MILLION


def _choose(runs: Sequence[_Run], model: str, prompt_tokens: float, output_tokens: float, limit_s: float) -> Choice:
    held = [run for run in runs if run.tpot_at_risk_s <= limit_s]
    within = [run for run in runs if run.case.measured_tpot_s <= limit_s]
    best = min(within, key=lambda run: (run.usd_per_million, run.case.case_id))
    chosen = min(held, key=lambda run: (run.predicted_usd_per_million, run.case.case_id)) if held else None
    met = chosen in within
    return Choice(
        model=model,
        prompt_tokens=prompt_tokens,
        output_tokens=output_tokens,
        limit_s=limit_s,
        best=best.case,
        best_tpot_s=best.tpot_at_risk_s,
        chosen=None if chosen is None else chosen.case,
        met=met,
        regret=chosen.usd_per_million / best.usd_per_million - 1.0 if chosen is not None and met else None,
    )


def _interval(values: Sequence[float]) -> tuple[float, float]:
    """Central 95 % interval of the mean, by resampling with a fixed seed."""
    draw = np.random.default_rng(0)
    means = draw.choice(np.array(values), size=(RESAMPLES, len(values))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
