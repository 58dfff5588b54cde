"""What the design will do: latencies, or the duration of an offline job; how full its walls are."""

from optimizer.outcome.result import Result


class Latency(Result):
    """One latency metric; `p99_interval` is the central 90 % interval, its end null where the replica overloads."""

    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    p99_interval: tuple[float, float | None]


class Predicted(Result):
    """What the design will do at the stated rate, as a point prediction, and at the scenario of the risk.

    `output_tokens_per_s` is served by all replicas together. `utilization` is the rate over the highest rate. A job
    has no latencies: its requests wait for their turn; its duration at the risk stands beside its window.
    """

    ttft_s: Latency | None
    tpot_s: Latency | None
    e2e_s: Latency | None
    at_risk_s: dict[str, float]
    output_tokens_per_s: float
    utilization: float
    memory_bytes_per_accelerator: float
    highest_rate_per_s: float


class Padding(Result):
    """Prompt tokens that a static batch would add by padding, as a share, with prompts sorted into length buckets."""

    buckets: int
    overhead: float


class OfflineOut(Result):
    """An offline job: what it asks for, how long it takes and what it costs.

    `duration_s`, `drain_s` and `usd_per_job` are at the risk's scenario, the `expected_` ones point predictions;
    `duration_interval_s` is the central 90 % interval, its end null where the longest request no longer fits.
    `interruptions` is the expected number over all instances. `padding` and `longest_output_overhead` are of engines
    that run static batches; those of this answer batch continuously and pad nothing.
    """

    requests: int
    window_s: float
    duration_s: float
    drain_s: float
    expected_duration_s: float
    duration_interval_s: tuple[float, float | None]
    expected_requests_per_s: float
    expected_tokens_per_s: float
    sequences_per_replica: float
    interruptions: float
    usd_per_job: float
    expected_usd_per_job: float
    padding: tuple[Padding, ...]
    longest_output_overhead: float


class WallOut(Result):
    """One wall beside the design. Null where the figure does not apply.

    `gain_of_10_percent`: more requests per second, or more speed where the fastest is sought, with a tenth more of it.
    """

    id: str
    number: int | None
    utilization: float | None
    binding: bool
    gain_of_10_percent: float | None
    cost_falls_at_factor: float | None
