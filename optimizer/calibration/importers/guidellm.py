"""GuideLLM `benchmarks.json`, report version 2: several benchmarks in a file.

`time_per_output_token_ms` counts the first token in; `inter_token_latency_ms` does not, so that one is TPOT. Requests
that the end of a benchmark cut off are neither successful nor errors.
"""

from __future__ import annotations

from collections.abc import Sequence

from optimizer.calibration.importers.record import SECONDS_PER_MS, Record, ResultError
from optimizer.calibration.importers.results import BenchmarkResult, Latency, Tool

SIGNS = ("benchmarks", "metadata.guidellm_version")
REPORT_VERSION = 2
_OPEN = ("constant", "poisson", "async")


def recognises(record: Record) -> bool:
    """Whether the object is a report of this tool."""
    metadata = record.values.get("metadata")
    return "benchmarks" in record.values and isinstance(metadata, dict) and "guidellm_version" in metadata


def read(records: Sequence[Record]) -> tuple[BenchmarkResult, ...]:
    """One result per benchmark; ResultError names what is missing, or another version of the report."""
    results = []
    for record in records:
        metadata = record.record("metadata")
        version = metadata.optional_number("version")
        if version != REPORT_VERSION:
            raise ResultError(f"{metadata.name_of('version')}: {version}; reports of version {REPORT_VERSION} are read")
        tool_version = metadata.optional_text("guidellm_version")
        results += [
            _run(benchmark, tool_version, position) for position, benchmark in enumerate(record.records("benchmarks"))
        ]
    return tuple(results)


def _run(benchmark: Record, tool_version: str | None, position: int) -> BenchmarkResult:
    config, metrics = benchmark.record("config"), benchmark.record("metrics")
    strategy = config.record("strategy")
    kind = strategy.optional_text("type_")
    totals = metrics.record("request_totals")
    concurrency: float | None = None
    if kind == "synchronous":
        concurrency = 1.0
    elif kind == "concurrent":
        concurrency = strategy.optional_number("streams") or strategy.number("max_concurrency")
    throughput = metrics.optional_record("output_tokens_per_second")
    return BenchmarkResult(
        source=f"{benchmark.place} benchmark {position}",
        tool=Tool.GUIDELLM,
        tool_version=tool_version,
        model=config.record("backend").optional_text("model"),
        prompt_tokens=metrics.record("prompt_token_count").record("successful").number("mean"),
        output_tokens=metrics.record("output_token_count").record("successful").number("mean"),
        concurrency=concurrency,
        request_rate_per_s=strategy.number("rate") if kind in _OPEN else None,
        requests=totals.count("successful"),
        failed=totals.count("errored"),
        duration_s=benchmark.optional_number("duration"),
        ttft=_latency(metrics.record("time_to_first_token_ms"), SECONDS_PER_MS),
        tpot=_latency(metrics.record("inter_token_latency_ms"), SECONDS_PER_MS),
        e2e=_latency(metrics.record("request_latency"), 1.0),
        output_tokens_per_s=None if throughput is None else throughput.record("successful").number("mean"),
    )


def _latency(statistics: Record, scale: float) -> Latency:
    successful = statistics.record("successful")
    percentiles = successful.optional_record("percentiles")

    def seconds(key: str) -> float | None:
        value = None if percentiles is None else percentiles.optional_number(key)
        return None if value is None else scale * value

    return Latency(
        mean_s=scale * successful.number("mean"), p50_s=seconds("p50"), p90_s=seconds("p90"), p99_s=seconds("p99")
    )
