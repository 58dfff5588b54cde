"""Fresh prices from recorded rows; the real gpuhunt, where installed, is asked at an address that nobody serves."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

import pytest

from catalog.errors import CatalogError
from catalog.offers import Tier
from catalog.price_sources import FreshPrice, SourceUnavailable, from_gpuhunt, from_skypilot

HEADER = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,AvailabilityZone"
GPU_INFO = "\"{'Gpus': [{'Name': 'H100', 'Count': 8.0}]}\""
P5 = f"p5.48xlarge,H100,8.0,192.0,2048.0,{GPU_INFO},55.04,21.7467,us-east-1,us-east-1a"


@pytest.fixture
def table(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str | bytes) -> Path:
        path = tmp_path / "vms.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_a_file_of_skypilot_has_prices_of_both_tiers(table: Callable[[str], Path]) -> None:
    rows = from_skypilot(table(f"{HEADER}\n{P5}\n"), "aws")
    assert rows == [
        FreshPrice("aws", "p5.48xlarge", "us-east-1", Tier.ON_DEMAND, Decimal(8), Decimal("55.04")),
        FreshPrice("aws", "p5.48xlarge", "us-east-1", Tier.SPOT, Decimal(8), Decimal("21.7467")),
    ]


def test_hosts_without_accelerators_and_accelerators_without_hosts_have_no_price_of_a_machine(
    table: Callable[[str], Path],
) -> None:
    rows = (
        "a2-highgpu-1g,,,12.0,85.0,,0.6,0.2,us-central1,us-central1-a",
        ",A100,1.0,,,,2.93,0.88,us-central1,us-central1-a",
        "g5.xlarge,A10G,1.0,4.0,16.0,,1.006,,us-east-1,us-east-1a",
    )
    found = from_skypilot(table("\n".join((HEADER, *rows))), "gcp")
    assert [(row.instance, row.tier) for row in found] == [("g5.xlarge", Tier.ON_DEMAND)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "vms.csv:1: the header lacks InstanceType, AcceleratorName"),
        ("a,b\n1,2\n", "read a, b; a catalog of SkyPilot has InstanceType"),
        (f"{HEADER}\np5.48xlarge,H100\n", "vms.csv:2: 10 cells are expected"),
        (f"{HEADER}\n{P5.replace('55.04', 'free')}\n", "vms.csv:2: Price: read 'free', expected a number"),
        (f"{HEADER}\n{P5.replace('55.04', '-1')}\n", "vms.csv:2: Price: read '-1', expected a number from 0"),
        (f"{HEADER}\n{P5.replace('55.04', '1e999999999')}\n", "vms.csv:2: Price: read '1e999999999', expected"),
        (f"{HEADER}\n{P5.replace('8.0,192', 'x,192')}\n", "vms.csv:2: AcceleratorCount: read 'x'"),
        (b"\xff\xfe\x00", "not a CSV file in UTF-8"),
    ],
)
def test_what_is_no_file_of_skypilot_is_refused(
    table: Callable[[str | bytes], Path], text: str | bytes, message: str
) -> None:
    with pytest.raises(CatalogError) as error:
        from_skypilot(table(text), "aws")
    assert message in str(error.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="cannot be read"):
        from_skypilot(tmp_path / "none.csv", "aws")


@dataclass(frozen=True)
class Item:
    """A row of gpuhunt, as far as it is read."""

    provider: str
    instance_name: str
    location: str
    price: float
    gpu_count: int
    spot: bool


ITEMS = (
    Item("lambdalabs", "gpu_8x_h100_sxm5", "us-east-1", 23.92, 8, False),
    Item("aws", "p5.48xlarge", "us-east-1", 21.7467, 8, True),
)


@pytest.fixture
def gpuhunt(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A gpuhunt that answers from recorded rows."""
    module = ModuleType("gpuhunt")

    class Catalog:
        def __init__(self, *, balance_resources: bool, auto_reload: bool) -> None:
            assert not balance_resources
            assert not auto_reload

        def load(self) -> None:
            pass

        def query(self, *, provider: list[str], min_gpu_count: int) -> list[Item]:
            return [item for item in ITEMS if item.provider in provider and item.gpu_count >= min_gpu_count]

    module.Catalog = Catalog  # type: ignore[attr-defined]
    module.GPUHuntError = type("GPUHuntError", (Exception,), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gpuhunt", module)
    monkeypatch.setattr("importlib.metadata.version", lambda _name: "0.1.34")
    return module


@pytest.mark.usefixtures("gpuhunt")
def test_rows_of_gpuhunt_have_our_names() -> None:
    source, rows = from_gpuhunt()
    assert source == "gpuhunt 0.1.34"
    assert rows == [
        FreshPrice("lambda", "gpu_8x_h100_sxm5", "us-east-1", Tier.ON_DEMAND, Decimal(8), Decimal("23.92")),
        FreshPrice("aws", "p5.48xlarge", "us-east-1", Tier.SPOT, Decimal(8), Decimal("21.7467")),
    ]
    assert [row.provider for row in from_gpuhunt("lambda")[1]] == ["lambda"]


@pytest.mark.usefixtures("gpuhunt")
def test_a_provider_that_gpuhunt_does_not_follow_is_refused() -> None:
    with pytest.raises(CatalogError, match="no prices of coreweave; it has those of aws, azure"):
        from_gpuhunt("coreweave")


@pytest.mark.parametrize("reason", [OSError("no route"), "GPUHuntError"])
def test_a_catalog_out_of_reach_is_said(
    gpuhunt: ModuleType, monkeypatch: pytest.MonkeyPatch, reason: OSError | str
) -> None:
    def fail(_self: object) -> None:
        raise reason if isinstance(reason, OSError) else gpuhunt.GPUHuntError("no route")

    monkeypatch.setattr(gpuhunt.Catalog, "load", fail)
    with pytest.raises(SourceUnavailable, match="gpuhunt cannot reach its catalogs: no route"):
        from_gpuhunt()


def test_without_gpuhunt_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpuhunt", None)
    with pytest.raises(SourceUnavailable, match=r"pip install 'roofplan\[prices\]'"):
        from_gpuhunt()


def _installed() -> bool:
    try:
        version("gpuhunt")
    except PackageNotFoundError:
        return False
    return True


@pytest.mark.skipif(not _installed(), reason="the extra [prices] is not installed")
def test_the_real_gpuhunt_without_a_network_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GPUHUNT_CATALOG_URL", "http://127.0.0.1:9")
    with pytest.raises(SourceUnavailable, match="gpuhunt cannot reach its catalogs: "):
        from_gpuhunt()
    assert capsys.readouterr().err == ""
