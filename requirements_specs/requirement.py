"""A requirement: the atom that is checked, explained and relaxed. Times are seconds, money is dollars."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Frozen(BaseModel):
    """Base of every entity of a spec: immutable, no unknown keys, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Metric(StrEnum):
    """A latency of one request, at the server.

    ttft: arrival to first token (queue, host and prefill included). tpot: (e2e − ttft)/(output tokens − 1).
    e2e: arrival to last token.
    """

    TTFT = "ttft"
    TPOT = "tpot"
    E2E = "e2e"


class Statistic(StrEnum):
    """Which number of a latency's distribution over requests is limited."""

    MEAN = "mean"
    P50 = "p50"
    P90 = "p90"
    P95 = "p95"
    P99 = "p99"

    @property
    def probability(self) -> float | None:
        """The share of requests at or below the statistic; None for the mean."""
        return None if self is Statistic.MEAN else int(self.value[1:]) / 100


class BudgetMetric(StrEnum):
    """What a budget limits, dollars."""

    USD_PER_HOUR = "usd_per_hour"
    USD_PER_MONTH = "usd_per_month"
    USD_PER_MILLION_OUTPUT_TOKENS = "usd_per_million_output_tokens"


class Requirement(Frozen):
    """One upper limit of a spec, in the form that conflicts and relaxations speak of.

    `id` is its path in the spec: `slo.ttft.p99`, `budget.usd_per_hour`. `limit` is in seconds or dollars.
    """

    id: str
    metric: Metric | BudgetMetric
    statistic: Statistic | None = None
    limit: float = Field(gt=0)


class LatencyLimit(Frozen):
    """`statistic` of `metric` over requests must not exceed `limit_s` seconds."""

    metric: Metric
    statistic: Statistic
    limit_s: float = Field(gt=0)

    @property
    def id(self) -> str:
        """The path in the spec, as `slo.ttft.p99`."""
        return f"slo.{self.metric}.{self.statistic}"

    @property
    def requirement(self) -> Requirement:
        """The same limit as a requirement."""
        return Requirement(id=self.id, metric=self.metric, statistic=self.statistic, limit=self.limit_s)
