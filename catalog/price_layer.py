"""Fresh prices held against the catalog's offers, and written as the price file that a specification can name.

The snapshot never changes: a specification that wants the fresh prices names the file, and may pin its SHA-256.
"""

import csv
import errno
import io
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from hashlib import sha256
from pathlib import Path

from catalog.check_offers import CHEAPEST_ACCELERATOR, DEAREST_ACCELERATOR
from catalog.errors import CatalogError
from catalog.offers import Offer, Tier
from catalog.price_sources import FreshPrice

COLUMNS = ("offer", "usd_per_hour", "date", "currency", "note")
# The region of an offer that is the same everywhere.
ANYWHERE = "global"
_MICRO_DOLLARS = 10**6


@dataclass(frozen=True)
class PriceLayer:
    """Fresh prices by offer id, in micro-dollars per hour.

    changed: how many differ from the snapshot's. unknown: rows of no offer of the catalog. implausible: rows whose
    number of accelerators is another one, or whose price per accelerator is out of the range that `check` allows.
    """

    prices: dict[str, int]
    changed: int
    unknown: int
    implausible: int


def layer_of(rows: Iterable[FreshPrice], offers: Sequence[Offer]) -> PriceLayer:
    """Match rows with offers, by provider, instance, region and tier.

    Where several are of one offer (zones of a region, regions of an offer that is the same everywhere), the cheapest
    stands, since a renter may choose among them.
    """
    by_place = {(offer.provider, offer.instance, offer.region, offer.tier): offer for offer in offers}
    prices: dict[str, int] = {}
    unknown = implausible = 0
    for row in rows:
        offer = _offer_of(row, by_place)
        if offer is None:
            unknown += 1
            continue
        micro = int((row.usd_per_hour * _MICRO_DOLLARS).to_integral_value(ROUND_HALF_UP))
        plausible = CHEAPEST_ACCELERATOR <= micro / offer.accelerators <= DEAREST_ACCELERATOR
        if row.accelerators != offer.accelerators or not plausible:
            implausible += 1
            continue
        prices[offer.id] = min(micro, prices.get(offer.id, micro))
    known = {offer.id: offer.usd_micro_per_hour for offer in offers}
    changed = sum(known[offer] != micro for offer, micro in prices.items())
    return PriceLayer(dict(sorted(prices.items())), changed, unknown, implausible)


def _offer_of(row: FreshPrice, by_place: dict[tuple[str, str, str, Tier], Offer]) -> Offer | None:
    regions = (row.region, ANYWHERE)
    found = (by_place.get((row.provider, row.instance, region, row.tier)) for region in regions)
    return next((offer for offer in found if offer is not None), None)


def price_file(layer: PriceLayer, day: date, source: str) -> bytes:
    """Return the file that `inventory.prices` reads: a row for each offer, in the order of ids, all of one day."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for offer, micro in layer.prices.items():
        writer.writerow([offer, f"{Decimal(micro) / _MICRO_DOLLARS:f}", day.isoformat(), "USD", source])
    return text.getvalue().encode()


def write(path: Path, data: bytes) -> str:
    """Write `data` whole or not at all and return its SHA-256; raises CatalogError where it cannot be written."""
    partial = path.parent / f"{path.name}.{os.getpid()}.partial"
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise CatalogError(f"{path}: cannot be written: {error.strerror}") from None
    return sha256(data).hexdigest()
