"""Measured throughput of whole deployments, and what is predicted for them: everything queued, or one static batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalog.read import Snapshot
from optimizer.additions import Additions
from optimizer.arithmetic.loads import LoadShape
from optimizer.arithmetic.serving import build_replicas
from optimizer.evaluate import Offline, Static, StepSpread, evaluate
from optimizer.predict.cases import Case, Unsupported, read_case


@dataclass(frozen=True)
class ThroughputCase:
    """One measured run of one replica.

    cells: the row as a case file of `predict` holds it. batch: sequences of a static batch that starts and ends
    together; None where everything is queued at once. measured_tokens_per_s: output tokens of the whole replica.
    """

    case_id: str
    cells: Mapping[str, str]
    batch: int | None
    measured_tokens_per_s: float


@dataclass(frozen=True)
class Throughput:
    """Prediction of one case: output tokens/s of the replica, or None and the reason."""

    tokens_per_s: float | None
    reason: str


def predict_throughput(cases: Sequence[ThroughputCase], snapshot: Snapshot) -> tuple[Throughput, ...]:
    """Predict every case at the point prediction, in order."""
    additions = Additions(snapshot, Path())
    found: dict[int, Throughput] = {}
    groups: dict[tuple[str, bool], list[tuple[int, Case]]] = {}
    for index, each in enumerate(cases):
        try:
            case = read_case(each.cells, additions)
        except Unsupported as reason:
            found[index] = Throughput(None, str(reason))
        else:
            groups.setdefault((case.model.id, each.batch is None), []).append((index, case))
    for (_, queued), group in groups.items():
        replicas = build_replicas(group[0][1].model, [case.row for _, case in group], snapshot)
        shape = LoadShape(
            np.array([case.prompt_tokens for _, case in group]),
            np.array([case.output_tokens for _, case in group]),
            np.zeros(len(group)),
        )
        batches = np.array([float(cases[index].batch or 1) for index, _ in group])
        load = Offline() if queued else Static(batches)
        evaluation = evaluate(replicas, shape, load, StepSpread.none(len(group)), 0.0)
        for row, (index, _) in enumerate(group):
            fits = bool(evaluation.fits[row])
            tokens = float(evaluation.output_tokens_per_s[row]) if fits else None
            found[index] = Throughput(tokens, "" if fits else "weights and the load's KV cache do not fit")
    return tuple(found[index] for index in range(len(cases)))
