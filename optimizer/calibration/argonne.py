"""Static batches of Argonne's LLM-Inference-Bench, read so that they mean one thing.

Reads `argonne_llm_inference_bench.csv` of a MEASURED directory (BSD-3). Rows whose throughput is not
batch·(input + output)/latency are not used; lengths are equal and fixed, formats are 16 bit; the published A100 is the
40 GB part of that laboratory's machines. One MI250 is both of its dies, for it held weights that one die cannot hold.
Engines are those of 2024.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from catalog.errors import UnknownName
from catalog.read import Snapshot
from optimizer.calibration.throughput import ThroughputCase

FILE_NAME = "argonne_llm_inference_bench.csv"
_PARTS = {
    "A100": "a100-sxm-40gb",
    "H100": "h100-sxm-80gb",
    "GH200": "gh200-96gb",
    "MI250": "mi250x-128gb",
    "MI300X-192GB": "mi300x-192gb",
    "Gaudi2": "gaudi2",
}
_ENGINES = {"vLLM": "vllm-2024", "TensorRT-LLM": "trtllm-2024", "Deepspeed": "vllm-2024"}
ROCM_ERA = "vllm-2024-rocm"
_ROCM_PARTS = ("MI250", "MI300X-192GB")
_ROCM_ENGINES = {"vLLM": ROCM_ERA}


def read_static_batches(measured: Path, snapshot: Snapshot) -> tuple[ThroughputCase, ...]:
    """Read the rows whose model, part and engine the catalog has; raises FileNotFoundError without the file."""
    with (measured / FILE_NAME).open(encoding="utf-8", newline="") as file:
        return tuple(_cases(csv.DictReader(file), snapshot))


def _cases(rows: Iterable[Mapping[str, str]], snapshot: Snapshot) -> Iterator[ThroughputCase]:
    for number, row in enumerate(rows, start=2):
        engines = _ROCM_ENGINES if row["gpu"] in _ROCM_PARTS else _ENGINES
        known = row["gpu"] in _PARTS and row["framework"] in engines and row["parallelism"] == "TP"
        if not known or row["throughput_eq_2LB_over_latency"] != "True":
            continue
        try:
            model = snapshot.model(row["model"]).id
        except UnknownName:
            continue
        prompt, output = float(row["isl"]), float(row["osl"])
        cells = {
            "case_id": f"{FILE_NAME}:{number}",
            "model": model,
            "accelerator": _PARTS[row["gpu"]],
            "accelerators": row["n_gpus"],
            "engine": engines[row["framework"]],
            "tp": row["n_gpus"],
            "weights_format": "bf16",
            "kv_format": "bf16",
            "prompt_tokens": row["isl"],
            "output_tokens": row["osl"],
        }
        of_output = output / (prompt + output)
        yield ThroughputCase(
            cells["case_id"], cells, int(row["static_batch_size"]), float(row["throughput"]) * of_output
        )
