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
    largest_after,
    median_change,
    observed_groups,
)
from optimizer.calibration.score.sections import Line, Section, Table
from optimizer.calibration.silicon import PredictionCase


def section(cases: Sequence[PredictionCase], snapshot: Snapshot) -> Section:
    """A line for each group of enough runs, of TPOT and of TTFT."""
    found = [held_out(group, runs, snapshot) for group, runs in observed_groups(cases, snapshot).items()]
    return Section(
        "Calibration",
        f"half of a group of {FEWEST_RUNS} runs or more calibrates; error of the other half before and after, medians "
        f"over the seeds {', '.join(map(str, SEEDS))}; an error above {LARGE_ERROR:g} falls to "
        f"{LARGEST_SHARE_LEFT:.0%} of it, no other grows by more than {ALLOWANCE:g}",
        (
            Table(
                "TPOT by model, part, engine",
                ("runs", "before", "after", "in its 90 % interval"),
                tuple(
                    _line(each.group, f"{each.runs}", median_change(each.tpot), f"{each.covered:.0%}") for each in found
                ),
            ),
            Table(
                "TTFT by model, part, engine",
                ("runs", "before", "after"),
                tuple(_line(each.group, f"{each.runs}", median_change(each.ttft)) for each in found),
            ),
        ),
        causes=(
            "A correction has one step factor per weight format of a model, part and engine. Where measured times rise "
            "and fall with the load, or rows of one group ran with unlike settings, one factor meets half of them.",
            "First tokens have three factors: on host time and steps, on their own prefill, and on the burst of the "
            "start. They are kept where they hold for calibrating runs left out of the fit; else the error stays.",
            "Halves of groups as small as that of qwen3-32b on gb200, of which three rows in 20 take more than ten "
            "times as long as predicted, differ: with other seeds its TTFT falls to three quarters only.",
            "DeepSeek-V3 with SGLang on b200: half of the rows state no version, and many of theirs have first tokens "
            "of 5 to 9 s where those of version 0.5.9 take a tenth of that. No correction of one model, part and "
            "engine tells them apart; calibrated by themselves, those of 0.5.9 fall to less than half.",
            "Llama-3.1-8B with TensorRT-LLM on h100: the measured TTFT grows with one whole answer over the number of "
            "clients, as if one of them always waited, and jumps at 64 to 128 clients with TP 4 and 8.",
        ),
    )


def _line(group: Sequence[str], runs: str, change: Change, *more: str) -> Line:
    largest = largest_after(change)
    figures = (runs, f"{change.before:.3f}", f"{change.after:.3f}", *more)
    return Line(" ".join(group), figures, f"after ≤ {largest:.3f}", change.after <= largest)
