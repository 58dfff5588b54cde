"""Where weight-only formats and speculative decoding stop paying: the same steps with another format or more tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.arithmetic.arrays import Floats
from optimizer.arithmetic.speculative import acceptance_for, verify_seconds
from optimizer.diagnose.deployment import Deployment
from optimizer.diagnose.forecast import Forecast, loaded_replica
from optimizer.diagnose.terms import context_of, decode_step_s
from optimizer.predict.cases import Unsupported
from optimizer.traffic.step_tables import SEQUENCES

FULL_WEIGHTS = "bf16"
# Less than this share of a step is not worth a format.
LEAST_SAVING = 0.1


@dataclass(frozen=True)
class WeightOnly:
    """Shares of a decode step that the format saves against bf16: alone, and at the sequences that run.

    crossover: sequences from which on it saves less than `LEAST_SAVING`; None if it always saves more.
    """

    alone: float
    running: float
    sequences: float
    crossover: int | None


def weight_only(found: Forecast) -> WeightOnly | None:
    """What weights that are widened to bf16 save; None if the command's are not, or the checkpoint has no others."""
    row, model = found.case.row, found.case.model
    if row.weights.id == model.native_format or row.activations.id != FULL_WEIGHTS:
        return None
    if (
        row.weights.bytes_per_element
        >= found.deployment.command.additions.snapshot.formats[FULL_WEIGHTS].bytes_per_element
    ):
        return None
    deployment: Deployment = found.deployment
    formats = {"weights_format": FULL_WEIGHTS, "kv_format": row.kv.id}
    try:
        case = deployment.command.case(deployment.layout, found.case.replicas, formats)
    except Unsupported:
        return None
    context = context_of(found.loaded.shape)
    full = loaded_replica(case, deployment).replica
    running = _in_step(found)
    sequences = np.concatenate([SEQUENCES[1:], [running]])
    saving: Floats = 1.0 - decode_step_s(found.loaded.replica, sequences, context) / decode_step_s(
        full, sequences, context
    )
    worth = np.flatnonzero(saving[:-1] >= LEAST_SAVING)
    first_useless = 1 if not len(worth) else worth[-1] + 2
    return WeightOnly(
        alone=float(saving[0]),
        running=float(saving[-1]),
        sequences=running,
        crossover=int(SEQUENCES[first_useless]) if first_useless < len(SEQUENCES) else None,
    )


@dataclass(frozen=True)
class Verification:
    """A step that verifies drafts against one that decodes: tokens that must be kept per step to be no slower.

    acceptance: the chance per drafted token at which that many are kept; None if not even all of them are enough.
    """

    drafted: int
    sequences: float
    needed: float
    acceptance: float | None


def verification(found: Forecast, drafted: int) -> Verification:
    """What verifying `drafted` tokens per sequence costs beside decoding; drafting is free here, so this is a bound."""
    replica, context = found.loaded.replica, context_of(found.loaded.shape)
    sequences = _in_step(found)
    verified_s = verify_seconds(replica, drafted, sequences, context[:, None])
    needed = float(verified_s[0, 0] / decode_step_s(replica, np.array([sequences]), context)[0])
    return Verification(drafted, sequences, needed, acceptance_for(needed, drafted))


def _in_step(found: Forecast) -> float:
    """Sequences that a step decodes."""
    return max(found.running / found.case.row.pp, 1.0)
