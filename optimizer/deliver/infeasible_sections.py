"""Why nothing meets a specification: the wall, the floor in numbers, and what to change."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.walls import WallFamily
from optimizer.bottleneck.job_walls import WINDOW
from optimizer.deliver.figures import data, dollars, duration
from optimizer.deliver.page import Section, listed, packed
from optimizer.deliver.wall_sections import wall_name
from optimizer.outcome import Floor, Outcome, SearchOut
from optimizer.question import POINT_PREDICTION
from optimizer.topology.layouts import Illegal
from requirements_specs.requirement import BudgetMetric
from requirements_specs.serving import ServingSpec

# The floor of a part's memory is no requirement of the specification.
MEMORY_FLOOR = "memory_bytes_per_accelerator"
PER_MILLION = f"budget.{BudgetMetric.USD_PER_MILLION_OUTPUT_TOKENS}"
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
    return packed("Wall", [text], 3, "bold")


def illegal(outcome: Outcome) -> Section:
    """The commonest reasons why candidates are illegal, where that is all there is to say."""
    if outcome.search.illegal < outcome.search.candidates:
        return Section("Illegal", ())
    reasons = sorted(_illegal_rows(outcome.search).items(), key=lambda item: (-item[1], item[0]))
    return listed("Illegal", [f"{rows:,} candidates: {reason.value}" for reason, rows in reasons], 3)


def remedies(outcome: Outcome, spec: ServingSpec) -> Section:
    """What to change in the specification."""
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
    elif floor.requirement == PER_MILLION and spec.workload.offline is not None:
        yield f"{floor.requirement}: {dollars(floor.least)}/M tokens or more"
    elif floor.requirement in {f"budget.{metric}" for metric in BudgetMetric}:
        yield f"a budget of {dollars(floor.least)}/h or more"
    elif floor.requirement == MEMORY_FLOOR:
        yield f"a part with {data(floor.least)} of memory, more accelerators per replica, or lower formats"
    else:
        yield f"{floor.requirement}: {floor.least:,.0f} or more, now {floor.limit:,.0f}"


def _illegal_rows(search: SearchOut) -> dict[Illegal, int]:
    return {Illegal[name.upper()]: rows for name, rows in search.illegal_by_reason.items()}
