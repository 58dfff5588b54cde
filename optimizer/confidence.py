"""How well the step times of rows are known: by runs of others, by the user's own, or by a rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import log
from statistics import NormalDist

import numpy as np

from catalog.corrections import Correction
from catalog.efficiency import MeasuredSpread
from catalog.engines import Engine
from catalog.models import Model
from catalog.parts import Evidence
from catalog.read import Snapshot
from optimizer.arithmetic.arrays import Integers
from optimizer.arithmetic.replica_rows import Estimate, ReplicaRow
from optimizer.arithmetic.replicas import Replicas
from optimizer.arithmetic.serving import build_replicas
from optimizer.evaluate import StepSpread

KERNEL_RULES = Estimate.DENSE_KERNELS | Estimate.EXPERT_KERNELS | Estimate.NO_MULTIPROCESSORS
# Ends of a central 90 % interval, in standard deviations; slower steps and a smaller KV cache go together.
INTERVAL_DEVIATIONS = NormalDist().inv_cdf(0.95)
# Nine of ten step times lie within these factors of their prediction, either way, where nothing more is known of the
# engine with the part's kind and the weight format.
STEP_FACTOR = {Evidence.MEASURED: 1.5, Evidence.CLASS: 1.7, Evidence.ESTIMATED: 2.5}


def replicas_of(model: Model, rows: Sequence[ReplicaRow], snapshot: Snapshot) -> Replicas:
    """The step times of rows, a key each, with the user's corrections."""
    return build_replicas(model, corrected_rows(model, rows, snapshot), snapshot)


def corrected_rows(model: Model, rows: Sequence[ReplicaRow], snapshot: Snapshot) -> Sequence[ReplicaRow]:
    """The rows with their engines as the user measured them, where the snapshot has a correction."""
    if not snapshot.corrections:
        return rows
    engines: dict[tuple[str, str, str, str], Engine] = {}

    def engine_of(row: ReplicaRow) -> Engine:
        key = (row.accelerator.id, row.engine.id, row.weights.id, row.engine_version)
        if key not in engines:
            correction = correction_of(model, row, snapshot)
            engines[key] = row.engine if correction is None else correction.applied_to(row.engine, *key[2:])
        return engines[key]

    return [replace(row, engine=engine_of(row)) for row in rows]


def step_spread(model: Model, rows: Sequence[ReplicaRow], estimates: Integers, snapshot: Snapshot) -> StepSpread:
    """How far the step times of rows with their `Estimate` bits may lie from what is predicted.

    As measured runs of the engine say, with parts known as well and the weight format; without any, the factors of the
    evidence. A correction has its own, but measurements of one tensor parallel size do not narrow it for another, whose
    collectives they did not see.
    """
    deviations: dict[tuple[Evidence, str, str], tuple[float, float]] = {}
    found = []
    for row, bits in zip(rows, estimates.tolist(), strict=True):
        cell = (evidence_of(row, Estimate(bits)), row.engine.id, row.weights.id)
        if cell not in deviations:
            slower, faster = (log(factor) / INTERVAL_DEVIATIONS for factor in step_factors(*cell, snapshot))
            deviations[cell] = slower, faster
        slower, faster = deviations[cell]
        correction = correction_of(model, row, snapshot)
        if correction is not None:
            left = correction.step_deviation
            other_size = row.tp not in correction.tp
            slower, faster = (max(left, each) if other_size else left for each in (slower, faster))
        found.append((slower, faster))
    both = np.array(found).reshape(-1, 2)
    return StepSpread(both[:, 0], both[:, 1])


def step_factors(evidence: Evidence, engine: str, weights: str, snapshot: Snapshot) -> tuple[float, float]:
    """How much slower and how much faster than predicted nine of ten steps are at most; assumed without runs."""
    measured = measured_spread(evidence, engine, weights, snapshot)
    if measured is None:
        return STEP_FACTOR[evidence], STEP_FACTOR[evidence]
    return measured.slower_factor, measured.faster_factor


def measured_spread(evidence: Evidence, engine: str, weights: str, snapshot: Snapshot) -> MeasuredSpread | None:
    """What runs of an engine era with a weight format say, on parts known as well; None if there are none."""
    cell = (evidence, engine, weights)
    found = (each for each in snapshot.efficiency.step_spread if (each.evidence, each.engine, each.weights) == cell)
    return next(found, None)


def correction_of(model: Model, row: ReplicaRow, snapshot: Snapshot) -> Correction | None:
    """The correction that was measured with the row's own weight format, or None."""
    correction = snapshot.corrections.get((model.id, row.accelerator.id, row.engine.id))
    measured = correction is not None and correction.stack_of(row.weights.id, row.engine_version) is not None
    return correction if measured else None


def evidence_of(row: ReplicaRow, estimates: Estimate) -> Evidence:
    """How a key's step times are known: its part's evidence, lowered by every rule that stands in for a fit.

    A rule for a link or a hop widens to the class interval, a rule for kernels to the estimated one.
    """
    if row.accelerator.evidence is Evidence.ESTIMATED or estimates & KERNEL_RULES:
        return Evidence.ESTIMATED
    if row.accelerator.evidence is Evidence.CLASS or estimates:
        return Evidence.CLASS
    return Evidence.MEASURED
