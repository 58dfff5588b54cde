"""`make score`: predictions against measurements.

    python -m optimizer.calibration.score [MEASURED]

Kernels are scored against measurements of our own, which are shipped. MEASURED is a directory with the published
files of whole systems, which are not ours to ship; without it the command says what it skipped. Exits 1 if a bar is
missed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from catalog.read import Snapshot, load
from optimizer.calibration.kernels import kernel_agreements
from optimizer.calibration.silicon import FILE_NAME, Agreement, PredictionCase, agreement, read_silicon
from optimizer.predict.file import PredictedRow, PredictStatus, predict_rows

# Bars of milestone M1 on the aggregated rows.
LARGEST_TPOT_MEDIAN = 0.09
LEAST_PREDICTED_SHARE = 0.98


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
    return score_silicon(read_silicon(measured), snapshot)


def score_kernels(snapshot: Snapshot) -> None:
    """Score single kernels; there is no bar, for PyTorch's kernels are not the engines'."""
    print("kernels of PyTorch on one GPU; error = |ln(predicted/measured)|, nothing fitted to these rows")
    for found in kernel_agreements(snapshot):
        print(f"  {found.part:15s} {found.operation:17s} {found.kernel:6s} {_describe(found.agreement)}")


def score_silicon(cases: Sequence[PredictionCase], snapshot: Snapshot) -> int:
    """Score closed-loop runs through `predict`; 0 if both bars are met, else 1."""
    rows = predict_rows([case.cells for case in cases], snapshot)
    tpot = _agreement(cases, rows, "tpot_mean_s", lambda case: case.measured_tpot_s)
    ttft = _agreement(cases, rows, "ttft_mean_s", lambda case: case.measured_ttft_s)
    share = tpot.predicted / tpot.cases
    print(f"{FILE_NAME}, aggregated closed-loop runs; error = |ln(predicted/measured)|, nothing fitted to these rows")
    print(f"  predicted        {tpot.predicted} of {tpot.cases} ({share:.1%}; bar {LEAST_PREDICTED_SHARE:.0%})")
    print(f"  TPOT             {_describe(tpot)} (bar: median {LARGEST_TPOT_MEDIAN})")
    print(f"  TTFT             {_describe(ttft)}")
    print(f"  TPOT in its 90 % interval  {_covered(cases, rows):.1%}")
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
    met = share >= LEAST_PREDICTED_SHARE and tpot.median_log_error <= LARGEST_TPOT_MEDIAN
    print("  both bars met" if met else "  A BAR IS MISSED")
    return 0 if met else 1


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
