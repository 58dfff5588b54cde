"""From files of benchmark results to corrections, one for each part and engine that they measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

import numpy as np

from catalog.corrections import Change, Correction, MeasuredLoad, ResultFile, StackFactors
from catalog.read import Snapshot
from optimizer.arithmetic.serving import build_replicas
from optimizer.calibration.consistency import checked
from optimizer.calibration.factors import NO_FACTORS, Factors, Fitted, Observation, fit, predicted_logs
from optimizer.calibration.importers import BenchmarkResult, ResultError, read_results
from optimizer.calibration.observe import Stated, observe
from optimizer.confidence import step_spread
from optimizer.evaluate import StepSpread
from optimizer.predict.cases import Clients
from optimizer.predict.evaluation import evaluate_cases


@dataclass(frozen=True)
class InputFile:
    """A file of results: its name and its bytes."""

    name: str
    data: bytes


@dataclass(frozen=True)
class OtherLoad:
    """Results of a kind of load that was not fitted, beside the correction: median errors before and after."""

    load: MeasuredLoad
    results: int
    tpot_error: Change
    ttft_error: Change


@dataclass(frozen=True)
class Calibration:
    """A correction and what stands beside it.

    spread_before: how far step times may lie without it, the widest of the runs'. other: results of the other kind
    of load, None if there are none. left_out: results that the model does not predict, with the reason. versions:
    of the engine, as the fitted results state them, "" where one does not.
    """

    correction: Correction
    spread_before: StepSpread
    other: OtherLoad | None
    left_out: tuple[str, ...]
    versions: tuple[str, ...]


@dataclass(frozen=True)
class Calibrated:
    """What a set of files says: checked results, with notes in them, and a calibration per part and engine."""

    results: tuple[BenchmarkResult, ...]
    calibrations: tuple[Calibration, ...]


def calibrate(files: Sequence[InputFile], stated: Stated, snapshot: Snapshot, today: date) -> Calibrated:
    """Calibrate every part and engine that the files measured; `snapshot` must have no corrections.

    Raises ResultError for a file that cannot be used, a file given twice, several models, or a group of which no result
    is predicted.
    """
    hashes = {sha256(file.data).hexdigest(): file.name for file in files}
    if len(hashes) < len(files):
        twice = next(file.name for file in files if hashes[sha256(file.data).hexdigest()] != file.name)
        raise ResultError(f"{twice}: the same content is given twice")
    results: list[BenchmarkResult] = []
    groups: dict[tuple[str, str], list[_Run]] = {}
    for file in files:
        for result in map(checked, read_results(file.data, file.name)):
            assert result.tpot is not None, "a checked result has a TPOT"
            results.append(result)
            run = _Run(file, result, observe(result, result.tpot, stated, snapshot))
            row = run.observation.case.row
            groups.setdefault((row.accelerator.id, row.engine.id), []).append(run)
    models = {run.observation.case.model.id: run for runs in groups.values() for run in runs}
    if len(models) > 1:
        named = ", ".join(f"{model} in {run.observation.source}" for model, run in sorted(models.items()))
        raise ResultError(f"results of several models: {named}; calibrate one at a time")
    calibrations = [_calibrate_group(group, snapshot, today) for _, group in sorted(groups.items())]
    return Calibrated(tuple(results), tuple(calibrations))


@dataclass(frozen=True)
class _Run:
    """A result, its file, and the case that it is."""

    file: InputFile
    result: BenchmarkResult
    observation: Observation


def _calibrate_group(runs: Sequence[_Run], snapshot: Snapshot, today: date) -> Calibration:
    """Fit the closed-loop runs, which measure steps; open ones measure queues too and are fitted only by themselves."""
    kept, left_out = _predicted(runs, snapshot)
    if not kept:
        raise ResultError(f"no result is predicted: {'; '.join(left_out)}")
    closed = [run for run in kept if isinstance(run.observation.case.load, Clients)]
    fitted = closed or kept
    rest = [run for run in kept if run not in fitted]
    observations = [run.observation for run in fitted]
    before = spread_before(observations, snapshot)
    found = fit(observations, snapshot, widest(before))
    case = observations[0].case
    tpot, ttft = errors(observations, found.factors, snapshot)
    correction = Correction(
        model=case.model.id,
        accelerator=case.row.accelerator.id,
        engine=case.row.engine.id,
        stacks=tuple(
            StackFactors(
                weights=stack.weights,
                engine_version=stack.engine_version,
                step=step,
                first_token=found.factors.first_token[stack],
            )
            for stack, step in found.factors.step.items()
        ),
        prefill_factor=found.factors.prefill,
        step_deviation=found.step_deviation,
        tp=tuple(sorted({each.case.row.tp for each in observations})),
        results=len(fitted),
        load=MeasuredLoad.CLOSED_LOOP if closed else MeasuredLoad.OPEN,
        tpot_error=tpot,
        ttft_error=ttft,
        tools=tuple(sorted({run.result.tool for run in fitted})),
        files=tuple(
            ResultFile(name=file.name, sha256=sha256(file.data).hexdigest())
            for file in dict.fromkeys(run.file for run in fitted)
        ),
        as_of=today.isoformat(),
        catalog_hash=snapshot.hash,
    )
    other, overloaded = _other(rest, found, snapshot)
    versions = tuple(sorted({run.result.deployment.engine_version or "" for run in fitted}))
    return Calibration(correction, before, other, (*left_out, *overloaded), versions)


def _predicted(runs: Sequence[_Run], snapshot: Snapshot) -> tuple[list[_Run], tuple[str, ...]]:
    """Runs that the model predicts, and the others with the reason."""
    kept, left_out = [], []
    for run in runs:
        prediction = evaluate_cases([run.observation.case], snapshot, 0.0)
        if not prediction.fits[0]:
            left_out.append(f"{run.observation.source}: weights and one request do not fit by the model")
        elif not prediction.steady[0]:
            left_out.append(f"{run.observation.source}: overloaded by the model")
        else:
            kept.append(run)
    return kept, tuple(left_out)


def spread_before(observations: Sequence[Observation], snapshot: Snapshot) -> StepSpread:
    """How far the uncorrected step times of the runs may lie, the widest of either side, of one key."""
    model, rows = observations[0].case.model, [each.case.row for each in observations]
    estimates = build_replicas(model, rows, snapshot).estimates
    spread = step_spread(model, rows, estimates, snapshot)
    return StepSpread(spread.slower.max(keepdims=True), spread.faster.max(keepdims=True))


def widest(spread: StepSpread) -> float:
    """The larger standard deviation of the two sides of one key."""
    return float(max(spread.slower[0], spread.faster[0]))


def errors(observations: Sequence[Observation], factors: Factors, snapshot: Snapshot) -> tuple[Change, Change]:
    """Median |ln(predicted/measured)| of TPOT and of TTFT without and with factors; runs of one kind of load."""
    cases = [each.case for each in observations]
    measured = np.log([[each.tpot_s, each.ttft_s] for each in observations])
    found = []
    for these in (NO_FACTORS, factors):
        predicted = np.column_stack(predicted_logs(cases, these, snapshot))
        found.append(np.median(np.abs(predicted - measured), axis=0))
    tpot, ttft = (Change(before=float(before), after=float(after)) for before, after in zip(*found, strict=True))
    return tpot, ttft


def _other(runs: Sequence[_Run], found: Fitted, snapshot: Snapshot) -> tuple[OtherLoad | None, tuple[str, ...]]:
    """Runs with arrivals at a rate, which were not fitted, and those that the correction makes overloaded."""
    if not runs:
        return None, ()
    observations = [run.observation for run in runs]
    tpot_logs, _ = predicted_logs([each.case for each in observations], found.factors, snapshot)
    steady = [each for each, log in zip(observations, tpot_logs, strict=True) if np.isfinite(log)]
    overloaded = tuple(f"{each.source}: overloaded under the correction" for each in observations if each not in steady)
    if not steady:
        return None, overloaded
    tpot, ttft = errors(steady, found.factors, snapshot)
    return OtherLoad(MeasuredLoad.OPEN, len(steady), tpot, ttft), overloaded
