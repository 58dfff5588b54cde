"""A spec in short lines for people."""

from pathlib import Path

from requirements_specs.lengths import LengthDistribution
from requirements_specs.profile import Period
from requirements_specs.quantity import Dimension, format_quantity
from requirements_specs.requirement import BudgetMetric
from requirements_specs.serving import Budget, IntegerChoice, Inventory, Objective, ServingSpec
from requirements_specs.workload import LEAST_REQUEST_RATE_PER_S, ArrivalTrace, Workload

_BUDGET_DIMENSIONS = {
    BudgetMetric.USD_PER_HOUR: Dimension.MONEY_PER_HOUR,
    BudgetMetric.USD_PER_MONTH: Dimension.MONEY_PER_MONTH,
    BudgetMetric.USD_PER_MILLION_OUTPUT_TOKENS: Dimension.MONEY_PER_MILLION_TOKENS,
}

_FEW_PERIODS = 4


def restate(spec: ServingSpec) -> tuple[str, ...]:
    """Return what is asked, a line each: traffic, lengths, limits and, where given, budget, inventory and pins."""
    lines = [f"{_model(spec)}; {_traffic(spec)}", _lengths(spec), _limits(spec)]
    lines += [line for line in (_budget(spec.budget), _inventory(spec.inventory), _pins(spec)) if line]
    return tuple(lines)


def _model(spec: ServingSpec) -> str:
    """The model; one that the spec brings has what was read of it among the assumptions."""
    read = next((f" ({each.value})" for each in spec.assumed if each.key == "model"), "")
    return f"model {spec.model}{read}"


def _traffic(spec: ServingSpec) -> str:
    workload = spec.workload
    job = workload.offline
    if job is not None:
        text = f"{job.requests:,} requests in {format_quantity(job.window_s, Dimension.TIME)}"
    else:
        digits = None if workload.trace is None else 3
        rate = format_quantity(workload.request_rate_per_s, Dimension.REQUEST_RATE, digits)
        text = f"{rate}{_bursts(workload)}"
    if spec.objective is Objective.FASTEST:
        text = f"fastest at {text}"
    elif spec.objective is Objective.MOST_REQUESTS:
        least = workload.request_rate_per_s > LEAST_REQUEST_RATE_PER_S
        text = f"most requests, at least {text}" if least else f"most requests,{_bursts(workload)}"
    if workload.peak_factor != 1.0:
        text += f", {workload.peak_factor:g} times that at the peak"
    if workload.profile:
        text += f"; {_profile(workload.profile)}"
    if workload.growth is not None:
        monthly = format_quantity(workload.growth.monthly, Dimension.SHARE)
        text += f"; {monthly} more each month for {workload.growth.months} months"
    if workload.trace is not None:
        text += f"; {_trace(workload.trace)}"
    if workload.prefix_cache_hit:
        text += f"; {format_quantity(workload.prefix_cache_hit, Dimension.SHARE)} of prompt tokens cached"
    return text


def _bursts(workload: Workload) -> str:
    return f" in bursts of dispersion {workload.index_of_dispersion:.3g}" if workload.bursty else " Poisson"


def _trace(trace: ArrivalTrace) -> str:
    """Where the rate comes from, and how bursty the requests come there."""
    window = format_quantity(trace.window_s, Dimension.TIME, 3)
    indices = [f"{each.index:.3g} in {format_quantity(each.scale_s, Dimension.TIME)}" for each in trace.dispersions]
    dispersion = f"; dispersion {', '.join(indices)}" if indices else ""
    return f"busiest {window} of {trace.file} from {trace.window_start}{dispersion}"


def _profile(periods: tuple[Period, ...]) -> str:
    """The factors of each period, or their range where they are many."""
    if len(periods) <= _FEW_PERIODS:
        times = ", ".join(f"{period.factor:g} ({period.hours:g} h)" for period in periods)
        return f"times {times}"
    factors = [period.factor for period in periods]
    return f"times {min(factors):g} to {max(factors):g} in {len(periods)} periods"


def _lengths(spec: ServingSpec) -> str:
    prompt, output = _length(spec.workload.prompt_tokens), _length(spec.workload.output_tokens)
    return f"prompt {prompt} tokens; output {output} tokens"


def _length(length: LengthDistribution) -> str:
    if length.is_constant:
        return f"{length.mean:,g}"
    stated = length.stated or (("mean", length.mean), ("p50", length.quantile(0.5)), ("p99", length.quantile(0.99)))
    return " ".join(f"{name} {round(value):,}" for name, value in (*stated, ("longest", length.maximum)))


def _limits(spec: ServingSpec) -> str:
    limits = [
        f"{limit.metric} {limit.statistic} ≤ {format_quantity(limit.limit_s, Dimension.TIME)}" for limit in spec.slo
    ]
    if spec.workload.offline is not None:
        return "as few accelerators as can be" if spec.objective is Objective.SMALLEST_FLEET else "as cheap as can be"
    return "; ".join(limits) or "no latency limit"


def budget_texts(budget: Budget) -> list[str]:
    """Return each limit of a budget with its unit."""
    return [
        format_quantity(limit.limit, _BUDGET_DIMENSIONS[BudgetMetric(limit.metric)]) for limit in budget.requirements
    ]


def _budget(budget: Budget) -> str:
    limits = budget_texts(budget)
    return f"at most {' and '.join(limits)}" if limits else ""


def _inventory(inventory: Inventory) -> str:
    parts = [
        f"{noun} {', '.join(names)}"
        for noun, names in (
            ("providers", inventory.providers),
            ("regions", inventory.regions),
            ("accelerators", inventory.accelerators),
            ("custom", inventory.custom_accelerators),
            ("without", inventory.exclude_offers),
        )
        if names
    ]
    if inventory.max_accelerators is not None:
        parts.append(f"at most {inventory.max_accelerators:,} accelerators")
    if inventory.spot is not None:
        restart = format_quantity(inventory.spot.restart_s, Dimension.TIME)
        parts.append(f"spot taken back {inventory.spot.interruptions_per_hour:g} times an hour, back in {restart}")
    if inventory.estimated_parts:
        parts.append("estimated parts allowed")
    if inventory.undated:
        parts.append("undated prices allowed")
    parts += [
        f"owned {each.machines:,} × {each.accelerators} {each.accelerator} at {_per_hour(each.usd_micro_per_hour)}"
        for each in inventory.owned
    ]
    if inventory.prices is not None:
        count = len(inventory.prices.prices)
        parts.append(f"{count:,} price{'' if count == 1 else 's'} of {Path(inventory.prices.file).name}")
    parts += [
        f"{format_quantity(each.share, Dimension.SHARE)} off list prices of {each.provider}"
        for each in inventory.discounts
    ]
    return "; ".join(parts)


def _per_hour(usd_micro: int) -> str:
    return format_quantity(usd_micro / 10**6, Dimension.MONEY_PER_HOUR)


def _pins(spec: ServingSpec) -> str:
    formats = (("weights", spec.formats.weights), ("activations", spec.formats.activations), ("KV", spec.formats.kv))
    layout = (
        ("tp", spec.layout.tp),
        ("pp", spec.layout.pp),
        ("ep", spec.layout.ep),
        ("dp_attention", spec.layout.dp_attention),
        ("accelerators per replica", spec.layout.accelerators_per_replica),
    )
    parts = [f"{noun} {' or '.join(names)}" for noun, names in formats if names]
    parts += [f"{noun} {_choice(choice)}" for noun, choice in layout if choice is not None]
    return "; ".join(parts)


def _choice(choice: IntegerChoice) -> str:
    if choice.values is not None:
        return " or ".join(str(value) for value in choice.values)
    return f"≥ {choice.least}" if choice.greatest is None else f"{choice.least} to {choice.greatest}"
