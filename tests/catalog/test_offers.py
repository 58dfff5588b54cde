from collections import Counter
from datetime import date

import pytest

from catalog.authoring.files import read_csv
from catalog.authoring.offers import OFFER_COLUMNS
from catalog.offers import Offer, Tier
from catalog.parts import LinkKind
from catalog.read import DATA_DIR, Snapshot

SOURCE_ROWS = 1135
USABLE_SOURCE_ROWS = 988
CHOSEN_NAMES_OF_FLAGS = (
    "marketplace_snapshot",
    "starting_at",
    "suspect_",
    "unverified",
    "vm_part_zero",
    "wrong_sku",
    "spot_above",
    "spot_close",
    "capacity_block",
)


def test_every_row_of_the_price_sources_is_accounted_for(snapshot: Snapshot) -> None:
    # three parts of an id are a row, four a single price of a row that is kept
    kept = {(offer.provider, offer.instance, offer.region) for offer in snapshot.offers}
    dropped = [row for row in snapshot.excluded_offers if row.id.count("/") == 2]
    assert len(kept) + len(dropped) == SOURCE_ROWS
    flagged = [row for row in dropped if row.reason.startswith(CHOSEN_NAMES_OF_FLAGS)]
    assert SOURCE_ROWS - len(flagged) == USABLE_SOURCE_ROWS
    assert len({row.id for row in snapshot.excluded_offers}) == len(snapshot.excluded_offers)


def test_excluded_prices_belong_to_rows_that_are_kept(snapshot: Snapshot) -> None:
    kept = {offer.id.rpartition("/")[0] for offer in snapshot.offers}
    prices = [row for row in snapshot.excluded_offers if row.id.count("/") == 3]
    assert {row.id.rpartition("/")[0] for row in prices} <= kept
    assert not {row.id for row in prices} & {offer.id for offer in snapshot.offers}
    assert Counter(row.id.rpartition("/")[2] for row in prices) == {"spot": 35, "on_demand": 31}


def test_offers_by_provider(snapshot: Snapshot) -> None:
    rows = {(offer.provider, offer.instance, offer.region) for offer in snapshot.offers}
    assert Counter(provider for provider, _, _ in rows) == {
        "aws": 107,
        "azure": 373,
        "coreweave": 10,
        "gcp": 356,
        "hyperstack": 11,
        "lambda": 21,
        "nebius": 13,
        "oci": 18,
        "runpod": 19,
        "verda": 11,
    }


def one(snapshot: Snapshot, name: str) -> Offer:
    (found,) = (offer for offer in snapshot.offers if offer.id == name)
    return found


def test_one_product_under_two_names_is_one_offer(snapshot: Snapshot) -> None:
    offer = one(snapshot, "lambda/gpu_8x_h100_sxm5/global/on_demand")
    assert offer.usd_micro_per_hour == 31_920_000
    assert offer.price_date == date(2026, 9, 20)
    assert one(snapshot, "runpod/1x-H100-SXM-Secure/global/on_demand").usd_micro_per_hour == 3_990_000


def test_duplicates_keep_the_newest_price_and_the_spot_price(snapshot: Snapshot) -> None:
    listed = one(snapshot, "aws/p5.48xlarge/us-east-1/on_demand")
    spot = one(snapshot, "aws/p5.48xlarge/us-east-1/spot")
    assert (listed.usd_micro_per_hour, listed.price_date) == (55_040_000, date(2026, 7, 20))
    assert (spot.usd_micro_per_hour, spot.price_date) == (20_077_500, None)


def test_prices_are_exact_micro_dollars(snapshot: Snapshot) -> None:
    assert one(snapshot, "aws/p4d.24xlarge/us-east-1/on_demand").usd_micro_per_hour == 21_957_642


def test_what_is_no_machine_or_no_size_is_kept_out(snapshot: Snapshot) -> None:
    assert not [offer for offer in snapshot.offers if offer.provider in ("together", "crusoe", "vast", "akash")]
    reasons = {row.id: row.reason for row in snapshot.excluded_offers}
    assert "managed" in reasons["together/dedicated-endpoint-1x-H100/global"]
    assert "smallest rentable" in reasons["crusoe/H100-HGX/global"]
    assert "no part" in reasons["aws/dl1.24xlarge/us-east-1"]


def test_undated_prices(snapshot: Snapshot) -> None:
    undated = {offer.provider for offer in snapshot.offers if offer.price_date is None}
    assert undated == {"aws", "hyperstack", "nebius", "oci", "verda"}
    assert all(offer.price_date is not None for offer in snapshot.offers if offer.provider in ("azure", "gcp"))


@pytest.mark.parametrize(
    ("name", "kind", "domain", "p2p"),
    [
        ("lambda/gpu_8x_h100_sxm5/global/on_demand", LinkKind.NVLINK, 8, True),
        ("lambda/gpu_2x_h100_sxm5/global/on_demand", LinkKind.NVLINK, 2, True),
        ("lambda/gpu_1x_h100_sxm5/global/on_demand", LinkKind.NONE, 1, False),
        ("gcp/a2-megagpu-16g/us-central1/on_demand", LinkKind.NVLINK, 16, True),
        ("azure/Standard_NC80adis_H100_v5/eastus/on_demand", LinkKind.NVLINK_BRIDGE, 2, False),
        ("azure/Standard_ND96isr_MI300X_v5/brazilsouth/on_demand", LinkKind.XGMI, 8, True),
        ("hyperstack/n3-A100x8-NVLink/CANADA-1/on_demand", LinkKind.NVLINK_BRIDGE, 2, False),
        ("hyperstack/n3-A100x8/CANADA-1/on_demand", LinkKind.PCIE, 1, False),
        ("coreweave/L40S/north-america/on_demand", LinkKind.PCIE, 1, False),
        ("coreweave/GB200-NVL72-4-GPU-node/north-america/on_demand", LinkKind.NVLINK, 4, True),
    ],
)
def test_links_of_hosts(snapshot: Snapshot, name: str, kind: LinkKind, domain: int, p2p: bool) -> None:
    offer = one(snapshot, name)
    assert (offer.scale_up, offer.scale_up_domain, offer.p2p) == (kind, domain, p2p)


def test_networks_are_bytes_per_second_of_an_instance(snapshot: Snapshot) -> None:
    assert one(snapshot, "aws/p5.48xlarge/us-east-1/on_demand").network_bytes_per_s == 400e9
    assert one(snapshot, "azure/Standard_ND96isr_H200_v5/eastus2/on_demand").network_bytes_per_s == 400e9
    assert one(snapshot, "lambda/gpu_8x_h100_sxm5/global/on_demand").network_bytes_per_s is None


def test_columns_say_their_unit() -> None:
    rows = list(read_csv(DATA_DIR / "offers.csv", OFFER_COLUMNS))
    assert len(rows) == 939
    assert {f"{tier}_usd_per_hour" for tier in Tier} <= set(OFFER_COLUMNS)
