"""Single kernels against measurements of our own, which are shipped, or of the user's."""

from __future__ import annotations

from collections.abc import Iterable

from catalog.read import Snapshot
from optimizer.calibration.kernels import KernelAgreement, kernel_agreements
from optimizer.calibration.score.sections import Line, Section, Table, agreement_figures, agreement_table

NAME = "Kernels of PyTorch on one GPU"
CAUSES = (
    "Prefill attention: the constants lie between the two libraries that PyTorch ships; its flash kernel is "
    "FlashAttention 2, which is far slower on these parts than those of engines.",
    "Products in fp8: PyTorch scales per tensor, the constants are of the kernels of engines, which also quantise "
    "their inputs.",
)


def section(snapshot: Snapshot) -> Section:
    """Kernels by part, operation and library; there is no bar, for PyTorch's kernels are not the engines'."""
    return Section(
        NAME,
        "seconds of one call; nothing fitted to these rows, and no bar, for engines run other kernels",
        (_table(kernel_agreements(snapshot)),),
        causes=CAUSES,
    )


def measured_section(found: Iterable[KernelAgreement]) -> Section:
    """What the user measured against the catalog's constants."""
    return Section(
        NAME,
        "error = |ln(predicted/measured)| of the catalog's constants; engines run other kernels than PyTorch",
        (_table(found),),
    )


def _table(found: Iterable[KernelAgreement]) -> Table:
    return agreement_table(
        "part, operation, kernel",
        (Line(f"{each.part} {each.operation} {each.kernel}", agreement_figures(each.agreement)) for each in found),
    )
