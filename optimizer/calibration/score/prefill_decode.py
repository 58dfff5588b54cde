"""Prefill and decode steps that were timed apart."""

from __future__ import annotations

from pathlib import Path

from catalog.read import Snapshot
from optimizer.calibration.score.scatter import binned
from optimizer.calibration.score.sections import (
    Pair,
    Plot,
    Point,
    Section,
    agreement_line,
    agreement_table,
    table_by,
)
from optimizer.calibration.splitwise import FILE_NAME, StepCase, predict_steps, read_profile

# Bars of milestone M3.
LARGEST_PREFILL_MEDIAN, LARGEST_DECODE_MEDIAN = 0.15, 0.12


def section(measured: Path, snapshot: Snapshot) -> Section:
    """Steps of Splitwise's profile; raises FileNotFoundError without the file."""
    cases = read_profile(measured)
    found = predict_steps(cases, snapshot)
    both = list(zip(cases, found, strict=True))
    prefill = [Pair(None if steps is None else steps.prefill_s, case.measured_prefill_s) for case, steps in both]
    decode = [Pair(None if steps is None else steps.decode_s, case.measured_decode_s) for case, steps in both]
    return Section(
        FILE_NAME,
        "prefill and decode steps of Llama-2-70B by vLLM of 2023, timed apart; six constants of its era fitted to "
        "these rows",
        (
            agreement_table(
                "step",
                (
                    agreement_line("prefill", prefill, LARGEST_PREFILL_MEDIAN),
                    agreement_line("decode", decode, LARGEST_DECODE_MEDIAN),
                ),
            ),
            table_by("prefill by part and TP", cases, prefill, _layout),
            table_by("decode by part and TP", cases, decode, _layout),
            table_by("prefill by prompt tokens of the step", cases, prefill, _tokens),
            table_by("decode by batch", cases, decode, lambda case: (case.batch, f"{case.batch}")),
        ),
        causes=(
            "The stack launched kernels one by one from Python. A decode step is never shorter than these launches, so "
            "it hardly falls with TP; the era's floor per layer says so, and hosts of A100 machines, a processor "
            "generation older, are slower by a factor that was fitted too.",
            "Prefill of short prompts takes the host longer than a decode step does, and large steps at TP 4 and 8 "
            "slow down by more than their collectives explain. Neither has a law here.",
            "One model and two machines were measured. Rows that differ only in output length repeat the same prefill.",
        ),
        plot=Plot(
            "prefill_decode",
            "seconds of a step",
            binned(
                Point(f"{step} {case.part}", pair.measured, pair.predicted)
                for step, pairs in (("prefill", prefill), ("decode", decode))
                for case, pair in zip(cases, pairs, strict=True)
                if pair.predicted is not None
            ),
        ),
    )


def _layout(case: StepCase) -> tuple[int, str]:
    return case.tp, f"{case.part} TP{case.tp}"


def _tokens(case: StepCase) -> tuple[int, str]:
    tokens = case.batch * int(case.cells["prompt_tokens"])
    return tokens, f"{tokens}"
