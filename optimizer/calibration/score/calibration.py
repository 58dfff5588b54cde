"""What calibration with half of a group does for the other half."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.corrections import Change
from catalog.read import Snapshot
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
from optimizer.calibration.score.sections import Line, Section, Table
from optimizer.calibration.silicon import PredictionCase


def section(cases: Sequence[PredictionCase], snapshot: Snapshot) -> Section:
    """A line for each group of enough runs; the bars are on the TPOT."""
    lines = []
    for group, runs in observed_groups(cases, snapshot).items():
        found = held_out(group, runs, snapshot)
        tpot, ttft = median_change(found.tpot), median_change(found.ttft)
        bar = f"TPOT ≤ {_largest(tpot):.3f}"
        figures = (f"{found.runs}", *_change(tpot), *_change(ttft), f"{found.covered:.0%}")
        lines.append(Line(" ".join(group), figures, bar, within_bar(tpot)))
    columns = ("runs", "TPOT before", "after", "TTFT before", "after", "TPOT in its 90 % interval")
    return Section(
        "Calibration",
        f"half of a group of {FEWEST_RUNS} runs or more calibrates; error of the other half before and after, medians "
        f"over the seeds {', '.join(map(str, SEEDS))}; an error of TPOT above {LARGE_ERROR:g} falls to "
        f"{LARGEST_SHARE_LEFT:.0%} of it, no other grows by more than {ALLOWANCE:g}",
        (Table("model, part, engine", columns, tuple(lines)),),
        causes=(
            "A correction is one factor per weight format, model, part and engine. Where measured times rise and fall "
            "with the load, or rows of one group ran with unlike settings, one factor meets half of them.",
            "The TTFT of a few groups gets worse: it is one factor over first tokens whose waits differ in kind.",
        ),
    )


def _largest(change: Change) -> float:
    return LARGEST_SHARE_LEFT * change.before if change.before > LARGE_ERROR else change.before + ALLOWANCE


def _change(change: Change) -> tuple[str, str]:
    return f"{change.before:.3f}", f"{change.after:.3f}"
