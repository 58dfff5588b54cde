"""The wiring of rented instances as a graph.

Nodes are accelerators and the hubs that join them: one hub per scale-up domain (an NVLink switch, an xGMI mesh, a
bridge), one per host (PCIe), one network. An edge carries the bandwidth of one accelerator (or, towards the network,
of one instance) in bytes/s, one direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import networkx as nx

from catalog.parts import LinkKind
from optimizer.topology.machines import Machine
from optimizer.topology.wiring import Wiring

# Only these join accelerators without crossing the host.
_SWITCHED = frozenset(
    {LinkKind.NVLINK, LinkKind.NVLINK_BRIDGE, LinkKind.XGMI, LinkKind.ICI, LinkKind.NEURONLINK, LinkKind.ETHERNET}
)


@cache
def cluster_graph(machine: Machine, instances: int) -> nx.Graph[tuple[str, int, int]]:
    """Graph of `instances` equal instances; hosts are joined only where the offer states a network bandwidth.

    Nodes are ("accelerator", instance, index), ("domain", instance, index), ("host", instance, 0) and
    ("network", 0, 0); edges carry `bytes_per_s` and `kind`.
    """
    graph: nx.Graph[tuple[str, int, int]] = nx.Graph()
    switched = machine.scale_up in _SWITCHED and machine.scale_up_domain > 1
    for instance in range(instances):
        host = ("host", instance, 0)
        for index in range(machine.accelerators):
            accelerator = ("accelerator", instance, index)
            graph.add_edge(accelerator, host, bytes_per_s=machine.pcie_bytes_per_s, kind=LinkKind.PCIE)
            if switched:
                domain = ("domain", instance, index // machine.scale_up_domain)
                graph.add_edge(accelerator, domain, bytes_per_s=machine.link_bytes_per_s, kind=machine.scale_up)
        if machine.network_bytes_per_s is not None and instances > 1:
            graph.add_edge(host, ("network", 0, 0), bytes_per_s=machine.network_bytes_per_s, kind=LinkKind.ETHERNET)
    return graph


@cache
def scale_up_groups(machine: Machine) -> tuple[tuple[LinkKind, int], ...]:
    """Largest groups whose members reach each other over one kind of link: (kind, size), fastest first.

    On a board with a switch that spans it this is one entry; bridged pairs also form a slower group over PCIe; a
    host without scale-up links is one PCIe group.
    """
    graph = cluster_graph(machine, 1)
    groups: list[tuple[LinkKind, int]] = []
    for kind in (machine.scale_up, LinkKind.PCIE):
        edges = [(a, b) for a, b, data in graph.edges(data=True) if data["kind"] is kind]
        if not edges or any(kind is known for known, _ in groups):
            continue
        sizes = [
            sum(1 for name, _, _ in members if name == "accelerator")
            for members in nx.connected_components(graph.edge_subgraph(edges))
        ]
        if not groups or max(sizes) > groups[-1][1]:
            groups.append((kind, max(sizes)))
    return tuple(groups)


@cache
def spans_instances(machine: Machine) -> bool:
    """Whether the accelerators of several instances can reach each other."""
    return nx.is_connected(cluster_graph(machine, 2))


def wiring_of_graph(machine: Machine) -> Wiring:
    """What layouts ask of the wiring, read off the graph."""
    start, next_domain = _Place(0, 0), _Place(0, machine.scale_up_domain)
    several, domains = machine.accelerators > 1, machine.accelerators > machine.scale_up_domain
    return Wiring(
        groups=scale_up_groups(machine),
        spans_instances=spans_instances(machine),
        within_domain_bytes_per_s=_widest_path(machine, start, _Place(0, 1)) if several else None,
        across_domains_bytes_per_s=_widest_path(machine, start, next_domain) if domains else None,
        across_instances_bytes_per_s=_widest_path(machine, start, _Place(1, 0)),
    )


@dataclass(frozen=True)
class _Place:
    """Where a rank runs."""

    instance: int
    index: int


@cache
def _widest_path(machine: Machine, start: _Place, stop: _Place) -> float | None:
    """Bottleneck bandwidth of the widest path: the narrowest edge on the path in a maximum spanning tree."""
    graph = cluster_graph(machine, stop.instance + 1)
    first = ("accelerator", start.instance, start.index)
    last = ("accelerator", stop.instance, stop.index)
    if not nx.has_path(graph, first, last):
        return None
    tree = nx.maximum_spanning_tree(graph, weight="bytes_per_s")
    path = nx.shortest_path(tree, first, last)
    return min(float(tree.edges[a, b]["bytes_per_s"]) for a, b in pairwise(path))
