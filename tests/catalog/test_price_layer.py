from datetime import date
from decimal import Decimal
from errno import ENOSPC
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import CatalogError
from catalog.offers import Tier
from catalog.price_layer import COLUMNS, layer_of, price_file, write
from catalog.price_sources import FreshPrice
from catalog.read import Snapshot, load
from optimizer.names import known_names
from requirements_specs.price_table import PRICE_COLUMNS, PriceTable

OFFERS = load().offers
P5 = "aws/p5.48xlarge/us-east-1"


def fresh(usd: str, **changes: object) -> FreshPrice:
    fields: dict[str, object] = {
        "provider": "aws",
        "instance": "p5.48xlarge",
        "region": "us-east-1",
        "tier": Tier.SPOT,
        "accelerators": Decimal(8),
        "usd_per_hour": Decimal(usd),
    }
    return FreshPrice(**(fields | changes))  # type: ignore[arg-type]


def test_the_cheapest_zone_stands_for_a_region() -> None:
    layer = layer_of([fresh("21.5"), fresh("20.25"), fresh("22")], OFFERS)
    assert layer.prices == {f"{P5}/spot": 20_250_000}
    assert (layer.changed, layer.unknown, layer.implausible) == (1, 0, 0)


def test_an_offer_that_is_the_same_everywhere_takes_rows_of_any_region() -> None:
    rows = [
        fresh(usd, provider="lambda", instance="gpu_8x_h100_sxm5", region=region, tier=Tier.ON_DEMAND)
        for usd, region in (("23.92", "us-east-1"), ("24", "asia"))
    ]
    assert layer_of(rows, OFFERS).prices == {"lambda/gpu_8x_h100_sxm5/global/on_demand": 23_920_000}


@pytest.mark.parametrize(
    ("row", "counts"),
    [
        (fresh("20", region="mars-1"), (1, 0)),
        (fresh("20", instance="p9.48xlarge"), (1, 0)),
        (fresh("20", accelerators=Decimal(4)), (0, 1)),
        (fresh("0.01"), (0, 1)),
        (fresh("0"), (0, 1)),
        (fresh("1000"), (0, 1)),
    ],
)
def test_rows_that_are_not_of_an_offer_are_counted(row: FreshPrice, counts: tuple[int, int]) -> None:
    layer = layer_of([row], OFFERS)
    assert layer.prices == {}
    assert (layer.unknown, layer.implausible) == counts


def test_the_same_prices_change_nothing() -> None:
    rows = [
        FreshPrice(
            offer.provider,
            offer.instance,
            offer.region,
            offer.tier,
            Decimal(offer.accelerators),
            Decimal(offer.usd_micro_per_hour) / 10**6,
        )
        for offer in OFFERS
    ]
    layer = layer_of(rows, OFFERS)
    assert len(layer.prices) == len(OFFERS)
    assert (layer.changed, layer.unknown, layer.implausible) == (0, 0, 0)


@given(st.dictionaries(st.sampled_from([offer.id for offer in OFFERS]), st.integers(1, 10**9), min_size=1, max_size=9))
def test_what_is_written_is_read_back_to_the_micro_dollar(prices: dict[str, int]) -> None:
    snapshot: Snapshot = load()
    layer = layer_of([], OFFERS)
    data = price_file(
        type(layer)(prices=prices, changed=0, unknown=0, implausible=0), date(2026, 11, 24), "gpuhunt 0.1.34"
    )
    table = PriceTable(Path("fresh.csv"), known_names(snapshot))
    read = table.read(data.decode())
    assert table.problems == []
    assert {price.offer: price.usd_micro_per_hour for price in read} == prices
    assert {price.date for price in read} == {date(2026, 11, 24)}
    assert read[0].source == "fresh.csv:2 (gpuhunt 0.1.34)"


def test_every_column_that_is_written_is_one_that_is_read() -> None:
    assert set(COLUMNS) < set(PRICE_COLUMNS)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "prices.csv"
    assert write(path, b"one") == sha256(b"one").hexdigest()
    write(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(CatalogError, match="cannot be written"):
        write(path / "below a file.csv", b"x")


@pytest.mark.parametrize("name", [".", "folder", ".."])
def test_a_folder_is_not_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "folder" / "folder").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "folder")
    with pytest.raises(CatalogError, match="cannot be written: Is a directory"):
        write(Path(name), b"x")
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "folder"]


def test_what_was_written_in_part_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> Path:
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(CatalogError, match="No space left on device"):
        write(tmp_path / "prices.csv", b"x")
    assert not list(tmp_path.iterdir())
