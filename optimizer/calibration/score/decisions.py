"""What is chosen by prediction, at the point prediction and at risk 0.1."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.read import Snapshot
from optimizer.calibration.decisions import Choice, DecisionQuality, decide
from optimizer.calibration.score.sections import Line, Section, Table
from optimizer.calibration.silicon import PredictionCase
from optimizer.predict.file import PredictedRow

LEAST_MET_AT_POINT, LEAST_MET_AT_RISK, LARGEST_REGRET = 0.75, 0.90, 0.05
POINT_RISK, SAFE_RISK = 0.5, 0.1
# Choices that are shown, and what is worth to be shown.
MOST_SHOWN = 8
LEAST_SHOWN = 0.1


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
            Table(
                f"most regret at risk {POINT_RISK:g}",
                ("regret", "chosen", "cheapest as measured", "its TPOT predicted", "measured"),
                _most_regretted(point),
            ),
        ),
        causes=(
            "Regret is the measured $/M tokens of the choice over the least measured within the limit, less one. "
            "Groups are few, one wrong pick among close layouts moves the mean, and the interval says how far.",
            "The cheapest run serves the most clients that the limit allows, so its TPOT lies just below the limit. A "
            "prediction that is a few per cent too slow there leaves it out, and the next run has half the clients, or "
            "twice the accelerators, for half as much again or twice the cost.",
            "DeepSeek-V3 with TensorRT-LLM took about 1 ms less per step than the sum of its kernels, whatever the "
            "clients: the launches of its shared experts, which run on a second stream. That law was found on these "
            "rows; it has no constant.",
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


def _most_regretted(found: DecisionQuality) -> tuple[Line, ...]:
    regrets = [(choice.regret, choice) for choice in found.choices if choice.regret is not None]
    most = sorted(regrets, key=lambda pair: -pair[0])[:MOST_SHOWN]
    return tuple(_regretted(regret, choice) for regret, choice in most if regret >= LEAST_SHOWN)


def _regretted(regret: float, choice: Choice) -> Line:
    assert choice.chosen is not None, "a choice that is regretted was made"
    name = f"{choice.model} {choice.prompt_tokens:.0f} → {choice.output_tokens:.0f}, {1e3 * choice.limit_s:g} ms"
    tpots = (f"{1e3 * each:.1f} ms" for each in (choice.best_tpot_s, choice.best.measured_tpot_s))
    return Line(name, (f"{regret:.0%}", _configuration(choice.chosen), _configuration(choice.best), *tpots))


def _configuration(case: PredictionCase) -> str:
    attention = f" DP{case.dp_attention}" if case.dp_attention > 1 else ""
    return (
        f"{case.engine} {case.accelerators} × {case.accelerator} {case.weights_format}{attention}, "
        f"{case.concurrency:g} clients"
    )
