import numpy as np
import pytest

from catalog.parts import LinkKind
from catalog.read import Snapshot
from optimizer.arithmetic.collectives import (
    AllReduces,
    CollectiveIndex,
    all_reduce_seconds,
    all_reduce_time,
    exchange_time,
)


@pytest.fixture(scope="module")
def index(snapshot: Snapshot) -> CollectiveIndex:
    return CollectiveIndex.of(snapshot.efficiency)


def test_own_graph_kernel_of_the_engine_is_used(snapshot, index) -> None:
    part = snapshot.accelerator("h100-sxm-80gb")
    found = all_reduce_time(index, part, LinkKind.NVLINK, "vllm", 8, p2p=True)
    assert not found.estimated
    assert found.launch_s == pytest.approx(4.787e-6)
    assert found.bytes_per_s == pytest.approx(205.84e9)


def test_engine_without_rows_uses_the_vendor_library(snapshot, index) -> None:
    part = snapshot.accelerator("h100-sxm-80gb")
    found = all_reduce_time(index, part, LinkKind.NVLINK, "unheard-of", 8, p2p=True)
    assert found.launch_s == pytest.approx(15.257e-6)
    assert not found.estimated


def test_slower_link_of_a_sister_part_scales_bandwidth_only(snapshot, index) -> None:
    full, cut = (snapshot.accelerator(name) for name in ("h100-sxm-80gb", "h800-sxm-80gb"))
    fast = all_reduce_time(index, full, LinkKind.NVLINK, "vllm", 8, p2p=True)
    slow = all_reduce_time(index, cut, LinkKind.NVLINK, "vllm", 8, p2p=True)
    assert slow.launch_s == fast.launch_s
    assert slow.bytes_per_s / fast.bytes_per_s == pytest.approx(
        cut.link.all_to_all_bytes_per_s / full.link.all_to_all_bytes_per_s
    )


def test_pcie_rule_and_host_memory_detour(snapshot, index) -> None:
    part = snapshot.accelerator("l40s-48gb")
    direct = all_reduce_time(index, part, LinkKind.PCIE, "vllm", 4, p2p=True)
    detour = all_reduce_time(index, part, LinkKind.PCIE, "vllm", 4, p2p=False)
    assert direct.estimated
    assert direct.launch_s == 25e-6
    assert direct.bytes_per_s == pytest.approx(0.5 * part.pcie_bytes_per_s / (2 * 3 / 4))
    assert detour.bytes_per_s == pytest.approx(direct.bytes_per_s / 2)


def test_xgmi_adds_the_pairs_of_a_group(snapshot, index) -> None:
    part = snapshot.accelerator("mi300x-192gb")
    two, eight = (all_reduce_time(index, part, LinkKind.XGMI, "vllm", n, p2p=True) for n in (2, 8))
    pair = part.link.pair_bytes_per_s
    assert two.bytes_per_s == pytest.approx(0.65 * pair)
    assert eight.bytes_per_s == pytest.approx(0.65 * 7 * pair / (2 * 7 / 8))
    assert eight.launch_s == 10e-6


def test_unstated_scale_up_bandwidth_counts_as_pcie(snapshot, index) -> None:
    part = snapshot.accelerator("h20-96gb")
    part = part.model_copy(
        update={"link": part.link.model_copy(update={"all_to_all_bytes_per_s": None, "pair_bytes_per_s": None})}
    )
    found = all_reduce_time(index, part, LinkKind.NVLINK, "vllm", 8, p2p=True)
    assert found.estimated
    assert found.bytes_per_s == pytest.approx(0.65 * part.pcie_bytes_per_s / (2 * 7 / 8))


def test_one_rank_communicates_nothing(snapshot, index) -> None:
    part = snapshot.accelerator("l40s-48gb")
    assert all_reduce_time(index, part, LinkKind.NONE, "vllm", 1, p2p=True).launch_s == 0.0


def test_all_reduce_of_a_decode_step_by_hand() -> None:
    # 64 tokens of 8192 bf16 values, 1 MiB, twice in each of 80 layers
    b = 2 * 8192
    kernel = AllReduces(
        times=np.array([[160.0]]),
        launch_s=np.array([[4.787e-6]]),
        ramp_s=np.array([[4.803e-6]]),
        ramp_per_token=np.array([[b / 247.87e3]]),
        token_s=np.array([[b / 205.84e9]]),
    )
    got = all_reduce_seconds(kernel, np.array([[64.0]]))[0, 0]
    assert got == pytest.approx(160 * (4.787e-6 + 4.803e-6 + 64 * b / 205.84e9), rel=1e-12)


def test_exchange_rule_and_measured_rows(snapshot, index) -> None:
    measured = exchange_time(index, snapshot.accelerator("h100-sxm-80gb"), LinkKind.NVLINK, 16, 8, p2p=True)
    ruled = exchange_time(index, snapshot.accelerator("gb200-186gb"), LinkKind.NVLINK, 16, 8, p2p=True)
    assert not measured.estimated
    assert measured.launch_s == pytest.approx(45.2e-6)
    assert ruled.estimated
    assert ruled.launch_s == 30e-6
    assert ruled.s_per_routed_element == pytest.approx(8 * 3 / (0.6 * 900e9))
