"""Step times from measured kernels: the tables of `aiconfigurator-core`, a second source beside the roofline.

The package is the extra `silicon`. It holds times of single kernels, measured on some parts under one version of each
engine, reads between them, and sums them to steps of the models that it knows; norms, activations and the like are
formulas of its own. What it has no table for is refused with the reason and never filled in from the roofline. Its
steps hold no time of the engine beside kernels; memory and the engine's times of a first token stay ours.

Ranks of attention data parallelism share prompts and sequences evenly. Tokens and sequences are whole there: shares are
rounded up. Projections of attention run in the format of the weights, also where checkpoints keep them in bf16.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from math import ceil
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from catalog.models import Model
from optimizer.arithmetic.arrays import Floats, Integers
from optimizer.arithmetic.replica_rows import ReplicaRow
from optimizer.arithmetic.replicas import Replicas
from optimizer.errors import QuestionError

PACKAGE = "aiconfigurator-core"
MISSING = f"{PACKAGE} is not installed: pip install 'roofplan[silicon]'"
SYSTEMS = {
    "a100-sxm-80gb": "a100_sxm",
    "h100-sxm-80gb": "h100_sxm",
    "h200-sxm-141gb": "h200_sxm",
    "b200-sxm-180gb": "b200_sxm",
    "b300-sxm-270gb": "b300_sxm",
    "gb200-186gb": "gb200",
    "gb300-288gb": "gb300",
    "l40s-48gb": "l40s",
    "rtx-pro-6000-96gb": "rtx_pro_6000_server",
}
# (weights, activations) → what the package calls kernels of dense layers and of experts
DENSE_KERNELS = {
    ("bf16", "bf16"): "bfloat16",
    ("fp8", "fp8"): "fp8",
    ("fp8_block", "fp8"): "fp8_block",
    ("nvfp4", "nvfp4"): "nvfp4",
    ("int4", "bf16"): "int4_wo",
}
EXPERT_KERNELS = {
    "bf16": "bfloat16",
    "fp8": "fp8",
    "fp8_block": "fp8_block",
    "nvfp4": "nvfp4",
    "int4": "int4_wo",
}
CACHES = {"bf16": "bfloat16", "fp8": "fp8"}
# Prompts attend in bf16, for which there are tables; of fp8 those of latent attention are missing.
PROMPT_ATTENTION = "bfloat16"
# The shortest output that the package can be asked for.
OUTPUT = 2
# What it calls a time that is read from its tables alone.
MEASURED = "silicon"
# What the package raises for a table that it has not: classes of its own, of these bases.
REFUSALS = (ValueError, RuntimeError)


class NotTabulatedError(Exception):
    """The tables do not tell a row's step; the message is the reason."""


class StepTable(Protocol):
    """What is asked of the package's compiled engine; milliseconds.

    A decode step is asked for by `isl` tokens and an output of `osl`, of which half are there.
    """

    def decode_step_latency(self, gen_tokens: int, isl: int, osl: int) -> float:
        """A step that decodes `gen_tokens` sequences."""

    def decode_step_per_op(self, gen_tokens: int, isl: int, osl: int) -> list[tuple[str, float, float, str]]:
        """Its operations: name, time, energy, and where the time is from."""

    def mixed_step_breakdown(
        self, ctx_tokens: int, gen_tokens: int, isl: int, osl: int, prefix: int = 0
    ) -> tuple[float, float, float, float]:
        """A step with prompts: its sum, what prompts and decoding share, attention of prompts, and of decoding."""


@dataclass(frozen=True)
class SiliconTables:
    """The package, once it is imported; `version` is its own."""

    version: str
    engine: Any
    known_models: frozenset[str]
    _compiled: dict[tuple[object, ...], StepTable] = field(default_factory=dict)

    def table(self, model: Model, row: ReplicaRow) -> StepTable:
        """The steps of one row's replica.

        Raises:
            NotTabulatedError: the package has no such part, model, engine, layout or format.

        """
        asked = {"model_path": model.hf_id, **_asked(model, row, self)}
        key = tuple(asked.items())
        if key not in self._compiled:
            try:
                self._compiled[key] = self.engine.compile(**asked)
            except REFUSALS as error:
                raise NotTabulatedError(_said(error)) from error
        return self._compiled[key]


def load_tables() -> SiliconTables:
    """The tables of the installed package; takes about a second.

    Raises:
        QuestionError: it is not installed, with the command that installs it.

    """
    from importlib.metadata import version  # loads the parser of e-mails

    try:
        engine = import_module("aiconfigurator_core.sdk.engine").EngineHandle
        known_models = frozenset(import_module("aiconfigurator_core.sdk.common").DefaultHFModels)
    except ImportError:
        raise QuestionError(f"step times of measured kernels: {MISSING}") from None
    logging.getLogger("aiconfigurator_core").addHandler(logging.NullHandler())  # what it refuses is said per row
    return SiliconTables(version(PACKAGE), engine, known_models)


def silicon_times(model: Model, rows: Sequence[ReplicaRow], replicas: Replicas, tables: SiliconTables) -> SiliconTimes:
    """The steps of `rows` by the tables, with memory and first-token times of the same `replicas`.

    Raises:
        NotTabulatedError: the tables do not tell a row.

    """
    return SiliconTimes(
        tables=tuple(tables.table(model, row) for row in rows),
        pp=replicas.pp,
        dp_attention=replicas.dp_attention,
        host_s=replicas.host_s,
        own_prefill_factor=replicas.own_prefill_factor,
        prefill_factor=replicas.prefill_factor,
        prefill_event_s=replicas.prefill_event_s,
        interference=replicas.interference,
        extra_steps=replicas.extra_steps,
        burst_share=replicas.burst_share,
        waiting_clients=replicas.waiting_clients,
        prefill_chunk_tokens=replicas.prefill_chunk_tokens,
        kv_capacity_tokens=replicas.kv_capacity_tokens,
    )


@dataclass(frozen=True)
class SiliconTimes:
    """K rows of measured kernels, (K,) arrays; the provider of the protocol `LoadStepTimes`.

    It is none of `StepTimes`: a table bounds no step from below, and there is none of a part that does not exist.
    """

    tables: tuple[StepTable, ...]
    pp: Integers
    dp_attention: Integers
    host_s: Floats
    own_prefill_factor: Floats
    prefill_factor: Floats
    prefill_event_s: Floats
    interference: Floats
    extra_steps: Floats
    burst_share: Floats
    waiting_clients: Floats
    prefill_chunk_tokens: Floats
    kv_capacity_tokens: Floats

    @property
    def count(self) -> int:
        """K."""
        return len(self.tables)

    def step_seconds(
        self,
        prefill_tokens: ArrayLike,
        prefill_sequences: ArrayLike,
        prefix_tokens: ArrayLike,
        decode_sequences: ArrayLike,
        decode_context: ArrayLike,
    ) -> Floats:
        """Seconds of one step; the protocol says how arguments broadcast.

        Raises:
            NotTabulatedError: a table of the step is missing.

        """
        given = [
            np.asarray(values, dtype=np.float64)
            for values in (prefill_tokens, prefill_sequences, prefix_tokens, decode_sequences, decode_context)
        ]
        axes = max(2, *(values.ndim for values in given))
        shape = np.broadcast_shapes((self.count, *(1,) * (axes - 1)), *(values.shape for values in given))
        wide = [np.broadcast_to(values, shape) for values in given]
        seconds = np.empty(shape)
        for index in np.ndindex(shape):
            row = index[0]
            step = (float(values[index]) for values in wide)
            seconds[index] = _step_s(self.tables[row], int(self.dp_attention[row]), *step)
        return seconds

    def measured_share(self, decode_sequences: ArrayLike, decode_context: ArrayLike) -> Floats:
        """Share of a decode step that is read from tables alone, (K,); the rest is by formulas, or by both.

        Raises:
            NotTabulatedError: a table of the step is missing.

        """
        given = (self.dp_attention, decode_sequences, decode_context)
        ranks, decoding, context = (np.broadcast_to(values, self.count).tolist() for values in given)
        return np.array([_measured_share(*row) for row in zip(self.tables, ranks, decoding, context, strict=True)])


def _step_s(
    table: StepTable, ranks: int, tokens: float, prompts: float, prefix: float, decoding: float, context: float
) -> float:
    if not tokens + decoding > 0.0:
        raise ValueError("a step without tokens has no time")
    sequences, held = ceil(decoding / ranks), _held(context)
    try:
        if tokens == 0.0:
            return table.decode_step_latency(sequences, held, OUTPUT) / 1e3
        _, shared_ms, _, decode_ms = table.mixed_step_breakdown(ceil(tokens / ranks), sequences, held, OUTPUT)
        return (shared_ms + _prompt_attention_ms(table, ranks, tokens, prompts, round(prefix)) + decode_ms) / 1e3
    except REFUSALS as error:
        raise NotTabulatedError(_said(error)) from error


def _held(context: float) -> int:
    """Tokens before the output, of which half counts as context."""
    return max(1, round(context) - OUTPUT // 2)


def _measured_share(table: StepTable, ranks: int, decoding: float, context: float) -> float:
    try:
        operations = table.decode_step_per_op(ceil(decoding / ranks), _held(context), OUTPUT)
    except REFUSALS as error:
        raise NotTabulatedError(_said(error)) from error
    measured_ms = sum(time_ms for _, time_ms, _, source in operations if source == MEASURED)
    return measured_ms / sum(time_ms for _, time_ms, _, _ in operations)


def _prompt_attention_ms(table: StepTable, ranks: int, tokens: float, prompts: float, prefix: int) -> float:
    """Attention of whole prompts, asked for as a step of them alone, so that none is taken for a chunk of a longer."""
    together = ceil(prompts / ranks)
    prompt = prefix + max(1, round(tokens / prompts))
    _, _, prompts_ms, _ = table.mixed_step_breakdown(together * prompt, 0, prompt, OUTPUT, prefix)
    return prompts_ms * prompts / (ranks * together)


def _asked(model: Model, row: ReplicaRow, tables: SiliconTables) -> dict[str, str | int]:
    """A row in the package's words."""
    dense = DENSE_KERNELS.get((row.weights.id, row.activations.id))
    experts = EXPERT_KERNELS.get(row.experts.id) if model.experts else None
    if row.accelerator.id not in SYSTEMS:
        raise NotTabulatedError(f"no tables of {row.accelerator.id}; there are of {', '.join(SYSTEMS)}")
    if model.hf_id not in tables.known_models:
        raise NotTabulatedError(f"no layers of {model.id} ({model.hf_id or 'no name on the hub'})")
    if row.engine.id != row.engine.library:
        raise NotTabulatedError(f"no tables of the era {row.engine.id}, only of the newest of {row.engine.library}")
    if dense is None:
        raise NotTabulatedError(f"no kernels of {row.weights.id} weights with {row.activations.id} activations")
    if model.experts and experts is None:
        raise NotTabulatedError(f"no kernels of experts in {row.experts.id}")
    if row.kv.id not in CACHES:
        raise NotTabulatedError(f"no attention over a KV cache in {row.kv.id}")
    if row.pp > 1:
        raise NotTabulatedError("steps over pipeline stages are not read from the tables")
    asked: dict[str, str | int] = {
        "system": SYSTEMS[row.accelerator.id],
        "backend": row.engine.library,
        "tp_size": row.tp // row.dp_attention,
        "attention_dp_size": row.dp_attention,
        "gemm_quant_mode": dense,
        "kvcache_quant_mode": CACHES[row.kv.id],
        "fmha_quant_mode": PROMPT_ATTENTION,
    }
    if experts is not None:
        asked |= {"moe_tp_size": row.tp // row.ep, "moe_ep_size": row.ep, "moe_quant_mode": experts}
    return asked


def _said(error: BaseException) -> str:
    """What the package says, without the folder that it is installed in."""
    said = re.sub(r"/\S*?/aiconfigurator_core/", "", str(error).partition("\n")[0])
    return f"{PACKAGE}: {said or type(error).__name__}"
