from collections.abc import Callable
from dataclasses import replace

import networkx as nx
import pytest

from catalog.parts import LinkKind
from catalog.read import Snapshot
from optimizer.topology.cluster import cluster_graph, scale_up_groups, spans_instances
from optimizer.topology.machines import Machine, machine_of
from optimizer.topology.wiring import stage_bytes_per_s as stage_bandwidth

GetMachine = Callable[[str], Machine]

NVLINK_H100, NVLINK_A100, PCIE_4, PCIE_5 = 450e9, 300e9, 31.5e9, 63e9


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("hgx", ((LinkKind.NVLINK, 8),)),
        ("sixteen", ((LinkKind.NVLINK, 16),)),
        ("pcie", ((LinkKind.PCIE, 8),)),
        ("bridged", ((LinkKind.NVLINK_BRIDGE, 2), (LinkKind.PCIE, 4))),
        ("pair", ((LinkKind.NVLINK_BRIDGE, 2),)),
        ("single", ((LinkKind.PCIE, 1),)),
        ("amd", ((LinkKind.XGMI, 8),)),
    ],
)
def test_groups_of_real_machines(machine: GetMachine, name: str, groups: tuple[tuple[LinkKind, int], ...]) -> None:
    assert scale_up_groups(machine(name)) == groups


@pytest.mark.parametrize(
    ("name", "tp", "stages", "bytes_per_s"),
    [
        ("hgx", 1, 1, None),
        ("hgx", 1, 8, NVLINK_H100),
        ("hgx", 4, 2, NVLINK_H100),
        ("hgx", 8, 2, PCIE_5),  # 400 GB/s of network, but each accelerator leaves through its own PCIe lanes
        ("sixteen", 8, 2, NVLINK_A100),
        ("sixteen", 16, 2, None),
        ("pcie", 2, 4, PCIE_4),
        ("pcie", 8, 2, PCIE_4),
        ("bridged", 1, 2, NVLINK_A100),
        ("bridged", 2, 2, PCIE_4),
        ("bridged", 1, 4, PCIE_4),  # its second hop crosses the host
        ("bridged", 4, 2, 10e9),
        ("bridged", 2, 4, 10e9),
        ("single", 1, 2, None),
        ("single with network", 1, 2, 2.5e9),
        ("hgx without network", 8, 2, None),
        ("hgx without network", 4, 2, NVLINK_H100),
    ],
)
def test_bandwidth_between_stages(
    machine: GetMachine, name: str, tp: int, stages: int, bytes_per_s: float | None
) -> None:
    assert stage_bandwidth(machine(name), tp, stages) == bytes_per_s


@pytest.mark.parametrize(
    ("name", "spans"),
    [
        ("hgx", True),
        ("hgx without network", False),
        ("sixteen", False),
        ("single", False),
        ("single with network", True),
        ("pcie", True),
    ],
)
def test_only_a_stated_network_joins_instances(machine: GetMachine, name: str, spans: bool) -> None:
    assert spans_instances(machine(name)) is spans
    graph = cluster_graph(machine(name), 3)
    assert nx.number_connected_components(graph) == (1 if spans else 3)


def test_the_graph_of_a_bridged_host(machine: GetMachine) -> None:
    graph = cluster_graph(machine("bridged"), 2)
    kinds = {node[0] for node in graph.nodes}
    assert kinds == {"accelerator", "domain", "host", "network"}
    assert sum(node[0] == "accelerator" for node in graph.nodes) == 8
    assert sum(node[0] == "domain" for node in graph.nodes) == 4
    pair = nx.shortest_path(graph, ("accelerator", 0, 2), ("accelerator", 0, 3))
    assert pair[1] in {("domain", 0, 1), ("host", 0, 0)}
    assert graph.edges[("accelerator", 0, 2), ("domain", 0, 1)]["bytes_per_s"] == NVLINK_A100
    assert ("domain", 0, 0) not in graph[("accelerator", 0, 2)]
    assert graph.edges[("host", 1, 0), ("network", 0, 0)]["bytes_per_s"] == 10e9


def test_a_tensor_parallel_group_never_leaves_its_domain(snapshot: Snapshot) -> None:
    """Of every machine of the catalog: the first ranks of a group reach each other over its kind of link alone."""
    machines = {machine_of(offer, snapshot.accelerators[offer.accelerator]) for offer in snapshot.offers}
    assert len(machines) > 50
    for machine in machines:
        graph = cluster_graph(machine, 1)
        sizes = [size for _, size in scale_up_groups(machine)]
        assert sizes == sorted(set(sizes))
        assert max(sizes) == machine.accelerators
        for kind, size in scale_up_groups(machine):
            edges = [(a, b) for a, b, data in graph.edges(data=True) if data["kind"] is kind]
            wired = graph.edge_subgraph(edges)
            members = [("accelerator", 0, index) for index in range(size)]
            assert all(nx.has_path(wired, members[0], member) for member in members)
            if size < machine.accelerators:
                assert not nx.has_path(wired, members[0], ("accelerator", 0, size))


def test_faster_networks_end_at_the_lanes_of_one_accelerator(machine: GetMachine) -> None:
    board = machine("hgx")
    for network, expected in ((10e9, 10e9), (63e9, 63e9), (800e9, PCIE_5)):
        assert stage_bandwidth(replace(board, network_bytes_per_s=network), 8, 2) == expected


def test_machines_differ_by_what_a_layout_can_see(snapshot: Snapshot) -> None:
    """Provider, region and price make no machine."""
    same = [offer for offer in snapshot.offers if offer.instance == "Standard_ND96isr_H100_v5"]
    assert len({machine_of(offer, snapshot.accelerators[offer.accelerator]) for offer in same}) == 1
    assert len(same) > 10
    board = machine_of(same[0], snapshot.accelerators[same[0].accelerator])
    assert replace(board, p2p=False) != board
    assert replace(board, network_bytes_per_s=None) != board
