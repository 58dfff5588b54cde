"""Aggregates of public dashboards: the keys of `vllm bench serve` without `_ms`, in seconds.

They come as one object or as a list, some with the hardware and layout beside. Throughput may be per accelerator;
pools of prefill and decode are refused. A missing mean is taken from the median, and the result says so.
"""

from __future__ import annotations

from collections.abc import Sequence

from optimizer.calibration.importers.record import Record, ResultError
from optimizer.calibration.importers.results import BenchmarkResult, Deployment, Latency, Tool

SIGNS = ("median_ttft|mean_ttft", "model|model_id")
_POOLS = ("prefill_tp", "decode_tp", "num_prefill_gpu", "num_decode_gpu")
_ENGINES = {"trt": "trtllm", "trtllm": "trtllm", "tensorrt-llm": "trtllm"}


def recognises(record: Record) -> bool:
    """Whether the object is an aggregate in seconds."""
    values = record.values
    return ("median_ttft" in values or "mean_ttft" in values) and ("model" in values or "model_id" in values)


def read(records: Sequence[Record]) -> tuple[BenchmarkResult, ...]:
    """One result per object; ResultError names what is missing."""
    return tuple(_run(record) for record in records)


def _run(record: Record) -> BenchmarkResult:
    pools = [key for key in _POOLS if key in record]
    if pools:
        raise ResultError(f"{record.name_of(pools[0])}: prefill and decode pools cannot calibrate a mixed replica")
    notes: list[str] = []
    requests = record.optional_count("completed")
    per_request = max(requests or 1, 1)
    rate = record.optional_rate("request_rate")
    open_rate = rate if rate is not None and rate != float("inf") else None
    concurrency = record.optional_number("conc")
    if concurrency is None:
        concurrency = record.optional_number("max_concurrency")
    nominal = "total_input_tokens" not in record
    deployment = _deployment(record)
    return BenchmarkResult(
        source=record.place,
        tool=Tool.DASHBOARD,
        model=record.optional_text("model") or record.optional_text("model_id"),
        deployment=deployment,
        prompt_tokens=record.number("isl") if nominal else record.number("total_input_tokens") / per_request,
        output_tokens=record.number("osl") if nominal else record.number("total_output_tokens") / per_request,
        concurrency=None if open_rate is not None else concurrency,
        request_rate_per_s=open_rate,
        requests=requests,
        failed=record.optional_count("failed"),
        duration_s=record.optional_number("duration"),
        ttft=_latency(record, "ttft", notes),
        tpot=_latency(record, "tpot", notes),
        e2e=_latency(record, "e2el", notes) if "mean_e2el" in record or "median_e2el" in record else None,
        output_tokens_per_s=_throughput(record, deployment),
        notes=tuple(notes),
    )


def _latency(record: Record, name: str, notes: list[str]) -> Latency:
    median = record.optional_number(f"median_{name}")
    mean = record.optional_number(f"mean_{name}")
    if mean is None and median is not None:
        notes.append(f"{name}: no mean in the file, its median stands in")
        mean = median
    return Latency(
        mean_s=record.number(f"mean_{name}") if mean is None else mean,
        p50_s=median,
        p90_s=record.optional_number(f"p90_{name}"),
        p99_s=record.optional_number(f"p99_{name}"),
    )


def _deployment(record: Record) -> Deployment:
    framework = record.optional_text("framework")
    attention = record.optional_text("dp_attention")
    tp = record.optional_count("tp")
    return Deployment(
        accelerator=record.optional_text("hw"),
        engine=None if framework is None else _ENGINES.get(framework.lower(), framework.lower()),
        tp=tp,
        pp=record.optional_count("pp"),
        ep=record.optional_count("ep"),
        # a flag: attention is data-parallel over all ranks or not at all
        dp_attention=None if attention is None else tp if attention.lower() == "true" else 1,
        weights_format=record.optional_text("precision"),
    )


def _throughput(record: Record, deployment: Deployment) -> float | None:
    whole = record.optional_number("output_throughput")
    each = record.optional_number("output_tput_per_gpu")
    if whole is not None or each is None or deployment.tp is None:
        return whole
    return each * deployment.tp * (deployment.pp or 1)
