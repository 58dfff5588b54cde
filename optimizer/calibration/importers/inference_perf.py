"""inference-perf `stage_N_lifecycle_metrics.json`: one stage, latencies in seconds.

It writes no model. Before 0.7 its `time_per_output_token` was the mean gap between chunks, too low where two chunks
come together; the consistency of a run with its own E2E decides, not the version.
"""

from __future__ import annotations

from collections.abc import Sequence

from optimizer.calibration.importers.record import Record
from optimizer.calibration.importers.results import BenchmarkResult, Latency, Tool

SIGNS = ("load_summary", "successes")


def recognises(record: Record) -> bool:
    """Whether the object is a stage of this tool."""
    return all(sign in record.values for sign in SIGNS)


def read(records: Sequence[Record]) -> tuple[BenchmarkResult, ...]:
    """One result per stage; ResultError names what is missing."""
    return tuple(_run(record) for record in records)


def _run(record: Record) -> BenchmarkResult:
    load, successes = record.record("load_summary"), record.record("successes")
    latencies, throughput = successes.record("latency"), successes.record("throughput")
    failures = record.optional_record("failures")
    concurrency = load.optional_number("concurrency")
    rate = load.optional_number("requested_rate")
    tpot = latencies.optional_record("time_per_output_token")
    e2e = latencies.optional_record("request_latency")
    return BenchmarkResult(
        source=record.place,
        tool=Tool.INFERENCE_PERF,
        model=None,
        prompt_tokens=successes.record("prompt_len").number("mean"),
        output_tokens=successes.record("output_len").number("mean"),
        concurrency=concurrency,
        request_rate_per_s=None if concurrency is not None else rate,
        requests=successes.count("count"),
        failed=None if failures is None else failures.count("count"),
        duration_s=load.optional_number("send_duration"),
        ttft=_latency(latencies.record("time_to_first_token")),
        tpot=None if tpot is None else _latency(tpot),
        e2e=None if e2e is None else _latency(e2e),
        output_tokens_per_s=throughput.optional_number("output_tokens_per_sec"),
    )


def _latency(statistics: Record) -> Latency:
    return Latency(
        mean_s=statistics.number("mean"),
        p50_s=statistics.optional_number("median"),
        p90_s=statistics.optional_number("p90"),
        p99_s=statistics.optional_number("p99"),
    )
