"""Kernels of the GPU at hand, measured and held against the catalog's constants."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from catalog.engines import version_number
from catalog.errors import UnknownName
from catalog.parts import Accelerator
from catalog.read import Snapshot
from optimizer.calibration.kernels import KernelAgreement, part_agreements
from optimizer.errors import QuestionError

FOLDER = "kernels"
# The first whose attention takes grouped heads.
OLDEST_TORCH = (2, 5)


@dataclass(frozen=True)
class MeasuredKernels:
    """Where the seconds of a part were written, and how its kernels agree with the catalog."""

    part: Accelerator
    folder: Path
    agreements: tuple[KernelAgreement, ...]


def measure_kernels(name: str | None, out: Path | None, user_folder: Path, snapshot: Snapshot) -> MeasuredKernels:
    """Measure the GPU at hand; takes minutes.

    name: the part, where what torch calls it is not enough. out: where the measurements go; by default a folder of the
    part's own in `user_folder`.

    Raises QuestionError without torch 2.5 or a GPU, for a part that the catalog has not, or if nothing can be written.
    """
    called = _device_name()
    part = _part(name or called, snapshot, stated=name is not None)
    folder = out if out is not None else user_folder / FOLDER / part.id
    from optimizer.calibration import microbenchmarks  # imports torch, which is there

    try:
        microbenchmarks.measure(folder, quick=False)
    except OSError as error:
        raise QuestionError(f"{folder}: cannot be written: {error.strerror}; name another directory with -o") from None
    return MeasuredKernels(part, folder, part_agreements(part, folder, snapshot))


def _device_name() -> str:
    """What torch calls the GPU."""
    try:
        import torch
    except ImportError:
        raise QuestionError(
            "calibrate --measure: there is no torch in this Python, and it measures through torch; run it where torch "
            "and a GPU are, or calibrate by results of a benchmark tool: roofplan calibrate RESULTS…"
        ) from None
    if not torch.cuda.is_available():
        raise QuestionError(
            f"calibrate --measure: torch {torch.__version__} finds no GPU; run it on a machine with one, or calibrate "
            "by results of a benchmark tool: roofplan calibrate RESULTS…"
        )
    if version_number(torch.__version__) < OLDEST_TORCH:
        oldest = ".".join(map(str, OLDEST_TORCH))
        raise QuestionError(f"calibrate --measure: torch {torch.__version__} is too old; {oldest} or newer is needed")
    return str(torch.cuda.get_device_name())


def _part(name: str, snapshot: Snapshot, *, stated: bool) -> Accelerator:
    try:
        return snapshot.accelerator(name)
    except UnknownName as error:
        source = "--gpu" if stated else "torch"
        fix = "" if stated else "; say which part it is with --gpu"
        raise QuestionError(f"calibrate --measure: {source} names the GPU {name!r}: {error}{fix}") from None
