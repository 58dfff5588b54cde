"""The four numbers of a part that the resources scale, as the catalog quotes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from catalog.parts import LinkKind, Precision
from optimizer.arithmetic.replica_rows import ReplicaRow

Floats = NDArray[np.float64]


def part_numbers(row: ReplicaRow) -> Floats:
    """Memory in bytes, memory bandwidth, link bandwidth (bytes/s, one direction) and dense FLOP/s of one accelerator.

    (4,) in the order of `RESOURCES`. The link is the one that joins a tensor-parallel group, with one rank a stage
    the one between pipeline stages, NaN where an accelerator is a whole replica. FLOP/s: of `quoted_precision`.
    """
    part = row.accelerator
    return np.array(
        [
            part.memory_bytes,
            part.memory_bandwidth_bytes_per_s,
            _link_bytes_per_s(row),
            part.peak_flop_per_s[quoted_precision(row)],
        ]
    )


def quoted_precision(row: ReplicaRow) -> Precision:
    """The matrix unit that multiplies most weights: that of the dense layers' kernels."""
    kernels = row.weights.kernels_for(row.activations.id)
    if kernels is None:
        raise ValueError(f"no kernel multiplies {row.weights.id} weights by {row.activations.id} activations")
    return kernels.gemm_precision


def _link_bytes_per_s(row: ReplicaRow) -> float:
    if row.tp == 1:
        return np.nan if row.stage_bytes_per_s is None else row.stage_bytes_per_s
    link, pcie = row.accelerator.link, row.accelerator.pcie_bytes_per_s
    if row.link is LinkKind.PCIE:
        return pcie
    return link.all_to_all_bytes_per_s or link.pair_bytes_per_s or pcie
