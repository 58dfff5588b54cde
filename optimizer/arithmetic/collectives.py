"""Time that accelerators of one replica spend exchanging activations.

All-reduce of b bytes: launch + ramp·min(1, b/ramp_bytes) + b/bandwidth, fitted per part, ranks and library to measured
times. Where there is no row: launch + 2(n − 1)/n·b/(share·link) with 10 µs and 0.65 of a scale-up link, 25 µs and 0.5
of PCIe, a rule of this project and marked estimated. The share of PCIe is what predicts the offline throughputs of
TensorRT-LLM's performance overview on A100 PCIe, L40S and RTX PRO 6000 best (median error 0.10 on 184 runs, 0.09 to
0.13 with 0.55 and 0.45). A faster link shortens only the bandwidth term.
"""

from dataclasses import dataclass

import numpy as np

from catalog.efficiency import AllReduceConstants, AllToAllConstants, EfficiencyTables
from catalog.parts import Accelerator, LinkKind
from optimizer.arithmetic.arrays import Floats

SCALE_UP_SHARE = 0.65
HOST_LINK_SHARE = 0.5
SCALE_UP_LAUNCH_S = 10e-6
HOST_LAUNCH_S = 25e-6
VENDOR_LIBRARY = "nccl"
# Rule for expert exchange beyond the measured parts: launch per exchange, and the share of the link that it reaches.
EXCHANGE_LAUNCH_S = 15e-6
EXCHANGE_LINK_SHARE = 0.6
# A token goes out in fp8 and comes back in bf16.
DISPATCH_BYTES = 1.0
COMBINE_BYTES = 2.0

_SWITCHED_NVIDIA = frozenset({LinkKind.NVLINK, LinkKind.NVLINK_BRIDGE})
_HOST_LINKS = frozenset({LinkKind.PCIE, LinkKind.ETHERNET, LinkKind.NONE})


@dataclass(frozen=True)
class AllReduceTime:
    """One all-reduce of a fixed group: seconds and bytes; `estimated` if no measurement stands behind it."""

    launch_s: float
    ramp_s: float
    ramp_bytes: float
    bytes_per_s: float
    estimated: bool


@dataclass(frozen=True)
class ExchangeTime:
    """Dispatch and combine of one expert layer: seconds per layer and per byte that a rank routes at one byte each."""

    launch_s: float
    s_per_routed_element: float
    estimated: bool


NO_ALL_REDUCE = AllReduceTime(0.0, 0.0, 1.0, 1.0, estimated=False)
NO_EXCHANGE = ExchangeTime(0.0, 0.0, estimated=False)


@dataclass(frozen=True)
class CollectiveIndex:
    """Rows of the efficiency tables by what they apply to."""

    all_reduce: dict[tuple[str, str, int], AllReduceConstants]
    all_to_all: dict[tuple[str, int], AllToAllConstants]

    @classmethod
    def of(cls, tables: EfficiencyTables) -> "CollectiveIndex":
        """Index the tables once for many rows."""
        return cls(
            {(row.kernel_table, row.library, row.accelerators): row for row in tables.all_reduce},
            {(row.kernel_table, row.ep): row for row in tables.all_to_all},
        )


def link_bytes_per_s(accelerator: Accelerator, link: LinkKind, ranks: int, *, p2p: bool) -> float:
    """Bandwidth of one accelerator towards a group of `ranks`, bytes/s, one direction.

    xGMI joins pairs, so a group gets pair·(ranks − 1). A scale-up link whose bandwidth no source states counts as its
    PCIe path. PCIe without peer-to-peer crosses host memory twice and counts half.
    """
    scale_up = accelerator.link
    if link is LinkKind.XGMI and scale_up.pair_bytes_per_s is not None:
        return scale_up.pair_bytes_per_s * (ranks - 1)
    if link is LinkKind.NVLINK_BRIDGE and scale_up.pair_bytes_per_s is not None:
        return scale_up.pair_bytes_per_s
    if link not in (LinkKind.PCIE, LinkKind.NONE) and scale_up.all_to_all_bytes_per_s is not None:
        return scale_up.all_to_all_bytes_per_s
    return accelerator.pcie_bytes_per_s if p2p else accelerator.pcie_bytes_per_s / 2.0


def all_reduce_time(
    index: CollectiveIndex, accelerator: Accelerator, link: LinkKind, library: str, ranks: int, *, p2p: bool
) -> AllReduceTime:
    """Constants of an all-reduce among `ranks` accelerators over `link`; nothing for one rank.

    The row of the engine's own library, else of the vendor's, else the rule.
    """
    if ranks == 1:
        return NO_ALL_REDUCE
    bandwidth = link_bytes_per_s(accelerator, link, ranks, p2p=p2p)
    if link in _SWITCHED_NVIDIA and accelerator.kernel_table is not None:
        for source in (library, VENDOR_LIBRARY):
            row = index.all_reduce.get((accelerator.kernel_table, source, ranks))
            if row is not None:
                scale = bandwidth / row.link_bytes_per_s
                return AllReduceTime(
                    row.launch_s, row.ramp_s, row.ramp_bytes, row.bandwidth_bytes_per_s * scale, estimated=False
                )
    over_host = link in _HOST_LINKS
    launch_s = HOST_LAUNCH_S if over_host else SCALE_UP_LAUNCH_S
    share = HOST_LINK_SHARE if over_host else SCALE_UP_SHARE
    passes = 2.0 * (ranks - 1) / ranks
    return AllReduceTime(launch_s, 0.0, 1.0, share * bandwidth / passes, estimated=True)


def exchange_time(
    index: CollectiveIndex, accelerator: Accelerator, link: LinkKind, ep: int, active: int, *, p2p: bool
) -> ExchangeTime:
    """Constants of expert dispatch and combine over `ep` ranks; a token leaves a rank at most min(active, ep) times.

    Measured DeepEP low-latency rows where there are any; else two launches of 15 µs and 3 bytes per routed element
    over 0.6 of the link.
    """
    row = None if accelerator.kernel_table is None else index.all_to_all.get((accelerator.kernel_table, ep))
    if row is not None:
        routes = min(active, ep)
        return ExchangeTime(
            row.dispatch_launch_s + row.combine_launch_s,
            routes * (DISPATCH_BYTES / row.dispatch_bytes_per_s + COMBINE_BYTES / row.combine_bytes_per_s),
            estimated=False,
        )
    bandwidth = link_bytes_per_s(accelerator, link, ep, p2p=p2p)
    routed_s = active * (DISPATCH_BYTES + COMBINE_BYTES) / (EXCHANGE_LINK_SHARE * bandwidth)
    return ExchangeTime(2.0 * EXCHANGE_LAUNCH_S, routed_s, estimated=True)


@dataclass(frozen=True)
class AllReduces:
    """Coefficients of one kind of all-reduce, (K, 1): `times` a step, per token of the step."""

    times: Floats
    launch_s: Floats
    ramp_s: Floats
    ramp_per_token: Floats
    token_s: Floats


def all_reduce_seconds(coefficients: AllReduces, tokens: Floats) -> Floats:
    """Seconds of all of them on `tokens` (K, G); returns (K, G)."""
    total = coefficients.ramp_per_token * tokens
    np.minimum(total, 1.0, out=total)
    total *= coefficients.ramp_s
    total += coefficients.token_s * tokens
    total += coefficients.launch_s
    total *= coefficients.times
    return total
