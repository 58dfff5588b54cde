"""The wiring of rented instances as a graph.

Nodes are accelerators and the hubs that join them: one hub per scale-up domain (an NVLink switch, an xGMI mesh, a
bridge), one per host (PCIe), one network. An edge carries the bandwidth of one accelerator (or, towards the network,
of one instance) in bytes/s, one direction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise

import networkx as nx

from catalog.offers import Offer
from catalog.parts import Accelerator, LinkKind

# Only these join accelerators without crossing the host.
_SWITCHED = frozenset(
    {LinkKind.NVLINK, LinkKind.NVLINK_BRIDGE, LinkKind.XGMI, LinkKind.ICI, LinkKind.NEURONLINK, LinkKind.ETHERNET}
)


@dataclass(frozen=True)
class Machine:
    """What a layout can see of an instance type; offers that differ only in price, provider or region share one.

    Equality is by the part's id, the bandwidths that the wiring carries and how many instances there are
    (`most_instances`, None: nobody says), so that whatever holds for one offer of a machine holds for all of them.
    """

    accelerator_id: str
    accelerator: Accelerator = field(compare=False, repr=False)
    link_bytes_per_s: float
    pcie_bytes_per_s: float
    accelerators: int
    scale_up: LinkKind
    scale_up_domain: int
    p2p: bool
    network_bytes_per_s: float | None
    most_instances: int | None


def machine_of(offer: Offer, accelerator: Accelerator) -> Machine:
    """The machine behind an offer."""
    link = accelerator.link
    return Machine(
        accelerator_id=accelerator.id,
        accelerator=accelerator,
        link_bytes_per_s=link.all_to_all_bytes_per_s or link.pair_bytes_per_s or accelerator.pcie_bytes_per_s,
        pcie_bytes_per_s=accelerator.pcie_bytes_per_s,
        accelerators=offer.accelerators,
        scale_up=offer.scale_up,
        scale_up_domain=offer.scale_up_domain,
        p2p=offer.p2p,
        network_bytes_per_s=offer.network_bytes_per_s,
        most_instances=offer.most_instances,
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


def stage_bytes_per_s(machine: Machine, tensor_parallel: int, stages: int) -> float | None:
    """Bandwidth between consecutive pipeline stages, bytes/s; the narrowest hop of the replica, on the widest path.

    Stages fill domains and instances in order, so a replica that spans instances has a hop between instances, one that
    spans domains a hop between domains. None with one stage, or where the instances cannot reach each other.
    """
    if stages == 1:
        return None
    ranks = tensor_parallel * stages
    if ranks > machine.accelerators:
        return _widest_path(machine, _Place(0, 0), _Place(1, 0))
    if ranks > machine.scale_up_domain:
        return _widest_path(machine, _Place(0, 0), _Place(0, machine.scale_up_domain))
    return _widest_path(machine, _Place(0, 0), _Place(0, 1))


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
