"""`make score`: predictions against measurements.

    python -m optimizer.calibration.score [MEASURED]

Kernels are scored against measurements of our own, which are shipped. MEASURED is a directory with the published
files of whole systems, which are not ours to ship; without it the command says what it skipped. Exits 1 if a bar is
missed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from catalog.corrections import Change
from catalog.parts import Evidence, LinkKind
from catalog.read import Snapshot, load
from optimizer.calibration import argonne, tensorrt_llm
from optimizer.calibration.decisions import decide
from optimizer.calibration.halves import (
    ALLOWANCE,
    FEWEST_RUNS,
    LARGE_ERROR,
    LARGEST_SHARE_LEFT,
    SEEDS,
    held_out,
    median_change,
    observed_groups,
    within_bar,
)
from optimizer.calibration.kernels import kernel_agreements
from optimizer.calibration.silicon import FILE_NAME, Agreement, PredictionCase, agreement, read_silicon
from optimizer.calibration.throughput import Throughput, ThroughputCase, predict_throughput
from optimizer.predict.file import PredictedRow, PredictStatus, predict_rows

# Bars of milestone M3: closed loops, then throughputs.
LARGEST_TPOT_MEDIAN = 0.075
LARGEST_TTFT_MEDIAN = 0.30
LARGEST_RATE_MEDIAN = 0.08
LEAST_PREDICTED_SHARE = 0.98
LEAST_COVERED, MOST_COVERED = 0.85, 0.95
LEAST_MET_AT_POINT, LEAST_MET_AT_RISK, LARGEST_REGRET = 0.75, 0.90, 0.05
LARGEST_OFFLINE_MEDIAN = 0.13
LARGEST_NVLINK_MEDIAN = 0.08
LARGEST_PCIE_MEDIAN = 0.25
LARGEST_STATIC_MEDIAN = 0.08


def main(arguments: Sequence[str]) -> int:
    """Print the score; the exit code says whether every bar was met."""
    snapshot = load()
    score_kernels(snapshot)
    if not arguments or not arguments[0]:
        print(f"skipped: {FILE_NAME} is not shipped; give its directory, as in `make score MEASURED=DIR`")
        return 0
    measured = Path(arguments[0])
    if not (measured / FILE_NAME).is_file():
        print(f"{measured / FILE_NAME}: no such file", file=sys.stderr)
        return 2
    runs = read_silicon(measured)
    met = score_silicon(runs, snapshot) == 0
    met &= score_decisions(runs, snapshot)
    met &= score_offline(measured, snapshot)
    met &= score_static_batches(measured, snapshot)
    met &= score_calibration(runs, snapshot)
    return 0 if met else 1


def score_kernels(snapshot: Snapshot) -> None:
    """Score single kernels; there is no bar, for PyTorch's kernels are not the engines'."""
    print("kernels of PyTorch on one GPU; error = |ln(predicted/measured)|, nothing fitted to these rows")
    for found in kernel_agreements(snapshot):
        print(f"  {found.part:15s} {found.operation:17s} {found.kernel:6s} {_describe(found.agreement)}")


def score_silicon(cases: Sequence[PredictionCase], snapshot: Snapshot) -> int:
    """Score closed-loop runs through `predict`; 0 if every bar is met, else 1."""
    rows = predict_rows([case.cells for case in cases], snapshot)
    tpot = _agreement(cases, rows, "tpot_mean_s", lambda case: case.measured_tpot_s)
    ttft = _agreement(cases, rows, "ttft_mean_s", lambda case: case.measured_ttft_s)
    rate = _agreement(cases, rows, "output_tokens_per_s", lambda case: case.measured_tokens_per_s)
    share, covered = tpot.predicted / tpot.cases, _covered(cases, rows)
    print(
        f"{FILE_NAME}, aggregated closed-loop runs; error = |ln(predicted/measured)|; step times are not fitted to "
        "these rows, first-token constants were, per engine"
    )
    print(f"  predicted        {tpot.predicted} of {tpot.cases} ({share:.1%}; bar {LEAST_PREDICTED_SHARE:.0%})")
    print(f"  TPOT             {_describe(tpot)} (bar: median {LARGEST_TPOT_MEDIAN})")
    print(f"  TTFT             {_describe(ttft)} (bar: median {LARGEST_TTFT_MEDIAN})")
    print(f"  output tokens/s  {_describe(rate)} (bar: median {LARGEST_RATE_MEDIAN})")
    print(f"  TPOT in its 90 % interval  {covered:.1%} (bar {LEAST_COVERED:.0%} to {MOST_COVERED:.0%})")
    groups = sorted({(case.engine, case.accelerator) for case in cases})
    for engine, accelerator in groups:
        mine = [pair for pair in zip(cases, rows, strict=True) if _group(pair[0]) == (engine, accelerator)]
        of_group = _agreement(
            [case for case, _ in mine], [row for _, row in mine], "tpot_mean_s", lambda case: case.measured_tpot_s
        )
        print(f"  TPOT {engine:7s} {accelerator:16s} {_describe(of_group)}")
    for case, row in zip(cases, rows, strict=True):
        if row.status is not PredictStatus.OK:
            print(f"  not predicted: {case.case_id}: {row.reason}")
    met = (
        share >= LEAST_PREDICTED_SHARE
        and tpot.median_log_error <= LARGEST_TPOT_MEDIAN
        and ttft.median_log_error <= LARGEST_TTFT_MEDIAN
        and rate.median_log_error <= LARGEST_RATE_MEDIAN
        and LEAST_COVERED <= covered <= MOST_COVERED
    )
    print("  every bar met" if met else "  A BAR IS MISSED")
    return 0 if met else 1


def score_decisions(cases: Sequence[PredictionCase], snapshot: Snapshot) -> bool:
    """Score what is chosen by prediction, at the point prediction and at risk 0.1; whether every bar is met."""
    rows = predict_rows([case.cells for case in cases], snapshot)
    point, safe = (decide(cases, rows, snapshot, risk) for risk in (0.5, 0.1))
    print(
        "choosing by prediction: least $/M tokens within a TPOT limit, per model and lengths, at neocloud list prices"
    )
    for found, least_met in ((point, LEAST_MET_AT_POINT), (safe, LEAST_MET_AT_RISK)):
        made = sum(choice.chosen is not None for choice in found.choices)
        low, high = found.met_interval
        cheap, dear = found.regret_interval
        print(
            f"  risk {found.risk}: {made} of {len(found.choices)} limits had a choice; "
            f"{found.met:.0%} met ({low:.0%} to {high:.0%}; bar {least_met:.0%}); "
            f"regret of those {found.regret:.1%} ({cheap:.1%} to {dear:.1%})"
        )
    print(f"  regret bar {LARGEST_REGRET:.0%} at the point prediction; what safety costs is the difference")
    met = point.met >= LEAST_MET_AT_POINT and safe.met >= LEAST_MET_AT_RISK and point.regret <= LARGEST_REGRET
    print("  every bar met" if met else "  A BAR IS MISSED")
    return met


def score_offline(measured: Path, snapshot: Snapshot) -> bool:
    """Score offline maximum throughputs; whether the bars are met, True if the file is not there."""
    if not (measured / tensorrt_llm.FILE_NAME).is_file():
        print(f"skipped: {tensorrt_llm.FILE_NAME} is not in {measured}")
        return True
    cases = tensorrt_llm.read_overview(measured, snapshot)
    scored = ScoredThroughput(cases, predict_throughput(cases, snapshot))
    print(
        f"{tensorrt_llm.FILE_NAME}, offline maximum throughput; four constants per engine era fitted to its dense rows"
    )
    return all(
        [
            scored.bar("all", LARGEST_OFFLINE_MEDIAN, lambda _: True),
            scored.bar(
                "dense on NVLink",
                LARGEST_NVLINK_MEDIAN,
                lambda case: _dense(case, snapshot) and not _pcie(case, snapshot),
            ),
            scored.bar(
                "PCIe parts, TP > 1",
                LARGEST_PCIE_MEDIAN,
                lambda case: case.cells["tp"] != "1" and _pcie(case, snapshot),
            ),
        ]
    )


def score_static_batches(measured: Path, snapshot: Snapshot) -> bool:
    """Score static batches; whether the bar on measured parts is met, True if the file is not there."""
    if not (measured / argonne.FILE_NAME).is_file():
        print(f"skipped: {argonne.FILE_NAME} is not in {measured}")
        return True
    cases = argonne.read_static_batches(measured, snapshot)
    scored = ScoredThroughput(cases, predict_throughput(cases, snapshot))
    print(f"{argonne.FILE_NAME}, static batches of 2024; four constants per engine era fitted to the NVIDIA rows")
    met = scored.bar(
        "NVIDIA",
        LARGEST_STATIC_MEDIAN,
        lambda case: snapshot.accelerators[case.cells["accelerator"]].evidence is not Evidence.ESTIMATED,
    )
    for part in sorted({case.cells["accelerator"] for case in cases}):
        scored.bar(part, None, partial(_is_on, part))
    return met


@dataclass(frozen=True)
class ScoredThroughput:
    """Throughputs, measured and predicted."""

    cases: Sequence[ThroughputCase]
    found: Sequence[Throughput]

    def bar(self, name: str, largest_median: float | None, chosen: Callable[[ThroughputCase], bool]) -> bool:
        """Print the agreement of the chosen cases; whether its median is within the bar."""
        pairs = [pair for pair in zip(self.cases, self.found, strict=True) if chosen(pair[0])]
        of_these = agreement(
            [found.tokens_per_s for _, found in pairs], [case.measured_tokens_per_s for case, _ in pairs]
        )
        bar = "" if largest_median is None else f" (bar: median {largest_median})"
        missed = of_these.cases - of_these.predicted
        without = f", {missed} not predicted" if missed else ""
        print(f"  {name:18s} {_describe(of_these)}{without}{bar}")
        return largest_median is None or of_these.median_log_error <= largest_median


def _is_on(part: str, case: ThroughputCase) -> bool:
    return case.cells["accelerator"] == part


def _dense(case: ThroughputCase, snapshot: Snapshot) -> bool:
    return not snapshot.models[case.cells["model"]].experts


def _pcie(case: ThroughputCase, snapshot: Snapshot) -> bool:
    """Whether accelerators of the part reach each other over PCIe, bridged pairs included."""
    kind = snapshot.accelerators[case.cells["accelerator"]].link.kind
    return kind in (LinkKind.PCIE, LinkKind.NVLINK_BRIDGE, LinkKind.NONE)


def score_calibration(cases: Sequence[PredictionCase], snapshot: Snapshot) -> bool:
    """Score what calibration with half of a group does for the other half; whether the bars of TPOT are met."""
    print(
        f"calibration: half of a group of {FEWEST_RUNS} runs or more calibrates, the error of the other half before → "
        f"after, medians over the seeds {', '.join(map(str, SEEDS))}"
    )
    met = True
    for group, runs in observed_groups(cases, snapshot).items():
        found = held_out(group, runs, snapshot)
        tpot, ttft = median_change(found.tpot), median_change(found.ttft)
        met &= within_bar(tpot)
        print(
            f"  {' '.join(group):40s} {found.runs:3d} runs  TPOT {_change(tpot)}  TTFT {_change(ttft)}  "
            f"TPOT in its 90 % interval {found.covered:.0%}"
        )
    print(
        f"  bars of TPOT: an error above {LARGE_ERROR:g} falls to {LARGEST_SHARE_LEFT:.0%} of it, "
        f"none grows by more than {ALLOWANCE:g}: {'met' if met else 'MISSED'}"
    )
    return met


def _change(change: Change) -> str:
    return f"{change.before:.3f} → {change.after:.3f} {'   ' if within_bar(change) else '(!)'}"


def _group(case: PredictionCase) -> tuple[str, str]:
    return case.engine, case.accelerator


def _agreement(
    cases: Sequence[PredictionCase],
    rows: Sequence[PredictedRow],
    metric: str,
    measured: Callable[[PredictionCase], float],
) -> Agreement:
    predicted = [float(row.figures[metric]) if row.status is PredictStatus.OK else None for row in rows]
    return agreement(predicted, [measured(case) for case in cases])


def _covered(cases: Sequence[PredictionCase], rows: Sequence[PredictedRow]) -> float:
    """Share of the predicted rows whose measured TPOT lies in the interval."""
    inside = [
        float(row.figures["tpot_mean_s_low"]) <= case.measured_tpot_s <= float(row.figures["tpot_mean_s_high"])
        for case, row in zip(cases, rows, strict=True)
        if row.status is PredictStatus.OK
    ]
    return sum(inside) / len(inside)


def _describe(found: Agreement) -> str:
    return (
        f"median {found.median_log_error:.3f}, p90 {found.p90_log_error:.3f}, bias {found.median_log_bias:+.3f}, "
        f"{found.cases} rows"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
