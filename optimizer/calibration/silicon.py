"""Measured closed-loop runs as cases for `predict`, and how far a prediction is from them.

Reads `silicon_sample_public.csv` of a MEASURED directory (means of TTFT and TPOT per run, published with
aiconfigurator-core 0.12.0). Its columns are read so that they mean one thing:

- an empty format is bf16; rows of the benchmark dump have an fp8 KV cache, the others bf16;
- the dump draws lengths at random below the stated ones, on average 0.9 of them, and its concurrency is
  `silicon_concurrency`; other rows state the concurrency of one replica as `batch_size`;
- the dump writes layouts as products: tp 64 with experts 8×8 is TP8 with EP8 on 8 parts, tp 16 with 4×4 is TP4 with
  EP4, attention_dp 64 or 16 is attention data parallelism over 8 or 4.
"""

import csv
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

FILE_NAME = "silicon_sample_public.csv"
DUMP = "db-dump"
DUMP_LENGTH_SHARE = 0.9
AGGREGATED = "agg"
_CONCURRENCY = re.compile(r"silicon_concurrency=(\d+)")
_PARTS = {
    "h100_sxm": "h100-sxm-80gb",
    "h200_sxm": "h200-sxm-141gb",
    "b200_sxm": "b200-sxm-180gb",
    "b300_sxm": "b300-sxm-270gb",
    "gb200": "gb200-186gb",
    "gb300": "gb300-288gb",
}
_MODELS = {
    "deepseek-ai/DeepSeek-V3": "deepseek-v3",
    "nvidia/DeepSeek-V3.1-NVFP4": "deepseek-v3",
    "meta-llama/Llama-3.1-8B-Instruct": "llama-3.1-8b",
    "nvidia/Llama-3.1-8B-Instruct-FP8": "llama-3.1-8b",
    "Qwen/Qwen3-32B": "qwen3-32b",
    "nvidia/Qwen3-32B-NVFP4": "qwen3-32b",
}
# weights → activations of the kernels that the runs used
_FORMATS = {"": ("bf16", "bf16"), "fp8": ("fp8", "fp8"), "fp8_block": ("fp8_block", "fp8"), "nvfp4": ("nvfp4", "nvfp4")}
_DUMP_RANKS = {64: 8, 16: 4}


@dataclass(frozen=True)
class PredictionCase:
    """One row of `predict` and what was measured; seconds, tokens, requests. One replica each."""

    case_id: str
    model: str
    accelerator: str
    accelerators: int
    engine: str
    engine_version: str
    tp: int
    pp: int
    ep: int
    dp_attention: int
    weights_format: str
    activations_format: str
    kv_format: str
    prompt_tokens: float
    output_tokens: float
    concurrency: float
    measured_ttft_s: float
    measured_tpot_s: float

    @property
    def measured_tokens_per_s(self) -> float:
        """Output tokens/s of all clients, which follows from their times: a client has one request at a time."""
        cycle_s = self.measured_ttft_s + self.output_tokens * self.measured_tpot_s
        return self.concurrency * self.output_tokens / cycle_s

    @property
    def cells(self) -> dict[str, str]:
        """The row as a case file holds it."""
        return {name: str(value) for name, value in asdict(self).items()}


def read_silicon(measured: Path) -> tuple[PredictionCase, ...]:
    """Read the aggregated runs of `measured`/silicon_sample_public.csv.

    Raises FileNotFoundError without the file, ValueError (with the run) for a cell that is not understood.
    """
    with (measured / FILE_NAME).open(encoding="utf-8", newline="") as file:
        return tuple(_cases(csv.DictReader(file)))


def _cases(rows: Iterable[Mapping[str, str]]) -> Iterator[PredictionCase]:
    for row in rows:
        if row["mode"] != AGGREGATED:
            continue
        try:
            yield _case(row)
        except (KeyError, ValueError) as error:
            raise ValueError(f"run {row['id']}: {error}") from error


def _case(row: Mapping[str, str]) -> PredictionCase:
    origin = row["silicon_data_source"]
    dumped = DUMP in origin
    tp, ep, dp_attention = _dump_layout(row) if dumped else _plain_layout(row)
    pp = int(row["pp_size"])
    weights, activations = _FORMATS[row["gemm_quant_mode"]]
    share = DUMP_LENGTH_SHARE if dumped else 1.0
    return PredictionCase(
        case_id=row["id"],
        model=_MODELS[row["model_path"]],
        accelerator=_PARTS[row["system"]],
        accelerators=tp * pp,
        engine=row["backend"],
        engine_version=row["backend_version"],
        tp=tp,
        pp=pp,
        ep=ep,
        dp_attention=dp_attention,
        weights_format=weights,
        activations_format=activations,
        kv_format="fp8" if dumped else "bf16",
        prompt_tokens=share * float(row["isl"]),
        output_tokens=share * float(row["osl"]),
        concurrency=_dump_concurrency(origin) if dumped else float(row["batch_size"]),
        measured_ttft_s=float(row["silicon_ttft_ms"]) / 1e3,
        measured_tpot_s=float(row["silicon_tpot_ms"]) / 1e3,
    )


def _dump_concurrency(origin: str) -> float:
    found = _CONCURRENCY.search(origin)
    if found is None:
        raise ValueError(f"no concurrency in {origin!r}")
    return float(found.group(1))


def _dump_layout(row: Mapping[str, str]) -> tuple[int, int, int]:
    """(tp, ep, attention dp) of a dump row: products of attention and expert ranks are one set of ranks."""
    tp, dp_attention, ep = int(row["tp_size"]), int(row["attention_dp_size"]), int(row["moe_ep_size"])
    if dp_attention > 1:
        ranks = _DUMP_RANKS[dp_attention]
        return ranks, ranks, ranks
    ranks = _DUMP_RANKS.get(tp, tp)
    return ranks, min(ep, ranks), 1


def _plain_layout(row: Mapping[str, str]) -> tuple[int, int, int]:
    """(tp, ep, attention dp) of other rows; an empty or zero expert or attention size is one."""
    return int(row["tp_size"]), int(row["moe_ep_size"] or 1) or 1, int(row["attention_dp_size"] or 1) or 1


@dataclass(frozen=True)
class Agreement:
    """How predictions of one group compare with measurements: logarithms of predicted/measured."""

    cases: int
    predicted: int
    median_log_error: float
    p90_log_error: float
    median_log_bias: float


def agreement(predicted: Sequence[float | None], measured: Sequence[float]) -> Agreement:
    """Compare predictions (None: not predicted) with measurements, all positive.

    Raises ValueError if nothing was predicted.
    """
    logs = [math.log(value / truth) for value, truth in zip(predicted, measured, strict=True) if value is not None]
    if not logs:
        raise ValueError("no case was predicted")
    sizes = sorted(abs(log) for log in logs)
    return Agreement(
        cases=len(measured),
        predicted=len(logs),
        median_log_error=_quantile(sizes, 0.5),
        p90_log_error=_quantile(sizes, 0.9),
        median_log_bias=_quantile(sorted(logs), 0.5),
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Quantile of ordered values, linear between them."""
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])
