"""`inventory.owned` -> machines that the user owns."""

from fractions import Fraction
from pathlib import Path

from requirements_specs import convert
from requirements_specs.errors import ValueProblem, printable
from requirements_specs.keys import joined
from requirements_specs.known import KnownNames, nearest, plain_spelling, resolve
from requirements_specs.owned import OwnedMachines
from requirements_specs.prices import MOST_USD_PER_HOUR
from requirements_specs.quantity import Dimension, nearest_micro_dollars
from requirements_specs.section import Findings, Section
from requirements_specs.source import Items, Mapping, Node

OWNED_KEYS = ("accelerator", "accelerators", "machines", "usd_per_hour", "name", "scale_up", "network", "date")
NO_LINK, HOST_LINK, BRIDGE = "none", "pcie", "nvlink_bridge"
"""Kinds of link: of a machine of one accelerator, by way of the host, and one that may be left out."""
_MOST_ACCELERATORS = 4096
_EXAMPLE = "{accelerator: h100-sxm-80gb, accelerators: 8, machines: 4, usd_per_hour: $9.20/h}"


def read_owned(inventory: Section, findings: Findings, names: KnownNames) -> tuple[OwnedMachines, ...]:
    """Return the entries of `inventory.owned`, one or a list; no two of them have the same name."""
    node = inventory.node("owned")
    if node is None:
        return ()
    path = "inventory.owned"
    entries = node.values if isinstance(node, Items) else (node,)
    if not entries:
        findings.refuse(inventory.mark("owned"), path, "an empty list owns nothing", read="[]", allowed=_EXAMPLE)
    found: dict[str, OwnedMachines] = {}
    for index, entry in enumerate(entries):
        place = f"{path}[{index}]" if isinstance(node, Items) else path
        machines = _read_machines(entry, place, findings, names)
        if machines is None:
            continue
        if machines.name in found:
            findings.refuse(
                entry.mark,
                place,
                f"another entry has this name: {found[machines.name].source}",
                read=machines.name,
                allowed="a name of its own for each entry",
                fix=f"name: {machines.name}-b",
            )
        found[machines.name] = machines
    return tuple(found.values())


def _read_machines(node: Node, path: str, findings: Findings, names: KnownNames) -> OwnedMachines | None:
    if not isinstance(node, Mapping):
        findings.refuse(node.mark, path, "keys of owned machines are needed", allowed=_EXAMPLE)
        return None
    section = Section(findings, node, path, mark=node.mark, keys=OWNED_KEYS)
    section.require(accelerator="h100-sxm-80gb", accelerators="8", machines="4", usd_per_hour="$9.20/h")

    def part_id(written: str) -> str:
        resolved = resolve(written, names.accelerators, "accelerator")
        if plain_spelling(written) != resolved:
            findings.assume(joined(path, "accelerator"), resolved, f"{printable(written)} is read as this part")
        return resolved

    part = section.value("accelerator", part_id)
    accelerators = section.value("accelerators", convert.whole_number(1, _MOST_ACCELERATORS))
    machines = section.value("machines", convert.whole_number(1))
    dollars = section.value("usd_per_hour", _usd_micro_per_hour)
    name = section.value("name", _machine_name)
    network = section.value("network", convert.quantity(Dimension.BANDWIDTH, above=0.0, at_most=1e15))
    dated = section.value("date", convert.date)
    if part is None or accelerators is None or machines is None or dollars is None:
        return None
    link = _read_scale_up(section, path, findings, part, accelerators, names)
    if network is None and machines > 1 and "network" not in section:
        findings.assume(joined(path, "network"), "none", "no replica spans machines unless their network is given")
    if link is None:
        return None
    return OwnedMachines(
        name=name or f"{accelerators}x-{part}",
        accelerator=part,
        accelerators=accelerators,
        machines=machines,
        usd_micro_per_hour=dollars,
        scale_up=link,
        network_bytes_per_s=network,
        date=dated,
        source=f"{Path(findings.path).name}:{node.mark.line}",
    )


def _read_scale_up(
    section: Section, path: str, findings: Findings, part: str, accelerators: int, names: KnownNames
) -> str | None:
    """Return the kind of link: the part's own unless the spec says otherwise, and bridges only if it says so."""
    own = names.links.get(part, HOST_LINK)
    allowed = (NO_LINK,) if accelerators == 1 else tuple(dict.fromkeys((own, HOST_LINK)))

    def link(text: str) -> str:
        if text in allowed:
            return text
        fix = " or ".join(nearest(text, allowed, count=1)) or allowed[0]
        raise ValueProblem(
            f"a machine of {accelerators} {part} has no such link", read=text, allowed=", ".join(allowed), fix=fix
        )

    if "scale_up" in section:
        return section.value("scale_up", link)
    taken = HOST_LINK if own == BRIDGE and accelerators > 1 else allowed[0]
    if len(allowed) > 1:
        why = "no bridges are stated" if own == BRIDGE else "the link that the part is built with"
        findings.assume(joined(path, "scale_up"), taken, why)
    return taken


def _usd_micro_per_hour(text: str) -> int:
    """Return micro-dollars; free hours are refused, since any number of machines would be as cheap as one."""
    dollars = convert.quantity(Dimension.MONEY_PER_HOUR, above=0.0, at_most=MOST_USD_PER_HOUR)(text)
    micro = nearest_micro_dollars(Fraction(repr(dollars)))
    if micro == 0:
        raise ValueProblem("rounds to nothing", read=text, allowed="$0.000001/h or more")
    return micro


def _machine_name(text: str) -> str:
    """Return a name that can be part of an offer's id."""
    if "/" in text:
        raise ValueProblem("a name without slashes is needed", read=text, fix=text.replace("/", "-"))
    return convert.name(text)
