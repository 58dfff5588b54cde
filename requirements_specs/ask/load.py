"""Users, concurrency and tokens per time as a request rate: Little's law, with everything that it takes for granted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from requirements_specs import convert
from requirements_specs.ask.chat import CHAT
from requirements_specs.ask.latency import Limit
from requirements_specs.ask.scan import Slots
from requirements_specs.quantity import Dimension, format_quantity
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from requirements_specs.serving import ServingSpec
from requirements_specs.write import Value

ASSUMED_TPOT_S = 0.05
"""Seconds per token of an answer whose pace nobody limits: 20 tokens/s, several times as fast as people read."""

ASSUMED_PREFILL_TOKENS_PER_S = 10_000.0
"""Prompt tokens per second where nobody limits the first token: about those of a 70B model on a few accelerators."""

_DIGITS = 4


@dataclass(frozen=True)
class Load:
    """Mean lengths, tokens, and the limits of a base spec: what turns users and tokens into requests."""

    prompt_mean: float
    output_mean: float
    limits: Sequence[LatencyLimit] = ()

    @classmethod
    def of(cls, lengths: Mapping[str, Value], base: ServingSpec | None) -> Load:
        """Return the means of lengths as drafted; one that is absent is the base's, one by statistics is a chat's.

        Raises:
            ValueProblem: a length is none.
        """
        if base is None:
            return cls(_mean(lengths, "prompt_tokens"), _mean(lengths, "output_tokens"))
        before = base.workload
        return cls(
            prompt_mean=_mean(lengths, "prompt_tokens", before.prompt_tokens.mean),
            output_mean=_mean(lengths, "output_tokens", before.output_tokens.mean),
            limits=base.slo,
        )


def load_of(slots: Slots, load: Load) -> tuple[str, str] | None:
    """Return the request rate as a spec writes it, and why; None if nothing is said of users or tokens.

    Raises:
        ValueProblem: a number or a limit that is none, or a rate that no spec may have.
    """
    traffic = slots.traffic
    if traffic.tokens_per_s is not None:
        means = {"input": load.prompt_mean, "output": load.output_mean}
        each = means.get(traffic.tokens_kind, load.prompt_mean + load.output_mean)
        return _rate(traffic.tokens_per_s / each), f"{traffic.tokens_kind} tokens over {each:,.0f} of one request"
    if traffic.concurrency is None:
        return None
    if traffic.rate_each is not None:
        each_per_s = convert.request_rate(traffic.rate_each)
        return _rate(traffic.concurrency * each_per_s), f"{traffic.concurrency:,} users, {traffic.rate_each} each"
    seconds, how = _time_of_a_request(slots, load)
    why = (
        f"{traffic.concurrency:,} users who always have one request open, each for {how}: by Little's law "
        f"{traffic.concurrency:,} / {seconds:.4g} s; --rate states it instead"
    )
    return _rate(traffic.concurrency / seconds), why


def _mean(lengths: Mapping[str, Value], key: str, before: float | None = None) -> float:
    length = lengths.get(key)
    if isinstance(length, str):
        return convert.length(length)
    return before if length is None and before is not None else CHAT[key]["mean"]


def _rate(per_s: float) -> str:
    text = format_quantity(per_s, Dimension.REQUEST_RATE, digits=_DIGITS).replace(",", "")
    convert.request_rate(text)
    return text


def _time_of_a_request(slots: Slots, load: Load) -> tuple[float, str]:
    """Seconds from arrival to the last token while every limit is just met, and how they are made up."""
    limits = _limits(slots.limits, load.limits)
    whole = limits.get(Metric.E2E)
    if whole is not None:
        return whole, f"{whole:.4g} s, the limit from end to end"
    first, pace = limits.get(Metric.TTFT), limits.get(Metric.TPOT)
    if pace is None and slots.traffic.tokens_each_per_s:
        pace = 1.0 / slots.traffic.tokens_each_per_s
    parts = []
    if first is None:
        first = load.prompt_mean / ASSUMED_PREFILL_TOKENS_PER_S
        parts.append(
            f"{first:.3g} s to the first token ({ASSUMED_PREFILL_TOKENS_PER_S:,.0f} prompt tokens/s, not limited)"
        )
    else:
        parts.append(f"{first:.3g} s to the first token")
    if pace is None:
        pace = ASSUMED_TPOT_S
        parts.append(f"{load.output_mean:,.0f} tokens at {1000 * pace:.4g} ms ({1 / pace:g} tokens/s, not limited)")
    else:
        parts.append(f"{load.output_mean:,.0f} tokens at {1000 * pace:.4g} ms")
    return first + load.output_mean * pace, " and ".join(parts)


def _limits(said: Sequence[Limit], base: Sequence[LatencyLimit]) -> dict[Metric, float]:
    """The limit of each metric, seconds: that of its mean, else the loosest, to which the mean may come."""
    given = {(limit.metric, limit.statistic): limit.limit_s for limit in base}
    given |= {(limit.metric, limit.statistic): convert.latency(limit.time) for limit in said}
    found: dict[Metric, float] = {}
    for metric in Metric:
        seconds = {statistic: value for (of, statistic), value in given.items() if of is metric}
        if seconds:
            found[metric] = seconds.get(Statistic.MEAN, max(seconds.values()))
    return found
