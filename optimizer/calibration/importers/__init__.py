"""Results of benchmark tools, one module per tool, read from a file's bytes alone.

The tool is told from what the file holds, never from its name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from optimizer.calibration.importers import (
    aiperf,
    dashboard,
    guidellm,
    inference_perf,
    llmd_report,
    llmperf,
    sglang,
    vllm_bench,
    vllm_sweep,
)
from optimizer.calibration.importers.documents import read_records
from optimizer.calibration.importers.record import Record, ResultError
from optimizer.calibration.importers.results import BenchmarkResult, Deployment, Latency, Tool

__all__ = ["BenchmarkResult", "Deployment", "Latency", "ResultError", "Tool", "read_results"]


@dataclass(frozen=True)
class Importer:
    """How the results of one tool are known and read; `signs` are the keys that tell it."""

    tool: Tool
    signs: tuple[str, ...]
    recognises: Callable[[Record], bool]
    read: Callable[[Sequence[Record]], tuple[BenchmarkResult, ...]]


# A tool whose keys include another's comes before it.
IMPORTERS = (
    Importer(Tool.VLLM_SWEEP, vllm_sweep.SIGNS, vllm_sweep.recognises, vllm_sweep.read),
    Importer(Tool.VLLM_BENCH, vllm_bench.SIGNS, vllm_bench.recognises, vllm_bench.read),
    Importer(Tool.SGLANG, sglang.SIGNS, sglang.recognises, sglang.read),
    Importer(Tool.AIPERF, aiperf.SIGNS, aiperf.recognises, aiperf.read),
    Importer(Tool.GUIDELLM, guidellm.SIGNS, guidellm.recognises, guidellm.read),
    Importer(Tool.INFERENCE_PERF, inference_perf.SIGNS, inference_perf.recognises, inference_perf.read),
    Importer(Tool.LLMD_REPORT, llmd_report.SIGNS, llmd_report.recognises, llmd_report.read),
    Importer(Tool.LLMPERF, llmperf.SIGNS, llmperf.recognises, llmperf.read),
    Importer(Tool.DASHBOARD, dashboard.SIGNS, dashboard.recognises, dashboard.read),
)


def read_results(data: bytes, source: str) -> tuple[BenchmarkResult, ...]:
    """The runs in a file's bytes; `source` names the file in results and messages.

    Raises ResultError for bytes that are no such file, an unknown tool, two tools in one file, no measured run, or what
    a tool's own reader refuses.
    """
    records = read_records(data, source)
    if not records:
        raise ResultError(f"{source}: no result in the file")
    importers = {_importer_of(record) for record in records}
    if len(importers) > 1:
        tools = ", ".join(sorted(importer.tool for importer in importers))
        raise ResultError(f"{source}: results of several tools ({tools}) in one file; give each its own")
    results = importers.pop().read(records)
    if not results:
        raise ResultError(f"{source}: no measured run in the file")
    return results


def _importer_of(record: Record) -> Importer:
    for importer in IMPORTERS:
        if importer.recognises(record):
            return importer
    looked_for = "; ".join(f"{importer.tool} ({', '.join(importer.signs)})" for importer in IMPORTERS)
    raise ResultError(
        f"{record.place}: a result of no tool that is known; it has {record.keys_shown(8)}; looked for {looked_for}"
    )
