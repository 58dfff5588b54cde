"""SGLang `bench_serving`: JSON lines, one run a line, latencies in ms, with the arguments of the server.

`random_input_len` is what was asked for; the lengths of the run are the totals over the completed requests. Failed
requests are not written.
"""

from __future__ import annotations

from collections.abc import Sequence

from optimizer.calibration.importers.record import Record
from optimizer.calibration.importers.results import BenchmarkResult, Deployment, Tool
from optimizer.calibration.importers.vllm_bench import latency

SIGNS = ("mean_ttft_ms", "completed", "server_info|sharegpt_output_len|random_input_len")
ENGINE = "sglang"


def recognises(record: Record) -> bool:
    """Whether the object is a run of this tool."""
    values = record.values
    own = ("server_info", "sharegpt_output_len", "random_input_len")
    return "mean_ttft_ms" in values and "completed" in values and any(key in values for key in own)


def read(records: Sequence[Record]) -> tuple[BenchmarkResult, ...]:
    """One result per line; ResultError names what is missing."""
    return tuple(_run(record) for record in records)


def _run(record: Record) -> BenchmarkResult:
    completed = record.count("completed")
    per_request = max(completed, 1)
    rate = record.optional_rate("request_rate")
    open_rate = rate if rate is not None and rate != float("inf") else None
    server = record.optional_record("server_info")
    return BenchmarkResult(
        source=record.place,
        tool=Tool.SGLANG,
        model=None if server is None else server.optional_text("model_path"),
        deployment=Deployment() if server is None else _deployment(server),
        prompt_tokens=record.number("total_input_tokens") / per_request,
        output_tokens=record.number("total_output_tokens") / per_request,
        concurrency=None if open_rate is not None else record.optional_number("max_concurrency"),
        request_rate_per_s=open_rate,
        requests=completed,
        failed=None,
        duration_s=record.number("duration"),
        ttft=latency(record, "ttft_ms"),
        tpot=latency(record, "tpot_ms"),
        e2e=latency(record, "e2e_latency_ms") if "mean_e2e_latency_ms" in record else None,
        output_tokens_per_s=record.optional_number("output_throughput"),
    )


def _deployment(server: Record) -> Deployment:
    return Deployment(
        engine=ENGINE,
        engine_version=server.optional_text("version"),
        tp=server.optional_count("tp_size"),
        pp=server.optional_count("pp_size"),
        ep=server.optional_count("ep_size"),
        dp_attention=server.optional_count("attn_dp_size"),
        weights_format=server.optional_text("quantization"),
    )
