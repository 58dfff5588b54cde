"""Offline maximum throughput that TensorRT-LLM's performance overviews published, read so that it means one thing.

Reads `trtllm_perf_overview_inflight.csv` of a MEASURED directory (Apache-2.0). All requests are queued at once, output
tokens are counted:

- FP8 and FP4 checkpoints cache keys and values in fp8, the others in bf16;
- DEPn is attention data parallelism with expert parallelism over n parts; rows of version 1.0 that are noted as run
  with attention data parallelism are that over their tp;
- Llama 4 is not in the catalog; Mistral 7B is v0.3, whose prompts of 20,000 tokens no window cuts.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from catalog.errors import UnknownName
from catalog.read import Snapshot
from optimizer.calibration.throughput import ThroughputCase

FILE_NAME = "trtllm_perf_overview_inflight.csv"
_FORMATS = {"FP8": ("fp8", "fp8"), "FP4": ("nvfp4", "fp8"), "FP16/Mixed": ("bf16", "bf16")}
_EXPERT_PARALLEL = re.compile(r"DEP(\d+)")
_WITH_ATTENTION_DATA_PARALLELISM = "attention DP"


def read_overview(measured: Path, snapshot: Snapshot) -> tuple[ThroughputCase, ...]:
    """Read the rows whose model the catalog has; raises FileNotFoundError without the file."""
    with (measured / FILE_NAME).open(encoding="utf-8", newline="") as file:
        return tuple(_cases(csv.DictReader(file), snapshot))


def _cases(rows: Iterable[Mapping[str, str]], snapshot: Snapshot) -> Iterator[ThroughputCase]:
    for number, row in enumerate(rows, start=2):
        model = _model(row["model"], snapshot)
        if model is None:
            continue
        tp, pp, ep, dp_attention = _layout(row)
        weights, kv = _FORMATS[row["precision"]]
        own_format = snapshot.models[model].native_format == "mxfp4"
        cells = {
            "case_id": f"{FILE_NAME}:{number}",
            "model": model,
            "accelerator": snapshot.accelerator(row["gpu"]).id,
            "accelerators": str(tp * pp),
            "engine": "trtllm",
            "engine_version": row["trtllm_version"],
            "tp": str(tp),
            "pp": str(pp),
            "ep": str(ep),
            "dp_attention": str(dp_attention),
            "weights_format": "" if own_format else weights,
            "kv_format": kv,
            "prompt_tokens": row["isl"],
            "output_tokens": row["osl"],
        }
        yield ThroughputCase(cells["case_id"], cells, None, float(row["per_gpu_output_tok_s"]) * tp * pp)


def _model(name: str, snapshot: Snapshot) -> str | None:
    """Catalog id of a model as the tables print it ("LLaMA v3.1 70B"), None if the catalog has none."""
    if name == "Mistral 7B":
        return "mistral-7b-v0.3"
    plain = name.lower().replace(" v", " ").replace("llama ", "llama-").replace(" ", "-")
    try:
        return snapshot.model(plain).id
    except UnknownName:
        return None


def _layout(row: Mapping[str, str]) -> tuple[int, int, int, int]:
    """(tp, pp, ep, attention dp)."""
    pp = int(row["pp"] or 1)
    ranks = _EXPERT_PARALLEL.match(row["mapping"])
    if ranks is not None:
        tp = int(ranks.group(1))
        return tp, pp, tp, tp
    tp = int(row["tp"])
    if _WITH_ATTENTION_DATA_PARALLELISM in row["mapping"]:
        return tp, pp, tp, tp
    return tp, pp, 1, 1
