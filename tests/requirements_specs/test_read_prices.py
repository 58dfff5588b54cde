from collections.abc import Callable
from dataclasses import replace
from datetime import date
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from requirements_specs.errors import SpecError
from requirements_specs.known import KnownNames
from requirements_specs.price_table import PRICE_COLUMNS, PriceTable
from requirements_specs.prices import Discount, OfferPrice
from requirements_specs.read import read_spec
from requirements_specs.restate import restate
from requirements_specs.serving import ServingSpec

OFFERS = frozenset(
    f"{machine}/{tier}"
    for machine in ("aws/p5.48xlarge/us-east-1", "aws/p5.48xlarge/eu-west-1", "aws/p4d.24xlarge/us-east-1")
    for tier in ("on_demand", "spot")
) | {"lambda/gpu_8x_h100_sxm5/global/on_demand"}
P5 = "aws/p5.48xlarge/us-east-1/on_demand"
HEADER = "offer,usd_per_hour,date"
Refused = Callable[..., str]
Read = Callable[..., ServingSpec]


@pytest.fixture(scope="module")
def known(names: KnownNames) -> KnownNames:
    return replace(names, offers=OFFERS)


@pytest.fixture
def read(tmp_path: Path, minimal: str, known: KnownNames) -> Read:
    """Read the shortest spec with an inventory line below it, and a file beside it."""

    def spec(table: str | bytes, inventory: str = "{prices: own.csv}") -> ServingSpec:
        (tmp_path / "own.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
        path = tmp_path / "chat.yaml"
        path.write_text(f"{minimal}inventory: {inventory}\n", encoding="utf-8")
        return read_spec(path, known)

    return spec


@pytest.fixture
def refused(read: Read, tmp_path: Path) -> Refused:
    """The message with which a file is refused, folders left out."""

    def message(table: str | bytes, inventory: str = "{prices: own.csv}") -> str:
        with pytest.raises(SpecError) as error:
            read(table, inventory)
        return str(error.value).replace(f"{tmp_path}/", "")

    return message


def prices_of(spec: ServingSpec) -> tuple[OfferPrice, ...]:
    assert spec.inventory.prices is not None
    return spec.inventory.prices.prices


def test_a_price_has_its_offer_its_day_and_its_line(read: Read) -> None:
    table = f"{HEADER},currency,note\n\n{P5}, 31.5 ,2026-11-01,USD,framework agreement\n"
    spec = read(table)
    (price,) = prices_of(spec)
    assert price == OfferPrice(
        offer=P5, usd_micro_per_hour=31_500_000, date=date(2026, 11, 1), source="own.csv:3 (framework agreement)"
    )
    assert spec.inventory.prices is not None
    assert spec.inventory.prices.file == "own.csv"
    assert spec.inventory.prices.sha256 == sha256(table.encode()).hexdigest()
    assert "1 price of own.csv" in "; ".join(restate(spec))


@pytest.mark.parametrize(
    ("row", "offers"),
    [
        ("AWS,p5.48xlarge,,", ["aws/p5.48xlarge/eu-west-1/on_demand", P5]),
        ("aws,P5.48XLARGE,us-east-1,", [P5]),
        ("aws,p5.48xlarge,,spot", ["aws/p5.48xlarge/eu-west-1/spot", "aws/p5.48xlarge/us-east-1/spot"]),
        ("aws,p5.48xlarge,eu-west-1,spot", ["aws/p5.48xlarge/eu-west-1/spot"]),
    ],
)
def test_a_machine_without_a_region_is_meant_in_all_and_without_a_tier_on_demand(
    read: Read, row: str, offers: list[str]
) -> None:
    spec = read(f"provider,instance,region,tier,usd_per_hour,date\n{row},31.5,2026-11-01\n")
    assert [price.offer for price in prices_of(spec)] == offers


@pytest.mark.parametrize(
    ("text", "micro"),
    [
        ("31.4159265", 31_415_927),
        ("0.0000005", 1),
        ("2.0000004999", 2_000_000),
        ("2.0000005", 2_000_001),
        ("7", 7_000_000),
    ],
)
def test_a_price_is_rounded_to_the_nearest_micro_dollar_half_upwards(read: Read, text: str, micro: int) -> None:
    (price,) = prices_of(read(f"{HEADER}\n{P5},{text},2026-11-01\n"))
    assert price.usd_micro_per_hour == micro


BAD_TABLES = [
    ("", "own.csv:1: the file is empty", "allowed: a header: offer (or provider, instance), usd_per_hour, date"),
    (f"{HEADER}\n", "own.csv:1: no prices below the header", "allowed: a row for each price"),
    ("kind: serving\nmodel: x\n", "own.csv:1: the header lacks offer and usd_per_hour and date", "read: kind: serving"),
    (
        "instance,usd_per_hour,date\nx,1,2026-11-01\n",
        "own.csv:1: the header lacks offer",
        "allowed: offer (or provider",
    ),
    (f"offer,usd_per_hour\n{P5},1\n", "own.csv:1: the header lacks date", "allowed: offer (or provider, instance)"),
    (f"{HEADER},regin\n{P5},1,2026-11-01,\n", "own.csv:1: regin: unknown column", "did you mean: region"),
    (f"{HEADER},date\n{P5},1,2026-11-01,\n", "own.csv:1: date: the header names this column twice", "read: date"),
    (f"{HEADER}\n{P5},1\n", "own.csv:2: another number of cells than the header", "read: 2 cells"),
    (f'{HEADER}\n{P5},"1,2026-11-01\n', "own.csv:2: not CSV", "allowed: a row a line"),
    (f"{HEADER}\naws/p5.48xlarge/us-east-2/on_demand,1,2026-11-01\n", "own.csv:2: offer: unknown region", "us-east-1"),
    (f"{HEADER}\naws/p5,1,2026-11-01\n", "own.csv:2: offer: not the id of an offer", "provider/instance/region/tier"),
    (f"{HEADER}\n{P5},-1,2026-11-01\n", "own.csv:2: usd_per_hour: a price is more than nothing", "read: -1"),
    (f"{HEADER}\n{P5},0,2026-11-01\n", "own.csv:2: usd_per_hour: out of range", "allowed: 0.000001 to 1,000,000"),
    (f"{HEADER}\n{P5},0.0000004,2026-11-01\n", "own.csv:2: usd_per_hour: out of range", "read: 0.0000004"),
    (f"{HEADER}\n{P5},€31,2026-11-01\n", "own.csv:2: usd_per_hour: not a price", "a decimal such as 2.49"),
    (f"{HEADER}\n{P5},,2026-11-01\n", "own.csv:2: usd_per_hour: not a price", "read: nothing"),
    (f"{HEADER}\n{P5},nan,2026-11-01\n", "own.csv:2: usd_per_hour: not a price", "read: nan"),
    (f"{HEADER}\n{P5},1,\n", "own.csv:2: date: a price without a date", "allowed: the day of the price as YYYY-MM-DD"),
    (f"{HEADER}\n{P5},1,11/01/2026\n", "own.csv:2: date: not a date", "as YYYY-MM-DD"),
    (f"{HEADER}\n{P5},1,2026-02-30\n", "own.csv:2: date: not a date", "read: 2026-02-30"),
    (f"{HEADER},currency\n{P5},1,2026-11-01,EUR\n", "own.csv:2: currency: prices are in US dollars", "allowed: USD"),
    (
        f"{HEADER}\n{P5},1,2026-11-01\n{P5},2,2026-11-01\n",
        "own.csv:3: priced twice, first in line 2",
        "allowed: one price for each offer",
    ),
    (
        f"{HEADER},provider\n{P5},1,2026-11-01,aws\n",
        "own.csv:2: provider: the id of the offer says this",
        "allowed: an empty cell",
    ),
    (
        "provider,instance,usd_per_hour,date\nawz,p5.48xlarge,1,2026-11-01\n",
        "own.csv:2: provider: unknown provider",
        "did you mean: aws",
    ),
    (
        "provider,instance,usd_per_hour,date\naws,p5.48xlrge,1,2026-11-01\n",
        "own.csv:2: instance: unknown instance",
        "did you mean: p5.48xlarge",
    ),
    (
        "provider,instance,region,usd_per_hour,date\naws,p4d.24xlarge,eu-west-1,1,2026-11-01\n",
        "own.csv:2: region: unknown region",
        "allowed: us-east-1",
    ),
    (
        "provider,instance,tier,usd_per_hour,date\nlambda,gpu_8x_h100_sxm5,spot,1,2026-11-01\n",
        "own.csv:2: tier: unknown tier",
        "allowed: on_demand",
    ),
    (b"\x89PNG\r\n", "own.csv:1:1: not UTF-8 text", "read: byte 0x89"),
]


@pytest.mark.parametrize(("table", "first", "detail"), BAD_TABLES)
def test_what_is_wrong_with_a_file_is_said_with_its_line(
    refused: Refused, table: str | bytes, first: str, detail: str
) -> None:
    message = refused(table)
    assert message.startswith(first)
    assert detail in message


def test_every_row_that_is_wrong_is_named_but_not_without_end(refused: Refused) -> None:
    rows = "".join(f"nobody/x{row}/y/spot,-1,2026\n" for row in range(1000))
    message = refused(f"{HEADER}\n{rows}")
    assert "own.csv:2: offer: " in message
    assert "own.csv:3: offer: " in message
    assert message.count("own.csv:") == 20


@pytest.mark.parametrize(
    ("inventory", "first", "detail"),
    [
        ("{prices: missing.csv}", "7:13: inventory.prices: missing.csv: cannot be read", "beside the spec"),
        ("{prices: [own.csv]}", "7:21: inventory.prices: one value is needed", "read: a list"),
        ("{prices: {sha256: x}}", "7:13: inventory.prices.file: this key is missing", "file: prices.csv"),
        ("{prices: {file: own.csv, sha256: abc}}", "7:45: inventory.prices.sha256: not a SHA-256", "64 digits"),
    ],
)
def test_a_file_that_is_not_there_or_not_named(refused: Refused, inventory: str, first: str, detail: str) -> None:
    message = refused(f"{HEADER}\n{P5},1,2026-11-01\n", inventory)
    assert message.startswith(f"chat.yaml:{first}")
    assert detail in message


def test_a_pinned_file_is_read_only_as_it_was(read: Read, refused: Refused) -> None:
    table = f"{HEADER}\n{P5},1,2026-11-01\n"
    digest = sha256(table.encode()).hexdigest()
    pinned = f"{{prices: {{file: own.csv, sha256: {digest}}}}}"
    assert len(prices_of(read(table, pinned))) == 1
    message = refused(table.replace(",1,", ",2,"), pinned)
    assert message.startswith("chat.yaml:7:22: inventory.prices: own.csv is not the file that sha256 pins")
    assert f"allowed: {digest}" in message


def test_discounts_are_shares_of_a_providers_list_prices(read: Read) -> None:
    spec = read("", "{discounts: {AWS: 35 %, lambda: 0.125}}")
    assert spec.inventory.discounts == (
        Discount(provider="aws", share=0.35, source="chat.yaml:7"),
        Discount(provider="lambda", share=0.125, source="chat.yaml:7"),
    )
    assert "35 % off list prices of aws" in "; ".join(restate(spec))


@pytest.mark.parametrize(
    ("discounts", "first", "detail"),
    [
        ("{aws: 135 %}", "7:30: inventory.discounts.aws: out of range", "less than 100 %"),
        ("{aws: 100 %}", "7:30: inventory.discounts.aws: out of range", "less than 100 %"),
        ("{aws: -5 %}", "7:30: inventory.discounts.aws: out of range", "at least 0 %"),
        ("{aws: 35}", "7:30: inventory.discounts.aws: out of range", "did you mean: 35 %"),
        ("{aws: }", "7:30: inventory.discounts.aws: not a share", "35 %"),
        ("{aws: [1]}", "7:30: inventory.discounts.aws: one value is needed", "read: a list"),
        ("{lamda: 35 %}", "7:25: inventory.discounts.lamda: unknown provider", "did you mean: lambda"),
        ("{aws: 5 %, AWS: 6 %}", "7:35: inventory.discounts.AWS: given twice", "each provider once"),
        ("35 %", "7:24: inventory.discounts: keys are needed below this one", "aws, azure, gcp: …"),
    ],
)
def test_discounts_that_are_none(refused: Refused, discounts: str, first: str, detail: str) -> None:
    message = refused("", f"{{discounts: {discounts}}}")
    assert message.startswith(f"chat.yaml:{first}"), message
    assert detail in message


@given(st.text(max_size=200))
def test_any_text_is_a_table_of_prices_or_refused(text: str) -> None:
    names = KnownNames({}, {}, frozenset(), frozenset(), frozenset(), frozenset(), frozenset(), OFFERS)
    table = PriceTable(Path("own.csv"), names)
    assert bool(table.read(text)) != bool(table.problems)


@given(
    st.lists(st.sampled_from([*PRICE_COLUMNS, "x"]), max_size=6),
    st.lists(
        st.lists(st.sampled_from([P5, "aws", "p5.48xlarge", "", "1", "2026-11-01", "USD"]), max_size=6), max_size=4
    ),
)
def test_any_table_is_read_or_refused(header: list[str], rows: list[list[str]]) -> None:
    names = KnownNames({}, {}, frozenset(), frozenset(), frozenset(), frozenset(), frozenset(), OFFERS)
    table = PriceTable(Path("own.csv"), names)
    prices = table.read("\n".join(",".join(row) for row in [header, *rows]))
    assert bool(prices) or bool(table.problems)
    assert len({price.offer for price in prices}) == len(prices)
