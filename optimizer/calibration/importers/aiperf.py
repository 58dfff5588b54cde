"""aiperf `profile_export_aiperf.json`, and the older genai-perf file of the same shape: a unit beside every figure.

`inter_token_latency` is per request, so it is TPOT; `inter_chunk_latency` is the gap between chunks and is not read.
"""

from __future__ import annotations

from collections.abc import Sequence

from optimizer.calibration.importers.record import SECONDS_PER_MS, Record, ResultError
from optimizer.calibration.importers.results import BenchmarkResult, Deployment, Latency, Tool

SIGNS = ("time_to_first_token.unit", "inter_token_latency", "request_latency")
_SECONDS = {"ms": SECONDS_PER_MS, "milliseconds": SECONDS_PER_MS, "s": 1.0, "sec": 1.0, "seconds": 1.0}
_SECONDS |= {"us": 1e-6, "microseconds": 1e-6, "ns": 1e-9, "nanoseconds": 1e-9}


def recognises(record: Record) -> bool:
    """Whether the object is an export of this tool."""
    first = record.values.get("time_to_first_token")
    return isinstance(first, dict) and "unit" in first and "request_latency" in record.values


def read(records: Sequence[Record]) -> tuple[BenchmarkResult, ...]:
    """One result per object; ResultError names what is missing."""
    return tuple(_run(record) for record in records)


def _run(record: Record) -> BenchmarkResult:
    failed = record.optional_record("error_request_count")
    throughput = record.optional_record("output_token_throughput")
    duration = record.optional_record("benchmark_duration")
    config = record.optional_record("input_config")
    load = None if config is None else config.optional_record("loadgen")
    rate = None if load is None else load.optional_number("request_rate")
    return BenchmarkResult(
        source=record.place,
        tool=Tool.AIPERF,
        tool_version=record.optional_text("aiperf_version"),
        model=_model(config),
        deployment=Deployment(accelerator=_accelerator(record)),
        prompt_tokens=record.record("input_sequence_length").number("avg"),
        output_tokens=record.record("output_sequence_length").number("avg"),
        concurrency=None if load is None or rate is not None else load.optional_number("concurrency"),
        request_rate_per_s=rate,
        requests=record.record("request_count").count("avg"),
        failed=0 if failed is None else failed.count("avg"),
        duration_s=None if duration is None else duration.number("avg") * _unit(duration),
        ttft=_latency(record.record("time_to_first_token")),
        tpot=_latency(record.record("inter_token_latency")),
        e2e=_latency(record.record("request_latency")),
        output_tokens_per_s=None if throughput is None else throughput.number("avg"),
    )


def _latency(statistics: Record) -> Latency:
    scale = _unit(statistics)

    def seconds(key: str) -> float | None:
        value = statistics.optional_number(key)
        return None if value is None else scale * value

    return Latency(
        mean_s=scale * statistics.number("avg"), p50_s=seconds("p50"), p90_s=seconds("p90"), p99_s=seconds("p99")
    )


def _unit(statistics: Record) -> float:
    """Seconds per unit of the figure."""
    unit = statistics.optional_text("unit")
    if unit not in _SECONDS:
        raise ResultError(f"{statistics.name_of('unit')}: {unit!r}; known: {', '.join(_SECONDS)}")
    return _SECONDS[unit]


def _model(config: Record | None) -> str | None:
    if config is None:
        return None
    endpoint = config.optional_record("endpoint")
    names = None if endpoint is None else endpoint.values.get("model_names")
    if isinstance(names, list) and len(names) == 1 and isinstance(names[0], str):
        return names[0]
    return config.optional_text("model")


def _accelerator(record: Record) -> str | None:
    """The part, where telemetry saw only one kind."""
    telemetry = record.optional_record("telemetry_data")
    if telemetry is None:
        return None
    names = set()
    endpoints = telemetry.record("endpoints")
    for endpoint in endpoints.values:
        gpus = endpoints.record(endpoint).record("gpus")
        names |= {gpus.record(gpu).optional_text("gpu_name") for gpu in gpus.values}
    return names.pop() if len(names) == 1 else None
