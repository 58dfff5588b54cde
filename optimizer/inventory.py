"""The offers that an inventory leaves: the catalog's at the user's prices, and the machines that the user owns."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from catalog.offers import OWNED, Offer, PriceKind, Tier
from catalog.parts import Accelerator, LinkKind
from catalog.read import Snapshot
from requirements_specs.owned import OwnedMachines
from requirements_specs.prices import Discount, OfferPrice
from requirements_specs.quantity import nearest_micro_dollars
from requirements_specs.serving import Inventory

OWNED_REGION = "on_premises"
# Links by way of the host, and bridges, which join pairs.
_UNSWITCHED_DOMAIN = {LinkKind.NONE: 1, LinkKind.PCIE: 1, LinkKind.NVLINK_BRIDGE: 2}


def admitted_offers(inventory: Inventory, snapshot: Snapshot) -> tuple[Offer, ...]:
    """Offers that the inventory's names allow, at its prices, then owned machines; evidence and dates come later.

    Owned machines are asked for by name, so of the filters only `accelerators` holds for them.
    """

    def allowed(names: tuple[str, ...] | None, name: str) -> bool:
        return names is None or name in names

    excluded = frozenset(inventory.exclude_offers)
    prices = {} if inventory.prices is None else {price.offer: price for price in inventory.prices.prices}
    discounts = {discount.provider: discount for discount in inventory.discounts}
    rented = (
        at_own_price(offer, prices.get(offer.id), discounts.get(offer.provider))
        for offer in snapshot.offers
        if allowed(inventory.providers, offer.provider)
        and allowed(inventory.regions, offer.region)
        and allowed(inventory.tiers, offer.tier)
        and allowed(inventory.accelerators, offer.accelerator)
        and offer.id not in excluded
    )
    owned = (
        owned_offer(machines, snapshot.accelerators[machines.accelerator])
        for machines in inventory.owned
        if allowed(inventory.accelerators, machines.accelerator)
    )
    return (*rented, *owned)


def idle_discounts(inventory: Inventory, admitted: Iterable[Offer]) -> tuple[Discount, ...]:
    """The discounts that no admitted offer carries: its provider has none, or only spot prices and the user's own."""
    carried = {offer.provider for offer in admitted if offer.price_kind is PriceKind.DISCOUNT}
    return tuple(discount for discount in inventory.discounts if discount.provider not in carried)


def at_own_price(offer: Offer, price: OfferPrice | None, discount: Discount | None) -> Offer:
    """An offer at the user's price; else, on demand, at the list price less a discount, to the nearest micro-dollar.

    Half a micro-dollar goes upwards. Spot prices are a market's, so a discount on list prices leaves them alone.
    """
    if price is not None:
        return offer.model_copy(
            update={
                "usd_micro_per_hour": price.usd_micro_per_hour,
                "price_kind": PriceKind.OVERRIDE,
                "price_date": price.date,
                "source": price.source,
            }
        )
    if discount is None or offer.tier is not Tier.ON_DEMAND or offer.price_kind is not PriceKind.LIST:
        return offer
    share = Fraction(repr(discount.share))
    reduced = nearest_micro_dollars(Fraction(offer.usd_micro_per_hour, 10**6) * (1 - share))
    return offer.model_copy(
        update={
            "usd_micro_per_hour": max(1, reduced),
            "price_kind": PriceKind.DISCOUNT,
            "source": f"{offer.price_source} less {float(100 * share):g} % of {discount.source}",
        }
    )


def owned_offer(machines: OwnedMachines, part: Accelerator) -> Offer:
    """Owned machines as an offer of which there are so many."""
    kind = LinkKind(machines.scale_up)
    domain = _UNSWITCHED_DOMAIN.get(kind, part.link.domain)
    return Offer(
        id=f"{OWNED}/{machines.name}/{OWNED_REGION}/{Tier.ON_DEMAND.value}",
        provider=OWNED,
        instance=machines.name,
        region=OWNED_REGION,
        tier=Tier.ON_DEMAND,
        accelerator=part.id,
        accelerators=machines.accelerators,
        scale_up=kind,
        scale_up_domain=min(domain, machines.accelerators),
        # as in the catalog: no host is taken to pass transfers between cards by its memory unless their link does
        p2p=kind not in _UNSWITCHED_DOMAIN,
        network_bytes_per_s=machines.network_bytes_per_s,
        usd_micro_per_hour=machines.usd_micro_per_hour,
        price_kind=PriceKind.OWNED,
        price_date=machines.date,
        source=machines.source,
        most_instances=machines.machines,
    )
