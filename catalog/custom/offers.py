"""The offers that rent a custom part, from its entry."""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from catalog.authoring.offers import MICRO_DOLLARS
from catalog.fields import Fields
from catalog.offers import OWNED, Offer, PriceKind, Tier
from catalog.parts import Accelerator, LinkKind

OFFER_KEYS = (
    "provider", "instance", "region", "tier", "accelerators", "scale_up_domain", "p2p", "network", "price",
    "price_date",
)  # fmt: skip
_MOST_ACCELERATORS = 100_000
_PRICE = re.compile(r"\$([0-9]{1,9}(?:\.[0-9]{1,6})?)/h")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def custom_offers(fields: Fields, part: Accelerator, source: str) -> Iterator[Offer]:
    """Yield the offers of `part`; each names what it costs, from when that price is, and how its host is wired.

    Raises CatalogError.
    """
    for offer in fields.sections("offers"):
        offer.only(OFFER_KEYS)
        provider, instance, region = (_name(offer, key) for key in ("provider", "instance", "region"))
        if provider.lower() == OWNED:
            raise offer.error("provider", "the name of machines under inventory.owned", allowed="another name")
        tier = Tier(offer.name("tier", tuple(Tier))) if "tier" in offer else Tier.ON_DEMAND
        accelerators = offer.count("accelerators", _MOST_ACCELERATORS)
        domain = offer.count("scale_up_domain", _MOST_ACCELERATORS)
        yield Offer(
            id=f"{provider}/{instance}/{region}/{tier}",
            provider=provider,
            instance=instance,
            region=region,
            tier=tier,
            accelerator=part.id,
            accelerators=accelerators,
            scale_up=_scale_up(part, accelerators, domain),
            scale_up_domain=domain,
            p2p=offer.flag("p2p", default=False),
            network_bytes_per_s=float(offer.quantity("network", "bytes/s")) if "network" in offer else None,
            usd_micro_per_hour=_price(offer),
            price_kind=PriceKind.OVERRIDE,
            price_date=_date(offer),
            source=source,
        )


def _scale_up(part: Accelerator, accelerators: int, domain: int) -> LinkKind:
    """Return how the accelerators of an instance reach each other: by the part's link where a domain joins several."""
    if accelerators == 1:
        return LinkKind.NONE
    return part.link.kind if domain > 1 else LinkKind.PCIE


def _name(offer: Fields, key: str) -> str:
    text = offer.text(key)
    if _NAME.fullmatch(text) is None:
        raise offer.error(key, "not a name", allowed="letters, digits, '.', '_' and '-'")
    return text


def _price(offer: Fields) -> int:
    text = offer.value("price")
    stated = _PRICE.fullmatch(text) if isinstance(text, str) else None
    if stated is None or Decimal(stated[1]) == 0:
        raise offer.error("price", "not a price", allowed="dollars of one instance, as $19.90/h")
    return int(Decimal(stated[1]) * MICRO_DOLLARS)


def _date(offer: Fields) -> date:
    text = offer.text("price_date")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise offer.error("price_date", "not a date", allowed="the day of the price, as 2026-11-01") from None
