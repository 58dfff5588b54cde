"""Why nothing meets a specification: the wall, the floor in numbers, and what to change."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from catalog.walls import WallFamily
from optimizer.bottleneck.job_walls import WINDOW
from optimizer.deliver.figures import data, dollars, duration
from optimizer.deliver.page import GLUE, TEXT_WIDTH, Section, listed, packed
from optimizer.deliver.wall_sections import wall_name
from optimizer.outcome import Change, Floor, Outcome, SearchOut, SpecValue
from optimizer.question import POINT_PREDICTION
from optimizer.topology.layouts import Illegal
from requirements_specs.paths import value_at
from requirements_specs.requirement import BudgetMetric, Metric
from requirements_specs.serving import IntegerChoice, ServingSpec

_INDENT = 2 * GLUE
_MOST_WAYS = 6
# The floor of a part's memory is no requirement of the specification.
MEMORY_FLOOR = "memory_bytes_per_accelerator"
BUDGET_UNITS = {
    f"budget.{BudgetMetric.USD_PER_HOUR}": "/h",
    f"budget.{BudgetMetric.USD_PER_MONTH}": "/month",
    f"budget.{BudgetMetric.USD_PER_MILLION_OUTPUT_TOKENS}": "/M tokens",
}
# Keys that leave candidates out, by section.
NARROWING = {
    "inventory": ("providers", "regions", "accelerators", "exclude_offers", "max_accelerators"),
    "layout": ("tp", "pp", "ep", "dp_attention", "accelerators_per_replica"),
    "formats": ("weights", "activations", "kv"),
}
# What admits the candidates that are illegal for a reason.
ADMITTING = {
    Illegal.ESTIMATED_PART: "inventory.estimated_parts: true",
    Illegal.UNDATED_PRICE: "inventory.undated: true",
}


def wall(outcome: Outcome) -> Section:
    """The wall in words, and the floor that the explanation gives in numbers."""
    search = outcome.search
    if outcome.binding_wall is None:
        text = "no candidate is legal" if search.illegal == search.candidates else "no legal candidate meets the limits"
    else:
        text = wall_name(WallFamily(outcome.binding_wall))
        if outcome.floor is not None:
            text = f"{text}: {outcome.floor.explanation}"
    return packed("Wall", [text], 4, "bold")


def illegal(outcome: Outcome) -> Section:
    """The commonest reasons why candidates are illegal, where that is all there is to say."""
    if outcome.search.illegal < outcome.search.candidates:
        return Section("Illegal", ())
    reasons = sorted(_illegal_rows(outcome.search).items(), key=lambda item: (-item[1], item[0]))
    return listed("Illegal", [f"{rows:,} candidates: {reason.value}" for reason, rows in reasons], 3)


def conflicts(outcome: Outcome, spec: ServingSpec) -> Section:
    """What cannot be met together: each line is a set of which any member less can be."""
    found = outcome.conflicts or ()
    if found == ((),):
        return packed(
            "Conflict", ["nothing that is stated: no candidate that the assumptions admit carries this load"], 1
        )
    lines: list[str] = []
    for each in found:
        first, *more = wrap(" + ".join(_stated(path, spec) for path in each), TEXT_WIDTH - len(_INDENT))
        lines += [first, *(_INDENT + line for line in more)]
    return listed("Conflict", lines, 4)


def ways_out(outcome: Outcome, spec: ServingSpec) -> Section:
    """Relaxations with their prices, cheapest first."""
    found = outcome.relaxations or ()
    costs = [f"{dollars(each.usd_per_hour)}/h" for each in found]
    width = max((len(cost) for cost in costs[:_MOST_WAYS]), default=0)
    lines = [
        f"{cost:{GLUE}>{width}}{GLUE}{GLUE}{'; '.join(_change(change, spec) for change in each.changes)}"
        for cost, each in zip(costs, found, strict=True)
    ]
    return listed("Ways out", lines, _MOST_WAYS)


def _stated(path: str, spec: ServingSpec) -> str:
    """A requirement as the specification has it."""
    value = value_at(spec, path)
    if path in {requirement.id for requirement in spec.requirements}:
        return f"{path} ≤ {_amount(path, value, spec)}"
    if isinstance(value, IntegerChoice):
        ends = f"{value.least} to {value.greatest}" if value.greatest is not None else f"{value.least} or more"
        return f"{path} {ends if value.values is None else ' or '.join(map(str, value.values))}"
    if isinstance(value, tuple):
        return f"{path} {', '.join(value)}"
    return f"{path} {str(value).lower() if isinstance(value, bool) else value}"


def _change(change: Change, spec: ServingSpec) -> str:
    """A requirement as the specification would have it."""
    path, stated, to = change.requirement, change.stated, change.to
    if isinstance(stated, tuple) and isinstance(to, tuple):
        added = [str(each) for each in to if each not in stated]
        removed = [str(each) for each in stated if each not in to]
        return " ".join([path, *(f"+ {each}" for each in added), *(f"without {each}" for each in removed)])
    if isinstance(to, dict):
        return f"{path} {to['min']} to {to['max']}" if "max" in to else f"{path} {to['min']} or more"
    if isinstance(to, tuple):
        return f"{path} {' or '.join(map(str, to))}"
    if isinstance(to, bool):
        return f"{path}: {str(to).lower()}"
    return f"{path} {_amount(path, to, spec)}, now {_amount(path, stated, spec)}"


def _amount(path: str, value: SpecValue, spec: ServingSpec) -> str:
    """A number with its unit."""
    metric = next((each.metric for each in spec.requirements if each.id == path), None)
    if isinstance(value, int | float):
        if isinstance(metric, Metric):
            return duration(value)
        if isinstance(metric, BudgetMetric):
            return dollars(value)
    return f"{value:,}" if isinstance(value, int) else f"{value}"


def remedies(outcome: Outcome, spec: ServingSpec) -> Section:
    """What to change in the specification where no relaxation is known."""
    if outcome.relaxations:
        return Section("Try", ())
    return listed("Try", list(_remedies(outcome, spec)), 5)


def _remedies(outcome: Outcome, spec: ServingSpec) -> Iterator[str]:
    if outcome.floor is not None:
        yield from _beyond(outcome.floor, spec)
    elif spec.workload.offline is not None:
        yield "a longer workload.offline.window"
    if spec.inventory.spot is not None:
        yield "tiers: [on_demand], or fewer inventory.spot.interruptions_per_hour"
    sections = {"inventory": spec.inventory, "layout": spec.layout, "formats": spec.formats}
    narrowed = [f"{name}.{key}" for name, part in sections.items() for key in NARROWING[name] if getattr(part, key)]
    if narrowed:
        yield f"a wider {', '.join(narrowed)}"
    rows = _illegal_rows(outcome.search)
    for reason, key in ADMITTING.items():
        if reason in rows:
            yield f"{key}, for at most {rows[reason]:,} more candidates"


def _beyond(floor: Floor, spec: ServingSpec) -> Iterator[str]:
    """What passes the floor; a latency limit at the floor itself does not, since no request ever waits there."""
    if floor.requirement in {limit.id for limit in spec.slo}:
        yield f"{floor.requirement} above {duration(floor.least)}, now {duration(floor.limit)}"
        if spec.risk < POINT_PREDICTION:
            yield f"risk: {POINT_PREDICTION:g}, the point prediction, in place of {spec.risk:g}"
    elif floor.requirement == WINDOW:
        yield f"{floor.requirement} above {duration(floor.least)}, now {duration(floor.limit)}"
    elif floor.requirement in BUDGET_UNITS:
        unit = BUDGET_UNITS[floor.requirement]
        yield f"{floor.requirement}: {dollars(floor.least)}{unit} or more, now {dollars(floor.limit)}{unit}"
    elif floor.requirement == MEMORY_FLOOR:
        yield f"a part with {data(floor.least)} of memory, more accelerators per replica, or lower formats"
    else:
        yield f"{floor.requirement}: {floor.least:,.0f} or more, now {floor.limit:,.0f}"


def _illegal_rows(search: SearchOut) -> dict[Illegal, int]:
    return {Illegal[name.upper()]: rows for name, rows in search.illegal_by_reason.items()}
