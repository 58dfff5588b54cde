"""The script that measures kernels, with a stand-in for torch: what it writes and leaves out, not how fast."""

import csv
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

import pytest

from catalog.read import load
from optimizer.calibration.kernels import MEASURED_KERNELS, Operation, part_agreements

NAME = "optimizer.calibration.microbenchmarks"
PART = "h100-sxm-80gb"


class OutOfMemoryError(RuntimeError):
    """As torch's."""


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    found = MagicMock(__version__="2.11.0", OutOfMemoryError=OutOfMemoryError)
    found.cuda.get_device_name.return_value = "NVIDIA H100 80GB HBM3"
    for name in ("torch", "torch.nn", "torch.nn.attention", "torch.nn.functional"):
        monkeypatch.setitem(sys.modules, name, found)
    return found


@pytest.fixture
def script(torch: MagicMock, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:  # noqa: ARG001 - it is imported
    module = importlib.import_module(NAME)
    monkeypatch.setattr(module, "timed_graph", lambda calls: (1e-6 * len(calls), 0.01))
    monkeypatch.setattr(module, "timed", lambda _, calls: (1e-6 * calls, 0.01))
    yield module
    del sys.modules[NAME]  # it holds the stand-in
    delattr(importlib.import_module("optimizer.calibration"), "microbenchmarks")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_what_is_written_has_the_columns_of_what_is_shipped_and_read(script: ModuleType, tmp_path: Path) -> None:
    script.measure(tmp_path, quick=True)
    shipped = sorted((MEASURED_KERNELS / PART).glob("*.csv"))
    assert [path.name for path in shipped] == sorted(path.name for path in tmp_path.iterdir())
    for path in shipped:
        written = rows_of(tmp_path / path.name)
        assert list(written[0]) == list(rows_of(path)[0])
        assert written[0]["source"].startswith("measured on one NVIDIA H100 80GB HBM3 with torch 2.11.0 on ")
    agreements = part_agreements(load().accelerators[PART], tmp_path, load())
    # two heads, of two batches by two contexts and of two prefills; two tokens of two projections
    assert [(each.operation, each.kernel, each.agreement.cases) for each in agreements] == [
        (Operation.GEMM, "bf16", 4),
        (Operation.GEMM, "fp8", 4),
        (Operation.DECODE_ATTENTION, "cudnn", 8),
        (Operation.PREFILL_ATTENTION, "cudnn", 4),
        (Operation.DECODE_ATTENTION, "flash", 8),
        (Operation.PREFILL_ATTENTION, "flash", 4),
    ]


def test_kernels_that_torch_has_not_are_left_out_and_said_first(
    script: ModuleType, torch: MagicMock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del torch._grouped_mm, torch._scaled_mm
    script.measure(tmp_path, quick=True)
    assert capsys.readouterr().err.splitlines() == [
        "torch 2.11.0 has no _scaled_mm: fp8 products are not measured",
        "torch 2.11.0 has no _grouped_mm: experts are not measured",
    ]
    assert not (tmp_path / "experts.csv").exists()
    assert {row["kernel"] for row in rows_of(tmp_path / "gemm.csv")} == {"bf16"}


def test_a_shape_that_does_not_fit_the_memory_is_left_out(
    script: ModuleType, torch: MagicMock, capsys: pytest.CaptureFixture[str]
) -> None:
    def randn(*shape: int, **_: object) -> MagicMock:
        if 28672 in shape:
            raise OutOfMemoryError
        return MagicMock()

    torch.randn = randn
    found = list(script.gemms((1, 8), ((28672, 4096), (4096, 4096)), eight_bits=True))
    assert [(row.kernel, row.tokens, row.outputs) for row in found] == [
        ("bf16", 1, 4096), ("fp8", 1, 4096), ("bf16", 8, 4096), ("fp8", 8, 4096),
    ]  # fmt: skip
    assert capsys.readouterr().err.splitlines() == [
        "no memory for gemms of (1, 28672, 4096, True)",
        "no memory for gemms of (8, 28672, 4096, True)",
    ]


def test_what_was_measured_is_kept_where_a_later_shape_fails(script: ModuleType, tmp_path: Path) -> None:
    def rows() -> Iterator[object]:
        yield script.Launch("eager", 1.23456e-6, 0.5)
        raise RuntimeError("driver")

    with pytest.raises(RuntimeError, match="driver"):
        script.write(rows(), tmp_path / "launches.csv", "here")
    assert (tmp_path / "launches.csv").read_text() == "kernel,seconds,spread,source\neager,1.235e-06,0.5,here\n"


@pytest.mark.parametrize("size", [1e3, 4e6, 8.4e6, 77e6, 100e6, 199e6, 200e6, 201e6, 1e9, 1e12])
def test_copies_exceed_the_cache_and_none_is_for_nothing(script: ModuleType, size: float) -> None:
    number = script.copies(size)
    assert 1 <= number <= script.MOST_COPIES
    assert number * size >= script.CACHE_BYTES or number == script.MOST_COPIES
    assert (number - 1) * size <= script.CACHE_BYTES
