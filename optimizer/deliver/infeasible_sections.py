"""Why nothing meets a specification: the wall, the floor in numbers, and what to change."""

from __future__ import annotations

from catalog.walls import WallFamily
from optimizer.deliver.figures import data, dollars, duration
from optimizer.deliver.page import Section, listed, packed
from optimizer.deliver.wall_sections import wall_name
from optimizer.outcome import Floor, Outcome
from optimizer.topology.layouts import Illegal
from requirements_specs.requirement import BudgetMetric
from requirements_specs.serving import ServingSpec

# The floor of a part's memory is no requirement of the specification.
MEMORY_FLOOR = "memory_bytes_per_accelerator"
MOST_REASONS = 3
_REASONS = {reason.name.lower(): reason.value for reason in Illegal}


def wall(outcome: Outcome) -> Section:
    """The wall in words, and the floor that the explanation gives in numbers."""
    if outcome.binding_wall is None:
        return packed("Wall", ["none of physics: no candidate is legal"], 1)
    text = wall_name(WallFamily(outcome.binding_wall))
    if outcome.floor is not None:
        text = f"{text}: {outcome.floor.explanation}"
    return packed("Wall", [text], 3, "bold")


def illegal(outcome: Outcome) -> Section:
    """The commonest reasons why candidates are illegal, where that is all there is to say."""
    search = outcome.search
    if search.illegal < search.candidates:
        return Section("Illegal", ())
    commonest = sorted(search.illegal_by_reason.items(), key=lambda item: (-item[1], item[0]))
    return listed("Illegal", [f"{rows:,} rows: {_REASONS[name]}" for name, rows in commonest], MOST_REASONS)


def remedies(outcome: Outcome, spec: ServingSpec) -> Section:
    """What to change in the specification; a limit at the floor itself is not yet enough."""
    items = [] if outcome.floor is None else [_beyond(outcome.floor, spec)]
    if outcome.floor is not None and outcome.floor.requirement.startswith("slo.") and spec.risk < 0.5:
        items.append(f"risk: 0.5, the point prediction, in place of {spec.risk:g}")
    if narrowed := _narrowed(spec):
        items.append(f"wider {', '.join(narrowed)}")
    if not spec.inventory.estimated_parts:
        items.append("inventory.estimated_parts: true")
    return listed("Try", items, 4)


def _beyond(floor: Floor, spec: ServingSpec) -> str:
    latencies = {limit.id for limit in spec.slo}
    budgets = {f"budget.{metric}" for metric in BudgetMetric}
    if floor.requirement in latencies:
        return f"{floor.requirement} above {duration(floor.least)}, now {duration(floor.limit)}"
    if floor.requirement in budgets:
        return f"a budget of {dollars(floor.least)}/h or more"
    if floor.requirement == MEMORY_FLOOR:
        return f"a part with {data(floor.least)} of memory, more accelerators per replica, or lower formats"
    return f"{floor.requirement}: {floor.least:,.0f} or more, now {floor.limit:,.0f}"


def _narrowed(spec: ServingSpec) -> list[str]:
    """Keys of the specification that leave candidates out."""
    sections = (("inventory", spec.inventory), ("layout", spec.layout), ("formats", spec.formats))
    names = ("providers", "regions", "accelerators", "exclude_offers", "max_accelerators")
    layout_names = ("tp", "pp", "ep", "dp_attention", "accelerators_per_replica")
    keys = dict(zip((name for name, _ in sections), (names, layout_names, ("weights", "activations", "kv")), strict=True))
    return [f"{section}.{key}" for section, value in sections for key in keys[section] if getattr(value, key)]
