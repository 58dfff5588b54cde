"""`vllm bench sweep serve`: `summary.csv` of a whole sweep, or the list in `summary.json` of one combination.

A row holds what `vllm bench serve` writes, the number of the run, and the parameters of server and client under the
names that the user gave them, dashes or underscores. The number is negative in runs that only warm up.
"""

from __future__ import annotations

from collections.abc import Sequence

from optimizer.calibration.importers import vllm_bench
from optimizer.calibration.importers.record import Record
from optimizer.calibration.importers.results import BenchmarkResult, Deployment, Tool

SIGNS = ("run_number", *vllm_bench.SIGNS)
ENGINE = "vllm"


def recognises(record: Record) -> bool:
    """Whether the row is a run of a sweep."""
    return all(sign in record.values for sign in SIGNS)


def read(records: Sequence[Record]) -> tuple[BenchmarkResult, ...]:
    """One result per row that measured; ResultError names what is missing."""
    return tuple(
        vllm_bench.run(record, Tool.VLLM_SWEEP, _deployment(record))
        for record in records
        if record.number("run_number") >= 0
    )


def _deployment(record: Record) -> Deployment:
    values = {str(key).lstrip("-").replace("-", "_"): value for key, value in record.values.items()}
    given = Record(values, record.place, record.path)
    return Deployment(
        accelerator=given.optional_text("gpu"),
        engine=ENGINE,
        tp=given.optional_count("tensor_parallel_size"),
        pp=given.optional_count("pipeline_parallel_size"),
        weights_format=given.optional_text("quantization"),
    )
