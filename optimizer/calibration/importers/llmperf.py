"""llmperf `*_summary.json`: flat keys, seconds.

Its `inter_token_latency_s` counts the first token in, so TPOT is taken from E2E and TTFT.
"""

from __future__ import annotations

from collections.abc import Sequence

from optimizer.calibration.importers.record import Record
from optimizer.calibration.importers.results import BenchmarkResult, Latency, Tool

SIGNS = ("results_ttft_s_mean", "results_number_errors")


def recognises(record: Record) -> bool:
    """Whether the object is a summary of this tool."""
    return SIGNS[0] in record.values


def read(records: Sequence[Record]) -> tuple[BenchmarkResult, ...]:
    """One result per summary; ResultError names what is missing."""
    return tuple(_run(record) for record in records)


def _run(record: Record) -> BenchmarkResult:
    requests = record.count("results_num_completed_requests")
    per_minute = record.optional_number("results_num_completed_requests_per_min")
    return BenchmarkResult(
        source=record.place,
        tool=Tool.LLMPERF,
        tool_version=record.optional_text("version"),
        model=record.optional_text("model"),
        prompt_tokens=record.number("results_number_input_tokens_mean"),
        output_tokens=record.number("results_number_output_tokens_mean"),
        concurrency=record.number("num_concurrent_requests"),
        request_rate_per_s=None,
        requests=requests,
        failed=record.count("results_number_errors"),
        duration_s=60.0 * requests / per_minute if per_minute else None,
        ttft=_latency(record, "results_ttft_s"),
        tpot=None,
        e2e=_latency(record, "results_end_to_end_latency_s"),
        output_tokens_per_s=record.optional_number("results_mean_output_throughput_token_per_s"),
    )


def _latency(record: Record, name: str) -> Latency:
    return Latency(
        mean_s=record.number(f"{name}_mean"),
        p50_s=record.optional_number(f"{name}_quantiles_p50"),
        p90_s=record.optional_number(f"{name}_quantiles_p90"),
        p99_s=record.optional_number(f"{name}_quantiles_p99"),
    )
