"""What a design is, costs and does."""

from __future__ import annotations

from rich.text import Text

from optimizer.deliver.figures import dollars, duration, percent, request_rate
from optimizer.deliver.page import Section, packed
from optimizer.outcome import Cost, Latency, LayoutOut, Objective, ObjectiveMetric, Pool, Predicted
from requirements_specs.requirement import LatencyLimit, Metric
from requirements_specs.serving import ServingSpec

_METRIC_WIDTH = 5
_COLUMN_WIDTH = 9
_INTERVAL_WIDTH = 22


def layout_text(layout: LayoutOut) -> str:
    """`TP4`, `TP8 PP2 EP8`; DP is that of attention, and degrees of one are not spelled out."""
    others = (("PP", layout.pp), ("EP", layout.ep), ("DP", layout.dp_attention))
    return " ".join([f"TP{layout.tp}", *(f"{name}{degree}" for name, degree in others if degree > 1)])


def counted(number: int, noun: str) -> str:
    """`1 replica`, `4 replicas`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def machines_text(pool: Pool) -> str:
    """`2 × 8 h100-sxm-80gb as 4 replicas of TP4`."""
    each = pool.accelerators // pool.instances
    replicas = counted(pool.replicas, "replica")
    return f"{pool.instances:,} × {each} {pool.accelerator} as {replicas} of {layout_text(pool.layout)}"


def design(pool: Pool) -> Section:
    """Where it runs, with which formats and engine limits."""
    formats, engine = pool.formats, pool.engine
    numbers = f"{formats.weights} weights, {formats.activations} activations, {formats.kv} KV"
    if formats.weights == formats.activations:
        numbers = f"{formats.weights} weights and activations, {formats.kv} KV"
    return packed(
        "Design",
        (
            f"{pool.instances:,} × {pool.offer}",
            counted(pool.accelerators, "accelerator"),
            numbers,
            f"{engine.name} max_num_seqs {engine.max_num_seqs}, max_num_batched_tokens {engine.max_num_batched_tokens}",
        ),
        2,
    )


def price_texts(pool: Pool) -> tuple[str, str]:
    """How many machines there are, and whose price it is and of which day."""
    owned = pool.available_instances
    stock = "availability unknown" if owned is None else f"{counted(owned, 'machine')} owned"
    dated = f" of {pool.price_date}" if pool.price_date is not None else " without a date" if owned is None else ""
    return stock, f"{pool.price_kind} price{dated} from {pool.price_source}"


def cost(pool: Pool, price: Cost, prediction: Predicted) -> Section:
    """Dollars, what of them stands idle, whose price it is and of which day, and how many machines there are."""
    stock, priced = price_texts(pool)
    return packed(
        "Cost",
        (
            f"{dollars(price.usd_per_hour)}/h"
            + ("" if price.usd_per_month is None else f", {dollars(price.usd_per_month)}/month"),
            f"{dollars(price.usd_per_million_input_tokens)} per M input, "
            f"{dollars(price.usd_per_million_output_tokens)} per M output tokens",
            f"{percent(price.idle_share)} idle: it would carry {request_rate(prediction.highest_rate_per_s)}",
            f"{pool.instances:,} × {dollars(pool.usd_per_hour_per_instance)}/h, {stock}",
            priced,
        ),
        3,
    )


def predicted(prediction: Predicted, spec: ServingSpec, objective: Objective) -> Section:
    """The latencies, a row per metric, with the tightest limit of each in the scenario in which it was decided."""
    names = "".join(f"{name:>{_COLUMN_WIDTH}}" for name in ("mean", "p50", "p90", "p99"))
    interval = f"{'90 % interval of p99':<{_INTERVAL_WIDTH}}"
    least_s = objective.value if objective.metric is ObjectiveMetric.E2E_MEAN_S else None
    judged = f"limit at risk {spec.risk:g}" if spec.slo or least_s is not None else ""
    head = Text(f"{'':<{_METRIC_WIDTH}}{names}   {interval}{judged}".rstrip(), "dim")
    metrics = ((Metric.TTFT, prediction.ttft_s), (Metric.TPOT, prediction.tpot_s), (Metric.E2E, prediction.e2e_s))
    rows = [
        Text(f"{_latency(metric, latency)}{_tightest(metric, prediction, spec, least_s)}".rstrip())
        for metric, latency in metrics
        if latency is not None
    ]
    return Section("Predicted", (head, *rows))


def _latency(metric: Metric, latency: Latency) -> str:
    low, high = latency.p99_interval
    interval = f"{duration(low)} to {'overload' if high is None else duration(high)}"
    values = (latency.mean, latency.p50, latency.p90, latency.p99)
    columns = "".join(f"{duration(value):>{_COLUMN_WIDTH}}" for value in values)
    return f"{metric.value:<{_METRIC_WIDTH}}{columns}   {interval:<{_INTERVAL_WIDTH}}"


def _tightest(metric: Metric, prediction: Predicted, spec: ServingSpec, least_s: float | None) -> str:
    """The limit that is nearest; the mean of E2E where it is not limited but made least, `least_s`."""

    def ratio(limit: LatencyLimit) -> float:
        return prediction.at_risk_s[limit.id] / limit.limit_s

    limits = [limit for limit in spec.slo if limit.metric is metric]
    if not limits:
        return f"mean {duration(least_s)}, least" if metric is Metric.E2E and least_s is not None else ""
    limit = max(limits, key=ratio)
    others = f" (+{len(limits) - 1})" if len(limits) > 1 else ""
    return f"{limit.statistic} {duration(prediction.at_risk_s[limit.id])} ≤ {duration(limit.limit_s)}{others}"
