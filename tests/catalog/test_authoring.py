from decimal import Decimal
from pathlib import Path
from shutil import copytree

import pytest

from catalog.authoring import accelerators, offers
from catalog.authoring.files import flag, read_csv, read_yaml
from catalog.authoring.units import quantity, whole
from catalog.errors import CatalogError
from catalog.read import DATA_DIR


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return Path(copytree(DATA_DIR, tmp_path / "data"))


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_quantities_are_exact_and_binary_prefixes_differ() -> None:
    assert quantity("80 GiB", "bytes", "x") == 85899345920
    assert quantity("80 GB", "bytes", "x") == 80 * 10**9
    assert quantity("3.35 TB/s", "bytes/s", "x") == Decimal("3.35e12")
    assert whole(quantity("275040 MiB", "bytes", "x"), "x") == 288400343040


@pytest.mark.parametrize(
    "text",
    [80, "80", "80 GiB/s", "80 Gb", "GiB 80", "x GiB", "-1 GiB", "nan GiB", "1e999999999 GiB", "1e-99 GiB", None],
)
def test_what_is_no_quantity_is_refused(text: object) -> None:
    with pytest.raises(CatalogError, match="part: memory"):
        quantity(text, "bytes", "part: memory")


def test_a_fraction_of_a_byte_is_refused() -> None:
    with pytest.raises(CatalogError, match="not a whole number"):
        whole(Decimal("1.5"), "x")


def test_a_key_written_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\nb: {c: 1, c: 2}\n", encoding="utf-8")
    with pytest.raises(CatalogError, match=r"a\.yaml:2: key 'c' is written twice"):
        read_yaml(path)
    path.write_text("- 1\n", encoding="utf-8")
    with pytest.raises(CatalogError, match="expected a mapping"):
        read_yaml(path)


def test_dates_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 2026-11-22\n", encoding="utf-8")
    assert read_yaml(path) == {"a": "2026-11-22"}


def test_columns_are_exact(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n1\n", encoding="utf-8")
    with pytest.raises(CatalogError, match=r"a\.csv:1: columns"):
        list(read_csv(path, ("a", "c")))
    with pytest.raises(CatalogError, match=r"a\.csv:3: 1 cells, expected 2"):
        list(read_csv(path, ("a", "b")))
    with pytest.raises(CatalogError, match="expected true or false"):
        flag("yes", "a.csv:2")


def test_a_part_written_twice_is_refused(data_dir: Path) -> None:
    hopper = data_dir / "accelerators" / "nvidia_hopper.yaml"
    (data_dir / "accelerators" / "zz.yaml").write_text(hopper.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(CatalogError, match="is written twice"):
        accelerators.read_authored(data_dir)


def test_a_bare_number_in_a_part_is_refused(data_dir: Path) -> None:
    rewrite(data_dir / "accelerators" / "nvidia_hopper.yaml", "memory: 80 GiB", "memory: 80")
    with pytest.raises(CatalogError, match=r"nvidia_hopper\.yaml: h100-pcie-80gb: memory: read 80"):
        accelerators.read_authored(data_dir)


def test_a_price_below_a_micro_dollar_is_refused(data_dir: Path) -> None:
    rewrite(data_dir / "offers.csv", ",5.326,", ",5.3260001,")
    with pytest.raises(CatalogError, match=r"offers\.csv:2: micro-dollars of on_demand"):
        offers.read_authored(data_dir)


def test_a_row_without_a_price_is_refused(data_dir: Path) -> None:
    rewrite(data_dir / "offers.csv", ",5.326,2026-05-20,anycloud-azure-62ff0a9,0.984245,", ",,,,,")
    with pytest.raises(CatalogError, match="no price in any tier"):
        offers.read_authored(data_dir)
