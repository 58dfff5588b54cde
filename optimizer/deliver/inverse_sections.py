"""What hardware would be just enough: a line of the report, and the sections of `roofplan inverse`."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from rich.text import Text

from catalog.parts import Evidence
from optimizer.arithmetic.step_times import Resource
from optimizer.deliver.catalog_tables import NONE, table
from optimizer.deliver.design_sections import counted, layout_text
from optimizer.deliver.figures import dollars, flops, gigabytes
from optimizer.deliver.page import Section, listed, packed
from optimizer.outcome import CountOut, JointPoint, Lack, MinimumHardware, PartNumbers, Rented, RivalOut

_LEFT, _RIGHT = "<", ">"
# What the page has room for; all of it stands in the JSON.
_MOST_COUNTS = 5
_MOST_NEAR = 3
_MOST_PRICED = 6
# A part is near if it has this share of every number of a joint point.
_NEAR = 0.5
RESOURCE_NAMES = {
    Resource.MEMORY_CAPACITY: "memory",
    Resource.MEMORY_BANDWIDTH: "bandwidth",
    Resource.NETWORK: "links",
    Resource.COMPUTE: "compute",
}


def just_enough(hardware: MinimumHardware | None) -> Section:
    """The least of each number alone, in one line of the report."""
    if hardware is None:
        return Section("Enough", ())
    alone = hardware.alone
    links = () if alone.link_bytes_per_s is None else (f"{gigabytes(alone.link_bytes_per_s)}/s links",)
    numbers = (
        gigabytes(alone.memory_bytes),
        f"{gigabytes(alone.memory_bandwidth_bytes_per_s)}/s",
        f"{flops(alone.compute_flop_per_s)} {hardware.precision}",
        *links,
    )
    return packed("Enough", [f"{', '.join(numbers)} per accelerator, each alone"], 1)


def needs(hardware: MinimumHardware) -> Section:
    """What the part has, what is enough alone, and what is enough together."""
    rows = [
        (f"{hardware.accelerator} has", *_figures(hardware.part)),
        ("each alone", *_figures(hardware.alone)),
        *((f"together, {_kind(each)}", *_figures(each.needs)) for each in hardware.joint),
    ]
    return _table("Needs", (("per accelerator", _LEFT), *_heads(hardware)), rows)


def best_count(hardware: MinimumHardware) -> Section:
    """Per number of accelerators, the layout that asks least of each; the numbers nearest to the design's."""
    rows = [(_arrangement(each), *_figures(each.needs)) for each in hardware.best_count[-_MOST_COUNTS:]]
    hidden = len(hardware.best_count) - len(rows)
    more = f" (+{hidden} with --json)" if hidden else ""
    return _table("Or with", ((f"accelerators, balanced{more}", _LEFT), *_heads(hardware)), rows)


def _kind(joint: JointPoint) -> str:
    return "balanced" if joint.least is None else f"least {RESOURCE_NAMES[Resource(joint.least)]}"


def _arrangement(count: CountOut) -> str:
    return f"{count.accelerators:,} as {counted(count.replicas, 'replica')} of {layout_text(count.layout)}"


def enough(hardware: MinimumHardware) -> Section:
    """Parts with high enough numbers that also pass when evaluated; then those that only one of the two is true of."""
    parts = hardware.parts
    groups = (
        ("", [part for part in parts if part.meets and part.covers]),
        ("with lower numbers but faster kernels or links in use: ", [p for p in parts if p.meets and not p.covers]),
        ("high enough numbers, but not fast enough in use: ", [p for p in parts if p.covers and not p.meets]),
    )
    pieces = [f"{how}{', '.join(map(_named, group))}" for how, group in groups if group]
    return packed("Also meet", pieces or ["no other part in this layout and number"], 3)


def nearly(hardware: MinimumHardware) -> Section:
    """Parts that have at least half of every number of a joint point, the nearest first, and what they lack."""
    near = sorted(
        (part for part in hardware.parts if part.lacks and not part.meets and _share(part) >= _NEAR),
        key=lambda part: (-_share(part), part.accelerator),
    )
    lines = [f"{_named(part)}: {', '.join(map(_lack, part.lacks))}" for part in near]
    return listed("Nearly", lines or ["no other part has half of every number"], _MOST_NEAR)


def break_even(hardware: MinimumHardware) -> Section:
    """Prices at which a part would cost what the optimum costs, those that are nearest on sale first."""
    priced = sorted(
        ((part, part.rented) for part in hardware.parts if part.rented is not None),
        key=lambda each: (_over_break_even(each[1]), each[0].accelerator),
    )
    rows = [
        (
            _named(part),
            f"{rented.instances:,} × {rented.accelerators_per_instance}",
            f"{rented.formats.weights} {layout_text(rented.layout)}",
            f"{dollars(rented.break_even_usd_per_hour_per_accelerator)}/h each",
            _on_sale(rented),
        )
        for part, rented in priced[:_MOST_PRICED]
    ]
    head = (("part", _LEFT), ("fewest", _LEFT), ("as", _LEFT), ("ties at", _RIGHT), ("on sale", _RIGHT))
    hidden = len(priced) - len(rows)
    refused = sum(part.rented is None for part in hardware.parts)
    notes = [
        *([f"{counted(hidden, 'more part')} would tie at some price"] if hidden else []),
        *([f"{counted(refused, 'part')} would do in no number"] if refused else []),
    ]
    lines = _table("Prices", head, rows).lines if rows else (Text("no other part meets the requirements"),)
    return Section("Prices", (*lines, *((Text(f"{'; '.join(notes)} (with --json)"),) if notes else ())))


def _on_sale(rented: Rented) -> str:
    listed = rented.listed_usd_per_hour_per_instance
    return NONE if listed is None else f"{dollars(listed / rented.accelerators_per_instance)}/h"


def _over_break_even(rented: Rented) -> float:
    listed = rented.listed_usd_per_hour_per_instance
    return inf if listed is None else listed / rented.break_even_usd_per_hour_per_instance


def _table(label: str, head: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]]) -> Section:
    """A table whose head is dim."""
    first, *others = table(head, rows).splitlines()
    return Section(label, (Text(first, "dim"), *(Text(line) for line in others)))


def _heads(hardware: MinimumHardware) -> tuple[tuple[str, str], ...]:
    return (("memory", _RIGHT), ("bandwidth", _RIGHT), ("links", _RIGHT), (f"{hardware.precision} peak", _RIGHT))


def _figures(numbers: PartNumbers) -> tuple[str, str, str, str]:
    links = numbers.link_bytes_per_s
    return (
        _number(numbers.memory_bytes, Resource.MEMORY_CAPACITY),
        _number(numbers.memory_bandwidth_bytes_per_s, Resource.MEMORY_BANDWIDTH),
        NONE if links is None else _number(links, Resource.NETWORK),
        _number(numbers.compute_flop_per_s, Resource.COMPUTE),
    )


def _number(value: float, resource: Resource) -> str:
    match resource:
        case Resource.COMPUTE:
            return flops(value)
        case Resource.MEMORY_CAPACITY:
            return gigabytes(value)
        case Resource.MEMORY_BANDWIDTH | Resource.NETWORK:
            return f"{gigabytes(value)}/s"


def _lack(lack: Lack) -> str:
    """`864 GB/s of 1.1 TB/s bandwidth`."""
    resource = Resource(lack.resource)
    return f"{_number(lack.has, resource)} of {_number(lack.needs, resource)} {RESOURCE_NAMES[resource]}"


def _named(part: RivalOut) -> str:
    """The part, and how its step times are known unless they were measured."""
    return part.accelerator if part.evidence == Evidence.MEASURED.value else f"{part.accelerator} ({part.evidence})"


def _share(part: RivalOut) -> float:
    return min(lack.has / lack.needs for lack in part.lacks)
