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
            "A correction has factors for each stack, a weight format under a version of the engine, near common ones. "
            "Where measured times rise and fall with the load, or rows of one stack ran with unlike settings, one "
            "factor meets half of them.",
            "First tokens have three factors: on host time and steps, on their own prefill, and on the burst of the "
            "start; besides, clients may wait for another's answer. They are kept where they hold for calibrating runs "
            "left out of the fit; else the error stays.",
            "Halves of groups as small as that of qwen3-32b on gb200, of which three rows in 20 take more than ten "
            "times as long as predicted, differ with the seed.",
            "DeepSeek-V3 with SGLang on b200: half of the rows state no version, and many of theirs have first tokens "
            "of 5 to 9 s where those of version 0.5.9 take a tenth of that. With TensorRT-LLM rows in fp8 of version "
            "1.1 have steps a third longer than those of 1.2.",
            "Llama-3.1-8B with TensorRT-LLM on h100: the measured TTFT grows with one whole answer over the number of "
            "clients, as if one of them always waited: 0.8 clients by the fit.",
        ),
    )


def _line(group: Sequence[str], runs: str, change: Change, *more: str) -> Line:
    largest = largest_after(change)
    figures = (runs, f"{change.before:.3f}", f"{change.after:.3f}", *more)
    return Line(" ".join(group), figures, f"after ≤ {largest:.3f}", change.after <= largest)
