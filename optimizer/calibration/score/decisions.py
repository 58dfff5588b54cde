"""What is chosen by prediction, at the point prediction and at risk 0.1."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.read import Snapshot
from optimizer.calibration.decisions import DecisionQuality, decide
from optimizer.calibration.score.sections import Line, Section, Table
from optimizer.calibration.silicon import PredictionCase
from optimizer.predict.file import PredictedRow

LEAST_MET_AT_POINT, LEAST_MET_AT_RISK, LARGEST_REGRET = 0.75, 0.90, 0.05
POINT_RISK, SAFE_RISK = 0.5, 0.1


def section(cases: Sequence[PredictionCase], rows: Sequence[PredictedRow], snapshot: Snapshot) -> Section:
    """Choose within limits on the TPOT by the predictions `rows` of `cases`, and by what was measured.

    Raises ValueError if there is nothing to choose from.
    """
    point, safe = (decide(cases, rows, snapshot, risk) for risk in (POINT_RISK, SAFE_RISK))
    return Section(
        "Choosing by prediction",
        "least $/M tokens within a limit on the TPOT, per model and lengths, at neocloud list prices; a limit counts "
        "where some run measured within it; intervals are central 95 % of resampled choices",
        (
            Table(
                "at risk",
                ("limits", "had a choice", "met", "from", "to"),
                (_met(point, LEAST_MET_AT_POINT), _met(safe, LEAST_MET_AT_RISK)),
            ),
            Table(
                "regret of those that met",
                ("choices", "mean", "from", "to"),
                (_regret(point, LARGEST_REGRET), _regret(safe, None), _price_of_safety(point, safe)),
            ),
        ),
        causes=(
            "Regret is the measured $/M tokens of the choice over the least measured within the limit, less one. "
            "Groups are few, one wrong pick among close layouts moves the mean, and the interval says how far.",
        ),
    )


def _met(found: DecisionQuality, least: float) -> Line:
    made = sum(choice.chosen is not None for choice in found.choices)
    low, high = found.met_interval
    return Line(
        f"{found.risk:g}",
        (f"{len(found.choices)}", f"{made}", f"{found.met:.0%}", f"{low:.0%}", f"{high:.0%}"),
        f"met ≥ {least:.0%}",
        found.met >= least,
    )


def _regret(found: DecisionQuality, largest: float | None) -> Line:
    low, high = found.regret_interval
    held = sum(choice.regret is not None for choice in found.choices)
    figures = (f"{held}", f"{found.regret:.1%}", f"{low:.1%}", f"{high:.1%}")
    if largest is None:
        return Line(f"risk {found.risk:g}", figures)
    return Line(f"risk {found.risk:g}", figures, f"mean ≤ {largest:.0%}", found.regret <= largest)


def _price_of_safety(point: DecisionQuality, safe: DecisionQuality) -> Line:
    return Line("price of safety", ("", f"{safe.regret - point.regret:+.1%}", "", ""))
