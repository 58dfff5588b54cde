"""Predicted against measured kernels: the constants put to shapes that they were not fitted to.

The measured seconds lie under catalog/data/efficiency/measured, a folder per part; microbenchmarks.py measured them
with the kernels of PyTorch. Engines run others (FlashInfer, CUTLASS, Marlin): what agrees here is the law and
its constants, what does not is said in `make score`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from catalog.efficiency import EfficiencyTables
from catalog.parts import Accelerator, Precision
from catalog.read import DATA_DIR, Snapshot
from optimizer.arithmetic.arrays import Floats
from optimizer.arithmetic.attention import (
    ContextFit,
    DecodeFit,
    context_attention,
    context_attention_seconds,
    decode_attention,
    decode_attention_seconds,
)
from optimizer.arithmetic.roofline import GemmFit, PartRates, Shape, gemm_seconds, gemms
from optimizer.calibration.silicon import Agreement, agreement

MEASURED_KERNELS = DATA_DIR / "efficiency" / "measured"
BF16_BYTES = 2.0
# Queries, keys, values and outputs, each read or written once.
_QUERY_AND_OUTPUT = 2.0
_KEY_AND_VALUE = 2.0


class Operation(StrEnum):
    """What a kernel does."""

    GEMM = "gemm"
    PREFILL_ATTENTION = "prefill attention"
    DECODE_ATTENTION = "decode attention"


@dataclass(frozen=True)
class KernelAgreement:
    """Agreement of one operation on one part; `kernel` is the format of a product, the library of an attention."""

    part: str
    operation: Operation
    kernel: str
    agreement: Agreement


def kernel_agreements(snapshot: Snapshot, measured: Path = MEASURED_KERNELS) -> tuple[KernelAgreement, ...]:
    """Agreement per part, operation and kernel, in the order of their names."""
    folders = sorted(path for path in measured.iterdir() if path.is_dir())
    return tuple(
        found for folder in folders for found in part_agreements(snapshot.accelerators[folder.name], folder, snapshot)
    )


def part_agreements(part: Accelerator, folder: Path, snapshot: Snapshot) -> tuple[KernelAgreement, ...]:
    """Agreement with one part's measurements in `folder`; kernels that were not measured are left out."""
    products, attentions = _read(folder / "gemm.csv"), _read(folder / "attention.csv")
    found = []
    for kernel in sorted({row["kernel"] for row in products}):
        rows = [row for row in products if row["kernel"] == kernel]
        found.append(_agreement(part, Operation.GEMM, kernel, gemm_predictions(part, rows, snapshot), rows))
    for kernel in sorted({row["kernel"] for row in attentions}):
        decode = [row for row in attentions if row["kernel"] == kernel and row["query_tokens"] == "1"]
        prefill = [row for row in attentions if row["kernel"] == kernel and row["query_tokens"] != "1"]
        tables = snapshot.efficiency
        if decode:
            predicted = decode_predictions(part, decode, tables)
            found.append(_agreement(part, Operation.DECODE_ATTENTION, kernel, predicted, decode))
        if prefill:
            predicted = prefill_predictions(part, prefill, tables)
            found.append(_agreement(part, Operation.PREFILL_ATTENTION, kernel, predicted, prefill))
    return tuple(found)


def gemm_predictions(part: Accelerator, rows: Sequence[Mapping[str, str]], snapshot: Snapshot) -> Floats:
    """Seconds of products of one format, (rows,)."""
    number_format = snapshot.formats[rows[0]["kernel"]]
    kernels = number_format.kernels[0]
    constants = snapshot.efficiency.gemm[kernels.gemm]
    count = len(rows)
    fit = GemmFit(
        launch_s=np.full(count, constants.launch_s),
        compute_efficiency=np.full(count, constants.compute_efficiency),
        bandwidth_efficiency=np.full(count, constants.bandwidth_efficiency),
        serial_s_per_inner=np.full(count, constants.serial_s_per_inner),
        activation_traffic_factor=np.full(count, constants.activation_traffic_factor),
        occupancy_exponent=np.full(count, constants.occupancy_exponent),
        wave_exponent=np.full(count, constants.wave_exponent),
        flop_per_s=np.full(count, part.peak_flop_per_s[kernels.gemm_precision]),
        weight_bytes=np.full(count, number_format.bytes_per_element),
        product_flop_s=np.zeros(count),
    )
    shape = Shape(_column(rows, "outputs"), _column(rows, "inputs"), 1.0, fit)
    return gemm_seconds(gemms([shape], _rates(part, count)), _column(rows, "tokens")[:, None])[:, 0]


def decode_predictions(part: Accelerator, rows: Sequence[Mapping[str, str]], tables: EfficiencyTables) -> Floats:
    """Seconds of one new token per sequence over a bf16 cache, (rows,)."""
    constants = tables.decode_attention["kv_bf16"]
    seconds = []
    for row in rows:  # head sizes differ by row, and the law takes one
        head_dim = int(row["head_dim"])
        factor = constants.head_64_factor if head_dim == 64 else 1.0
        fit = DecodeFit(
            launch_s=np.array([constants.launch_s]),
            compute_efficiency=np.array([constants.compute_efficiency]),
            bandwidth_efficiency=np.array([constants.bandwidth_efficiency * factor]),
            unit_s_per_sequence_kv_head=np.array([constants.unit_s_per_sequence_kv_head]),
            unit_s_per_sequence_head=np.array([constants.unit_s_per_sequence_head]),
            read_per_query_head=np.zeros(1),
        )
        law = decode_attention(
            fit,
            _rates(part, 1),
            _column([row], "heads"),
            _column([row], "kv_heads"),
            head_dim,
            np.array([BF16_BYTES]),
        )
        sequences, context = _column([row], "batch")[:, None], _column([row], "context_tokens")[:, None]
        seconds.append(decode_attention_seconds(law, sequences, context, None)[0, 0])
    return np.array(seconds)


def prefill_predictions(part: Accelerator, rows: Sequence[Mapping[str, str]], tables: EfficiencyTables) -> Floats:
    """Seconds of whole prompts in bf16, (rows,)."""
    constants = tables.context_attention["kv_bf16"]
    factors = {64: constants.head_64_factor, 128: 1.0, 256: constants.head_256_factor}
    seconds = []
    for row in rows:
        head_dim = int(row["head_dim"])
        fit = ContextFit(
            launch_s=np.array([constants.launch_s]),
            compute_efficiency=np.array([constants.compute_efficiency * factors[head_dim]]),
            wave_exponent=np.array([constants.wave_exponent]),
            serial_s_per_key=np.array([constants.serial_s_per_key]),
            traffic_factor=np.array([constants.traffic_factor]),
        )
        heads, kv_heads = _column([row], "heads"), _column([row], "kv_heads")
        token_bytes = BF16_BYTES * head_dim * (_QUERY_AND_OUTPUT * heads + _KEY_AND_VALUE * kv_heads)
        law = context_attention(fit, _rates(part, 1), heads, 4.0 * head_dim, token_bytes)
        new = _column([row], "query_tokens")[:, None]
        seconds.append(
            context_attention_seconds(law, _column([row], "batch")[:, None], new, np.zeros_like(new), None)[0, 0]
        )
    return np.array(seconds)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _column(rows: Sequence[Mapping[str, str]], name: str) -> Floats:
    return np.array([float(row[name]) for row in rows])


def _rates(part: Accelerator, count: int) -> PartRates:
    return PartRates(
        memory_bytes=np.full(count, float(part.memory_bytes)),
        memory_bytes_per_s=np.full(count, part.memory_bandwidth_bytes_per_s),
        bf16_flop_per_s=np.full(count, part.peak_flop_per_s[Precision.BF16]),
        multiprocessors=np.full(count, float(part.multiprocessors or 0)),
    )


def _agreement(
    part: Accelerator, operation: Operation, kernel: str, predicted: Floats, rows: Sequence[Mapping[str, str]]
) -> KernelAgreement:
    measured = [float(row["seconds"]) for row in rows]
    return KernelAgreement(part.id, operation, kernel, agreement(list(predicted), measured))
