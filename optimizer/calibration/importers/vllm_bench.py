"""`vllm bench serve --save-result`: one JSON object a run, latencies in ms, also appended one after the other.

The tool does not write the part, the layout or the engine; `--metadata gpu=h100-sxm tp=4 engine=vllm` puts them at the
top of the object, as text, and they are read from there. E2E is there only with `--percentile-metrics` that names e2el.
"""

from __future__ import annotations

from collections.abc import Sequence

from optimizer.calibration.importers.record import SECONDS_PER_MS, Record
from optimizer.calibration.importers.results import BenchmarkResult, Deployment, Latency, Tool

SIGNS = ("model_id", "mean_ttft_ms", "completed")


def recognises(record: Record) -> bool:
    """Whether the object is a run of this tool."""
    return all(sign in record.values for sign in SIGNS)


def read(records: Sequence[Record]) -> tuple[BenchmarkResult, ...]:
    """One result per object; ResultError names what is missing."""
    return tuple(run(record, Tool.VLLM_BENCH, _deployment(record)) for record in records)


def run(record: Record, tool: Tool, deployment: Deployment) -> BenchmarkResult:
    """One run in this tool's keys."""
    completed = record.count("completed")
    per_request = max(completed, 1)
    rate = record.optional_rate("request_rate")
    open_rate = rate if rate is not None and rate != float("inf") else None
    return BenchmarkResult(
        source=record.place,
        tool=tool,
        model=record.optional_text("model_id"),
        deployment=deployment,
        prompt_tokens=record.number("total_input_tokens") / per_request,
        output_tokens=record.number("total_output_tokens") / per_request,
        concurrency=None if open_rate is not None else record.optional_number("max_concurrency"),
        request_rate_per_s=open_rate,
        requests=completed,
        failed=_failed(record, completed),
        duration_s=record.number("duration"),
        ttft=latency(record, "ttft_ms"),
        tpot=latency(record, "tpot_ms"),
        e2e=latency(record, "e2el_ms") if "mean_e2el_ms" in record else None,
        output_tokens_per_s=record.optional_number("output_throughput"),
    )


def _failed(record: Record, completed: int) -> int | None:
    """Failed requests; older files only say how many were sent."""
    failed, sent = record.optional_count("failed"), record.optional_count("num_prompts")
    return failed if failed is not None or sent is None else max(sent - completed, 0)


def latency(record: Record, name: str) -> Latency:
    """Statistics under `mean_NAME`, `median_NAME`, `p90_NAME`, `p99_NAME`, in ms."""

    def seconds(key: str) -> float | None:
        value = record.optional_number(f"{key}_{name}")
        return None if value is None else SECONDS_PER_MS * value

    return Latency(
        mean_s=SECONDS_PER_MS * record.number(f"mean_{name}"),
        p50_s=seconds("median"),
        p90_s=seconds("p90"),
        p99_s=seconds("p99"),
    )


def _deployment(record: Record) -> Deployment:
    return Deployment(
        accelerator=record.optional_text("gpu"),
        engine=record.optional_text("engine"),
        tp=record.optional_count("tp"),
        pp=record.optional_count("pp"),
        ep=record.optional_count("ep"),
        weights_format=record.optional_text("quant"),
    )
