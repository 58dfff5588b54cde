"""What layouts ask of a machine's wiring, compiled for every machine of the catalog.

`python -m optimizer.topology.compile` reads it off the graph (`cluster.py`) and writes it down, so that a run builds
no graph and imports no graph library; a machine that is not in the catalog is put to the graph when it is met.
"""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path

from catalog.parts import LinkKind
from optimizer.topology.machines import Machine

COMPILED = Path(__file__).with_name("wirings.json")

WiringKey = tuple[float, float, int, LinkKind, int, float | None]


@dataclass(frozen=True)
class Wiring:
    """Facts about the graph of one machine.

    groups: largest groups whose members reach each other over one kind of link, fastest first. spans_instances:
    whether accelerators of several instances reach each other. The others are the bandwidths of the widest path
    between two accelerators of one scale-up domain, of two domains and of two instances, bytes/s, None where there is
    no such pair or path.
    """

    groups: tuple[tuple[LinkKind, int], ...]
    spans_instances: bool
    within_domain_bytes_per_s: float | None
    across_domains_bytes_per_s: float | None
    across_instances_bytes_per_s: float | None


def key_of(machine: Machine) -> WiringKey:
    """Everything that the graph of a machine depends on."""
    return (
        machine.link_bytes_per_s,
        machine.pcie_bytes_per_s,
        machine.accelerators,
        machine.scale_up,
        machine.scale_up_domain,
        machine.network_bytes_per_s,
    )


@cache
def wiring_of(machine: Machine) -> Wiring:
    """The wiring of a machine."""
    compiled = _compiled().get(key_of(machine))
    if compiled is not None:
        return compiled
    from optimizer.topology.cluster import wiring_of_graph  # the graph library is slow to import

    return wiring_of_graph(machine)


def stage_bytes_per_s(machine: Machine, tensor_parallel: int, stages: int) -> float | None:
    """Bandwidth between consecutive pipeline stages, bytes/s; the narrowest hop of the replica, on the widest path.

    Stages fill domains and instances in order, so a replica that spans instances has a hop between instances, one that
    spans domains a hop between domains. None with one stage, or where the instances cannot reach each other.
    """
    if stages == 1:
        return None
    ranks = tensor_parallel * stages
    wiring = wiring_of(machine)
    if ranks > machine.accelerators:
        return wiring.across_instances_bytes_per_s
    if ranks > machine.scale_up_domain:
        return wiring.across_domains_bytes_per_s
    return wiring.within_domain_bytes_per_s


def compiled_text(wirings: dict[WiringKey, Wiring]) -> str:
    """Wirings as the compiled file holds them: a row each, in order."""
    rows = sorted(json.dumps([*key, *astuple(wiring)]) for key, wiring in wirings.items())
    return "[\n" + ",\n".join(rows) + "\n]\n"


@cache
def _compiled() -> dict[WiringKey, Wiring]:
    found = {}
    for link, pcie, accelerators, kind, domain, network, groups, *facts in json.loads(COMPILED.read_bytes()):
        named = tuple((LinkKind(name), size) for name, size in groups)
        found[(link, pcie, accelerators, LinkKind(kind), domain, network)] = Wiring(named, *facts)
    return found
