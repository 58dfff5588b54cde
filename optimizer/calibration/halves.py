"""What calibration is worth: one random half of a group of public runs calibrates, the other half is predicted.

Every run is written in the exchange format and read back as a user's file is, so the score covers the import too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalog.corrections import Change
from catalog.read import Snapshot
from optimizer.additions import Additions
from optimizer.calibration.calibrate import errors, spread_before, widest
from optimizer.calibration.consistency import checked
from optimizer.calibration.factors import Observation, fit, predicted_logs
from optimizer.calibration.importers import BenchmarkResult, Deployment, Latency, Tool, read_results
from optimizer.calibration.importers.llmd_report import report_of
from optimizer.calibration.observe import Stated, observe
from optimizer.calibration.silicon import PredictionCase
from optimizer.confidence import INTERVAL_DEVIATIONS
from optimizer.predict.cases import Unsupported, read_case
from optimizer.predict.evaluation import evaluate_cases

FEWEST_RUNS = 12
# Groups that are off by more must come down to this share of it; no other may get worse by more than the allowance.
LARGE_ERROR = 0.2
LARGEST_SHARE_LEFT = 0.6
ALLOWANCE = 0.02
SEEDS = (1, 2, 3, 4, 5)
REQUESTS_PER_CLIENT = 10

Write = Callable[[BenchmarkResult], bytes]
Group = tuple[str, str, str]


@dataclass(frozen=True)
class HeldOut:
    """Errors of the halves of one group that did not calibrate, a change per seed.

    covered: share of their TPOT, over all seeds, in the calibrated 90 % interval.
    """

    group: Group
    runs: int
    tpot: tuple[Change, ...]
    ttft: tuple[Change, ...]
    covered: float


def exchange_bytes(result: BenchmarkResult) -> bytes:
    """A result as the bytes of an llm-d benchmark report."""
    return json.dumps(report_of(result)).encode()


def result_of(case: PredictionCase) -> BenchmarkResult:
    """A public run as a benchmark result; the requests of the run are not published."""
    tpot, ttft = case.measured_tpot_s, case.measured_ttft_s
    requests = REQUESTS_PER_CLIENT * round(case.concurrency)
    e2e = ttft + (case.output_tokens - 1.0) * tpot
    return BenchmarkResult(
        source=case.case_id,
        tool=Tool.LLMD_REPORT,
        model=case.model,
        deployment=Deployment(
            accelerator=case.accelerator,
            accelerators=case.accelerators,
            engine=case.engine,
            engine_version=case.engine_version,
            tp=case.tp,
            pp=case.pp,
            ep=case.ep,
            dp_attention=case.dp_attention,
        ),
        prompt_tokens=case.prompt_tokens,
        output_tokens=case.output_tokens,
        concurrency=case.concurrency,
        request_rate_per_s=None,
        requests=requests,
        failed=0,
        duration_s=requests / case.concurrency * e2e,
        ttft=Latency(mean_s=ttft),
        tpot=Latency(mean_s=tpot),
        e2e=Latency(mean_s=e2e),
        output_tokens_per_s=case.concurrency * case.output_tokens / e2e,
    )


def observed_groups(
    cases: Sequence[PredictionCase], snapshot: Snapshot, write: Write = exchange_bytes
) -> Mapping[Group, Sequence[Observation]]:
    """Runs that are predicted, by (model, part, engine), each written in a tool's format and read back."""
    groups: dict[Group, list[Observation]] = {}
    for case in cases:
        try:
            read_case(case.cells, Additions(snapshot, Path()))
        except Unsupported:  # the main score lists what is not predicted
            continue
        (result,) = map(checked, read_results(write(result_of(case)), case.case_id))
        assert result.tpot is not None, "a checked result has a TPOT"
        stated = Stated(
            model=case.model,
            gpu=case.accelerator,
            engine=case.engine,
            tp=case.tp,
            pp=case.pp,
            ep=case.ep,
            dp_attention=case.dp_attention,
            weights=case.weights_format,
            kv=case.kv_format,
        )
        run = observe(result, result.tpot, stated, snapshot)
        if evaluate_cases([run.case], snapshot, 0.0).fits[0]:
            groups.setdefault((case.model, case.accelerator, case.engine), []).append(run)
    return {group: runs for group, runs in sorted(groups.items()) if len(runs) >= FEWEST_RUNS}


def held_out(group: Group, runs: Sequence[Observation], snapshot: Snapshot) -> HeldOut:
    """Calibrate with a random half of the runs for every seed, and predict the other half."""
    tpot, ttft, inside = [], [], []
    for seed in SEEDS:
        order = np.random.default_rng(seed).permutation(len(runs))
        half = len(runs) // 2
        calibrating, others = [runs[index] for index in order[:half]], [runs[index] for index in order[half:]]
        fitted = fit(calibrating, snapshot, widest(spread_before(calibrating, snapshot)))
        change_of_tpot, change_of_ttft = errors(others, fitted.factors, snapshot)
        tpot.append(change_of_tpot)
        ttft.append(change_of_ttft)
        predicted, _ = predicted_logs([each.case for each in others], fitted.factors, snapshot)
        off = np.abs(predicted - np.log([each.tpot_s for each in others]))
        inside.append(off <= INTERVAL_DEVIATIONS * fitted.step_deviation)
    return HeldOut(group, len(runs), tuple(tpot), tuple(ttft), float(np.concatenate(inside).mean()))


def median_change(changes: Sequence[Change]) -> Change:
    """The medians over the seeds."""
    return Change(
        before=float(np.median([change.before for change in changes])),
        after=float(np.median([change.after for change in changes])),
    )


def largest_after(change: Change) -> float:
    """The bar: what a large error must fall to, or how far another may grow."""
    return LARGEST_SHARE_LEFT * change.before if change.before > LARGE_ERROR else change.before + ALLOWANCE
