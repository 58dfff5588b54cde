"""What every importer returns: one benchmark run, in seconds and tokens, whatever tool measured it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Tool(StrEnum):
    """The tools whose results are read."""

    VLLM_BENCH = "vllm bench serve"
    VLLM_SWEEP = "vllm bench sweep serve"
    SGLANG = "sglang bench_serving"
    AIPERF = "aiperf"
    GUIDELLM = "guidellm"
    INFERENCE_PERF = "inference-perf"
    LLMD_REPORT = "llm-d benchmark report"
    LLMPERF = "llmperf"
    DASHBOARD = "dashboard in seconds"


class Frozen(BaseModel):
    """Base of what is read from a result file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Latency(Frozen):
    """One latency over the requests of a run, seconds; a percentile that the tool did not write is None."""

    mean_s: float
    p50_s: float | None = None
    p90_s: float | None = None
    p99_s: float | None = None


class Deployment(Frozen):
    """What a file says of the system under test, in its own words; None where it says nothing."""

    accelerator: str | None = None
    accelerators: int | None = None
    engine: str | None = None
    engine_version: str | None = None
    tp: int | None = None
    pp: int | None = None
    ep: int | None = None
    dp_attention: int | None = None
    weights_format: str | None = None


class BenchmarkResult(Frozen):
    """One run.

    source: file, and place in it if it holds several. model: the name that the tool used, None if it wrote none.
    prompt_tokens, output_tokens: means over the requests. concurrency: clients that each wait for their answer;
    request_rate_per_s: arrivals; both None where all requests were sent at once. requests: completed ones; None, as
    failed and duration_s, where the tool does not write them. tpot: per request (e2e − TTFT)/(output − 1).
    notes: what had to be put in the place of a missing figure.
    """

    source: str
    tool: Tool
    tool_version: str | None = None
    model: str | None
    deployment: Deployment = Deployment()
    prompt_tokens: float
    output_tokens: float
    concurrency: float | None
    request_rate_per_s: float | None
    requests: int | None
    failed: int | None
    duration_s: float | None
    ttft: Latency
    tpot: Latency | None
    e2e: Latency | None
    output_tokens_per_s: float | None
    notes: tuple[str, ...] = ()
