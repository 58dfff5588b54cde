"""What an offline job takes and costs."""

from __future__ import annotations

from optimizer.deliver.design_sections import counted, layout_text, price_texts
from optimizer.deliver.figures import dollars, long_duration, percent, request_rate, signed_percent
from optimizer.deliver.page import Section, listed, packed
from optimizer.outcome import Allowance, Cost, OfflineOut, Outcome, Pool
from requirements_specs.serving import Objective, ServingSpec


def cost(pool: Pool, price: Cost, job: OfflineOut, spec: ServingSpec) -> Section:
    """Dollars of the job and per token, whose price it is, and how many machines there are."""
    stock, priced = price_texts(pool)
    return packed(
        "Cost",
        (
            f"{dollars(job.usd_per_job)} at risk {spec.risk:g}, {dollars(job.expected_usd_per_job)} expected",
            f"{dollars(price.usd_per_million_tokens)} per M tokens, "
            f"{dollars(price.usd_per_million_output_tokens)} per M output tokens",
            f"{pool.instances:,} × {dollars(pool.usd_per_hour_per_instance)}/h, {stock}",
            priced,
        ),
        2,
    )


def predicted(job: OfflineOut, spec: ServingSpec) -> Section:
    """Duration against the window, throughput, and what the drain and interruptions take."""
    pieces = [
        f"done in {long_duration(job.duration_s)} at risk {spec.risk:g} ≤ {long_duration(job.window_s)}",
        f"{long_duration(job.expected_duration_s)} expected ({_interval(job)})",
        f"{request_rate(job.expected_requests_per_s)}, {job.expected_tokens_per_s:,.0f} tokens/s",
        f"{job.sequences_per_replica:,.0f} sequences each",
        f"drain {long_duration(job.drain_s)}",
    ]
    if job.interruptions:
        pieces.append(f"{job.interruptions:.3g} interruptions")
    return packed("Predicted", pieces, 2)


def _interval(job: OfflineOut) -> str:
    low, high = job.duration_interval_s
    return f"{long_duration(low)} to {'never' if high is None else long_duration(high)}"


def padding(pool: Pool, job: OfflineOut) -> Section:
    """What the engine does not pad, and what one that runs static batches would."""
    pieces = [f"{pool.engine.name} pads nothing"]
    whole, *sorted_by_length = job.padding
    if whole.overhead > 0.0:
        less = ", ".join(f"{percent(each.overhead)} in {each.buckets}" for each in sorted_by_length)
        pieces += [f"static batches would pad prompts by {percent(whole.overhead)}", f"{less} length buckets"]
    if job.longest_output_overhead > 0.0:
        pieces.append(f"and wait {percent(job.longest_output_overhead)} longer for the longest output")
    return packed("Batching", pieces, 2)


def next_best(outcome: Outcome, spec: ServingSpec) -> Section:
    """The next designs and what they lack."""
    if not outcome.alternatives:
        few = " on so few accelerators" if spec.objective is Objective.SMALLEST_FLEET else ""
        return packed("Next best", [f"no other design ends in the window{few}"], 1)
    lines = [
        f"{dollars(each.usd_per_job or 0.0)} {each.accelerator} {each.formats.weights} "
        f"{layout_text(each.layout)}: {each.why_not}"
        for each in outcome.alternatives
    ]
    return listed("Next best", lines, 2)


def allowances(outcome: Outcome) -> Section:
    """The job under other terms."""
    return packed("Otherwise", [_allowance(each, outcome) for each in outcome.allowances], 2)


def _allowance(allowance: Allowance, outcome: Outcome) -> str:
    if allowance.usd_per_job is None or allowance.accelerators is None or outcome.offline is None:
        return allowance.change
    change = allowance.usd_per_job / outcome.offline.usd_per_job - 1.0
    fleet = counted(allowance.accelerators, "accelerator")
    return f"{allowance.change}: {dollars(allowance.usd_per_job)} ({signed_percent(change)}) on {fleet}"
