"""Whether a result can be trusted, and the TPOT that it is read as.

Tools disagree about what they call TPOT, and some count chunks for tokens. By definition E2E = TTFT + (output − 1)·TPOT
for every request, so for the means where lengths are alike: where a file has all three and they disagree, TPOT is
recomputed and the result says so; where they disagree beyond reason, none of them is believed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from optimizer.calibration.importers import BenchmarkResult, Latency, ResultError

# Means over requests of unequal lengths keep the identity this well.
AGREEMENT = 1.1
LARGEST_DISAGREEMENT = 3.0
LARGEST_FAILED_SHARE = 0.01


def checked(result: BenchmarkResult) -> BenchmarkResult:
    """The result with a TPOT that agrees with its E2E.

    Raises ResultError for no completed request, more than 1 % failed ones, a number that is not positive and finite,
    outputs of one token, neither TPOT nor E2E, or a TPOT beyond three times what E2E says.
    """
    _refuse_failures(result)
    for name, value in _figures(result):
        if not 0.0 < value < math.inf:
            raise ResultError(f"{result.source}: {name} is {value:g}; a measured run has a positive, finite one")
    if result.output_tokens <= 1.0:
        raise ResultError(f"{result.source}: outputs of {result.output_tokens:g} tokens have no time per output token")
    if result.e2e is None:
        if result.tpot is None:
            raise ResultError(f"{result.source}: neither a time per output token nor an end-to-end latency")
        return result
    return _with_own_tpot(result, result.e2e)


def _refuse_failures(result: BenchmarkResult) -> None:
    if result.requests is not None and result.requests <= 0:  # a report may say that more failed than were sent
        raise ResultError(f"{result.source}: no request was completed")
    if result.requests is not None and result.failed:
        share = result.failed / (result.requests + result.failed)
        if share > LARGEST_FAILED_SHARE:
            raise ResultError(
                f"{result.source}: {result.failed} of {result.requests + result.failed} requests failed "
                f"({share:.1%}; at most {LARGEST_FAILED_SHARE:.0%}): latencies of the others do not stand for the load"
            )


def _figures(result: BenchmarkResult) -> Iterator[tuple[str, float]]:
    """Every number of a result that must be positive, with its name."""
    yield "prompt tokens per request", result.prompt_tokens
    yield "output tokens per request", result.output_tokens
    for name, value in (
        ("concurrency", result.concurrency),
        ("request rate", result.request_rate_per_s),
        ("duration", result.duration_s),
        ("output tokens/s", result.output_tokens_per_s),
    ):
        if value is not None:
            yield name, value
    for metric, latency in (("ttft", result.ttft), ("tpot", result.tpot), ("e2e", result.e2e)):
        if latency is None:
            continue
        for statistic, seconds in (
            ("mean", latency.mean_s),
            ("p50", latency.p50_s),
            ("p90", latency.p90_s),
            ("p99", latency.p99_s),
        ):
            # a percentile of TPOT may be 0, where most answers have one token
            if seconds is not None and (statistic == "mean" or seconds != 0.0):
                yield f"{metric} {statistic}", seconds


def _with_own_tpot(result: BenchmarkResult, e2e: Latency) -> BenchmarkResult:
    own_s = (e2e.mean_s - result.ttft.mean_s) / (result.output_tokens - 1.0)
    if own_s <= 0.0:
        raise ResultError(
            f"{result.source}: mean e2e {e2e.mean_s:g} s is not longer than mean ttft {result.ttft.mean_s:g} s"
        )
    if result.tpot is None:
        return result.model_copy(update={"tpot": Latency(mean_s=own_s)})
    ratio = own_s / result.tpot.mean_s
    if max(ratio, 1.0 / ratio) > LARGEST_DISAGREEMENT:
        raise ResultError(
            f"{result.source}: e2e, ttft and tpot contradict each other: (e2e − ttft)/(output − 1) is "
            f"{own_s * 1e3:.3g} ms, {ratio:.2f} × the tpot of {result.tpot.mean_s * 1e3:.3g} ms; beyond "
            f"{LARGEST_DISAGREEMENT:g} × neither is believed"
        )
    if max(ratio, 1.0 / ratio) <= AGREEMENT:
        return result
    note = f"tpot recomputed from e2e and ttft: {ratio:.2f} × the {result.tpot.mean_s * 1e3:.3g} ms in the file"
    return result.model_copy(update={"tpot": Latency(mean_s=own_s), "notes": (*result.notes, note)})
