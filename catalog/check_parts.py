"""Checks of accelerators: physical plausibility, and that the evidence of a part is what it claims.

The bounds are wide enough for every part on the market and narrow enough to catch a wrong unit, a figure per die, a
sparse rate or a bandwidth that counts both directions.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from catalog.efficiency import EfficiencyTables
from catalog.findings import Check, Finding, error
from catalog.parts import Accelerator, Evidence, LinkKind, Precision


@dataclass(frozen=True)
class Bounds:
    """A closed interval in SI units."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class MemoryClass:
    """Bounds that hold for parts of one kind of main memory."""

    name: str
    memory_bytes: Bounds
    read_once_s: Bounds
    flop_per_byte: Bounds
    tdp_watts: Bounds


DRAM = MemoryClass("DRAM", Bounds(14e9, 320e9), Bounds(10e-3, 110e-3), Bounds(30.0, 700.0), Bounds(50.0, 1500.0))
SRAM = MemoryClass("SRAM", Bounds(1e8, 60e9), Bounds(1e-6, 10e-6), Bounds(1.0, 100.0), Bounds(100.0, 30e3))
# main memory that is read within a millisecond is no DRAM
SRAM_READ_ONCE_S = 1e-3

PEAK_FLOP_PER_S = Bounds(50e12, 20e15)
# dense rate of a precision over the 16-bit rate; Blackwell Ultra cut int8, consumer parts double fp16
PRECISION_RATIO = {
    Precision.FP16: Bounds(0.25, 2.0),
    Precision.FP8: Bounds(1.0, 4.0),
    Precision.INT8: Bounds(0.05, 4.0),
    Precision.FP4: Bounds(1.0, 8.5),
}
PCIE_BYTES_PER_S = Bounds(12e9, 130e9)
LINK_BYTES_PER_S = {
    LinkKind.NVLINK: Bounds(100e9, 900e9),
    LinkKind.NVLINK_BRIDGE: Bounds(40e9, 300e9),
    LinkKind.XGMI: Bounds(100e9, 600e9),
    LinkKind.PCIE: PCIE_BYTES_PER_S,
    LinkKind.ICI: Bounds(150e9, 700e9),
    LinkKind.NEURONLINK: Bounds(300e9, 1400e9),
    LinkKind.ETHERNET: Bounds(200e9, 700e9),
}
# one direction; a value twice as large counts both
NVLINK_BYTES_PER_S = {"Volta": 150e9, "Ampere": 300e9, "Hopper": 450e9, "Blackwell": 900e9}


def check_accelerator(part: Accelerator) -> Iterator[Finding]:
    """Yield what is physically implausible about `part`."""
    yield from _memory(part)
    yield from _peaks(part)
    yield from _links(part)


def _memory(part: Accelerator) -> Iterator[Finding]:
    read_once_s = part.memory_bytes / part.memory_bandwidth_bytes_per_s
    kind = SRAM if read_once_s < SRAM_READ_ONCE_S else DRAM
    yield from _outside(part, f"bytes of {kind.name}", part.memory_bytes, kind.memory_bytes)
    yield from _outside(part, f"seconds to read its {kind.name} once", read_once_s, kind.read_once_s)
    if part.tdp_watts is not None:
        yield from _outside(part, "watts", part.tdp_watts, kind.tdp_watts)
    base = _sixteen_bit(part)
    if base is not None:
        yield from _outside(part, "FLOP per byte", base / part.memory_bandwidth_bytes_per_s, kind.flop_per_byte)


def _sixteen_bit(part: Accelerator) -> float | None:
    return part.peak_flop_per_s.get(Precision.BF16, part.peak_flop_per_s.get(Precision.FP16))


def _peaks(part: Accelerator) -> Iterator[Finding]:
    base = _sixteen_bit(part)
    for precision, peak in part.peak_flop_per_s.items():
        yield from _outside(part, f"{precision} FLOP/s", peak, PEAK_FLOP_PER_S)
        if base is not None and precision is not Precision.BF16:
            ratio = peak / base
            yield from _outside(part, f"{precision} over the 16-bit rate", ratio, PRECISION_RATIO[precision])


def _links(part: Accelerator) -> Iterator[Finding]:
    link = part.link
    yield from _outside(part, "PCIe bytes/s", part.pcie_bytes_per_s, PCIE_BYTES_PER_S)
    if link.domain < 1:
        yield error(Check.PHYSICS, part.id, f"link domain is {link.domain}, allowed from 1")
    total, pair = link.all_to_all_bytes_per_s, link.pair_bytes_per_s
    if total is None:
        return
    if link.kind is LinkKind.NONE:
        yield error(Check.PHYSICS, part.id, "a part without a link has a link bandwidth")
        return
    yield from _outside(part, f"{link.kind} bytes/s of one direction", total, LINK_BYTES_PER_S[link.kind])
    if pair is not None and pair > total:
        yield error(Check.PHYSICS, part.id, f"one pair gets {pair:g} bytes/s, more than {total:g} to all peers")
    if link.kind is LinkKind.NVLINK:
        limit = next((rate for name, rate in NVLINK_BYTES_PER_S.items() if name in part.architecture), None)
        if limit is not None and total > limit:
            yield error(
                Check.PHYSICS, part.id, f"NVLink is {total:g} bytes/s, at most {limit:g} in one direction on this die"
            )


def check_evidence(parts: Iterable[Accelerator], tables: EfficiencyTables) -> Iterator[Finding]:
    """Yield the parts whose claim to be measured, or to share a measured die, has nothing behind it.

    Collective rows exist only for parts with a switched link, so a PCIe part needs none.
    """
    known = tuple(parts)
    collectives = {row.kernel_table for row in tables.all_reduce}
    measured = [part.kernel_table for part in known if part.evidence is Evidence.MEASURED]
    for part in known:
        table = part.kernel_table
        if part.evidence is Evidence.ESTIMATED:
            if table is not None:
                yield error(Check.EVIDENCE, part.id, f"an estimated part names the kernel table {table}")
            continue
        if table is None or measured.count(table) != 1:
            yield error(Check.EVIDENCE, part.id, f"kernel table {table} is not that of exactly one measured part")
        if part.link.kind is not LinkKind.PCIE and table not in collectives:
            yield error(Check.EVIDENCE, part.id, f"no collective rows for kernel table {table}")


def _outside(part: Accelerator, what: str, value: float, bounds: Bounds) -> Iterator[Finding]:
    if value not in bounds:
        message = f"{what}: {value:g}, plausible from {bounds.low:g} to {bounds.high:g}"
        yield error(Check.PHYSICS, part.id, message)
