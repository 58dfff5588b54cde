"""Authored prices (`offers.csv`, `excluded_offers.csv`) to entities.

A row of `offers.csv` is one instance type in one region and holds at most one price per tier, so it makes one or two
offers. Prices are decimal strings; nothing is rounded on the way to micro-dollars.
"""

from datetime import date
from decimal import Decimal
from pathlib import Path

from catalog.authoring.files import flag, read_csv
from catalog.authoring.units import whole
from catalog.errors import CatalogError
from catalog.offers import ExcludedOffer, Offer, PriceKind, Tier
from catalog.parts import LinkKind

OFFER_COLUMNS = (
    "provider",
    "instance",
    "region",
    "accelerator",
    "accelerators",
    "scale_up",
    "scale_up_domain",
    "p2p",
    "network_gbit_per_s",
    "host_source",
    "on_demand_usd_per_hour",
    "on_demand_date",
    "on_demand_source",
    "spot_usd_per_hour",
    "spot_date",
    "spot_source",
)
EXCLUDED_COLUMNS = ("id", "reason", "source")
MICRO_DOLLARS = 1_000_000
BYTES_PER_GBIT = Decimal(10**9) / 8


def read_authored(data_dir: Path) -> tuple[Offer, ...]:
    """Read `offers.csv`, ordered by id; raises CatalogError naming file and line."""
    offers: dict[str, Offer] = {}
    for where, row in read_csv(data_dir / "offers.csv", OFFER_COLUMNS):
        tiers = [tier for tier in Tier if row[f"{tier}_usd_per_hour"]]
        if not tiers:
            raise CatalogError(f"{where}: no price in any tier")
        for tier in tiers:
            offer = _offer(row, tier, where)
            if offer.id in offers:
                raise CatalogError(f"{where}: offer {offer.id} is written twice")
            offers[offer.id] = offer
    return tuple(offers[name] for name in sorted(offers))


def read_excluded(data_dir: Path) -> tuple[ExcludedOffer, ...]:
    """Read `excluded_offers.csv`, ordered by id.

    An id of three parts is a whole row of a price source, one of four parts a single price of a row that is kept.
    """
    rows = [ExcludedOffer(**row) for _, row in read_csv(data_dir / "excluded_offers.csv", EXCLUDED_COLUMNS)]
    return tuple(sorted(rows, key=lambda row: row.id))


def _offer(row: dict[str, str], tier: Tier, where: str) -> Offer:
    price = Decimal(row[f"{tier}_usd_per_hour"]) * MICRO_DOLLARS
    network = row["network_gbit_per_s"]
    observed = row[f"{tier}_date"]
    sources = [row[f"{tier}_source"], *([row["host_source"]] if row["host_source"] else [])]
    return Offer(
        id=f"{row['provider']}/{row['instance']}/{row['region']}/{tier}",
        provider=row["provider"],
        instance=row["instance"],
        region=row["region"],
        tier=tier,
        accelerator=row["accelerator"],
        accelerators=int(row["accelerators"]),
        scale_up=LinkKind(row["scale_up"]),
        scale_up_domain=int(row["scale_up_domain"]),
        p2p=flag(row["p2p"], where),
        network_bytes_per_s=float(Decimal(network) * BYTES_PER_GBIT) if network else None,
        usd_micro_per_hour=whole(price, f"{where}: micro-dollars of {tier}"),
        price_kind=PriceKind.LIST,
        price_date=date.fromisoformat(observed) if observed else None,
        source=", ".join(sources),
    )
