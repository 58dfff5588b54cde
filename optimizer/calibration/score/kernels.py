"""Single kernels against measurements of our own, which are shipped."""

from __future__ import annotations

from catalog.read import Snapshot
from optimizer.calibration.kernels import kernel_agreements
from optimizer.calibration.score.sections import Line, Section, agreement_figures, agreement_table


def section(snapshot: Snapshot) -> Section:
    """Kernels by part, operation and library; there is no bar, for PyTorch's kernels are not the engines'."""
    return Section(
        "Kernels of PyTorch on one GPU",
        "seconds of one call; nothing fitted to these rows, and no bar, for engines run other kernels",
        (
            agreement_table(
                "part, operation, kernel",
                (
                    Line(f"{found.part} {found.operation} {found.kernel}", agreement_figures(found.agreement))
                    for found in kernel_agreements(snapshot)
                ),
            ),
        ),
        causes=(
            "Prefill attention: the constants lie between the two libraries that PyTorch ships; its own flash kernel "
            "is of the Ampere generation and far slower on these parts than those of engines.",
            "Products in fp8: PyTorch scales per tensor, the constants are of the kernels of engines, which also "
            "quantise their inputs.",
        ),
    )
