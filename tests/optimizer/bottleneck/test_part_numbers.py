from dataclasses import replace

import numpy as np
import pytest

from catalog.parts import LinkKind, Precision
from catalog.read import Snapshot
from optimizer.arithmetic.replica_rows import ReplicaRow
from optimizer.bottleneck.part_numbers import part_numbers, quoted_precision


@pytest.fixture
def row(snapshot: Snapshot) -> ReplicaRow:
    """Two H100 SXM on NVLink, bf16 weights."""
    bf16 = snapshot.formats["bf16"]
    return ReplicaRow(
        accelerator=snapshot.accelerators["h100-sxm-80gb"],
        link=LinkKind.NVLINK,
        p2p=True,
        stage_bytes_per_s=None,
        tp=2,
        pp=1,
        ep=1,
        dp_attention=1,
        weights=bf16,
        activations=bf16,
        kv=bf16,
        experts=bf16,
        engine=snapshot.engines["vllm"],
    )


def test_numbers_are_those_of_the_catalog(row: ReplicaRow) -> None:
    part = row.accelerator
    expected = [80 * 2**30, part.memory_bandwidth_bytes_per_s, 450e9, part.peak_flop_per_s[Precision.BF16]]
    assert part_numbers(row).tolist() == expected


def test_flop_rates_are_those_of_the_weights_kernels(row: ReplicaRow, snapshot: Snapshot) -> None:
    fp8 = snapshot.formats["fp8"]
    low = replace(row, weights=fp8, activations=fp8, experts=fp8)
    assert quoted_precision(low) is Precision.FP8
    assert part_numbers(low)[3] == row.accelerator.peak_flop_per_s[Precision.FP8]
    with pytest.raises(ValueError, match="no kernel multiplies bf16 weights by fp8"):
        quoted_precision(replace(row, activations=fp8))


def test_the_link_is_the_one_in_use(row: ReplicaRow) -> None:
    over_pcie = replace(row, link=LinkKind.PCIE)
    stages = replace(row, tp=1, pp=2, link=LinkKind.NONE, stage_bytes_per_s=12.5e9)
    single = replace(row, tp=1, link=LinkKind.NONE)
    assert part_numbers(over_pcie)[2] == row.accelerator.pcie_bytes_per_s
    assert part_numbers(stages)[2] == 12.5e9
    assert np.isnan(part_numbers(single)[2])


def test_a_link_that_no_source_states_counts_as_pcie(row: ReplicaRow, snapshot: Snapshot) -> None:
    h20 = snapshot.accelerators["h20-96gb"]
    assert h20.link.all_to_all_bytes_per_s is None
    assert part_numbers(replace(row, accelerator=h20))[2] == h20.pcie_bytes_per_s
