"""Prefill and decode steps of Splitwise's profile, read so that they mean one thing.

Reads `splitwise_profile_a100_h100.csv` of a MEASURED directory (MIT): vLLM of 2023, which launched every kernel from
Python, with 16 bit weights on whole DGX machines. Llama-2-70B without a power cap is used.

- `prompt_time_ms` is one forward step over all prompts of the batch, which are equally long: nothing is chunked.
- `token_time_ms` is the median decode step; a batch has half its output behind it on average.
- Rows whose batch does not fit into the KV cache ran in waves and are refused; the end-to-end times are not used.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalog.read import Snapshot
from optimizer.additions import Additions
from optimizer.arithmetic.serving import build_replicas
from optimizer.predict.cases import read_case

FILE_NAME = "splitwise_profile_a100_h100.csv"
ERA = "vllm-2023"
_MODELS = {"llama2-70b": "llama-2-70b"}
# The parts whose power was capped have names of their own.
_PARTS = {"a100-80gb": "a100-sxm-80gb", "h100-80gb": "h100-sxm-80gb"}


@dataclass(frozen=True)
class StepCase:
    """One measured pair of steps; `cells` as a case file of `predict` holds them."""

    case_id: str
    cells: Mapping[str, str]
    batch: int
    measured_prefill_s: float
    measured_decode_s: float

    @property
    def part(self) -> str:
        """Catalog name of the accelerator."""
        return self.cells["accelerator"]

    @property
    def tp(self) -> int:
        """Tensor-parallel ranks."""
        return int(self.cells["tp"])


@dataclass(frozen=True)
class Steps:
    """Predicted seconds of a prefill step and of a decode step."""

    prefill_s: float
    decode_s: float


def read_profile(measured: Path) -> tuple[StepCase, ...]:
    """Read the rows whose model and part are known; raises FileNotFoundError without the file."""
    with (measured / FILE_NAME).open(encoding="utf-8", newline="") as file:
        return tuple(_cases(csv.DictReader(file)))


def _cases(rows: Iterable[Mapping[str, str]]) -> Iterator[StepCase]:
    for number, row in enumerate(rows, start=2):
        if row["model"] not in _MODELS or row["gpu"] not in _PARTS:
            continue
        cells = {
            "case_id": f"{FILE_NAME}:{number}",
            "model": _MODELS[row["model"]],
            "accelerator": _PARTS[row["gpu"]],
            "accelerators": row["tp"],
            "engine": ERA,
            "tp": row["tp"],
            "weights_format": "bf16",
            "kv_format": "bf16",
            "prompt_tokens": row["prompt_tokens"],
            "output_tokens": row["output_tokens"],
        }
        yield StepCase(
            cells["case_id"],
            cells,
            int(row["batch_size"]),
            float(row["prompt_time_ms"]) / 1e3,
            float(row["token_time_ms"]) / 1e3,
        )


def predict_steps(cases: tuple[StepCase, ...], snapshot: Snapshot) -> tuple[Steps | None, ...]:
    """Predict every case, in order; None for a batch that does not fit into the KV cache. All are of one model."""
    if not cases:
        return ()
    additions = Additions(snapshot, Path())
    read = [read_case(case.cells, additions) for case in cases]
    replicas = build_replicas(read[0].model, [case.row for case in read], snapshot)
    batch = np.array([[float(case.batch)] for case in cases])
    prompt = np.array([[case.prompt_tokens] for case in read])
    output = np.array([[case.output_tokens] for case in read])
    prefill_s = replicas.step_seconds(batch * prompt, batch, 0.0, 0.0, 0.0)[:, 0]
    decode_s = replicas.step_seconds(0.0, 0.0, 0.0, batch, prompt + output / 2.0)[:, 0]
    fits = replicas.kv_capacity_tokens >= (batch * (prompt + output))[:, 0]
    return tuple(
        Steps(float(prefill), float(decode)) if room else None
        for prefill, decode, room in zip(prefill_s, decode_s, fits, strict=True)
    )
