"""Checks of offers: references, the host's links, and prices against each other.

Prices are judged within one provider: across providers the same part differs by more than any plausible bound.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from statistics import median

from catalog.findings import Check, Finding, error, warning
from catalog.offers import Offer, Tier
from catalog.parts import Accelerator, LinkKind

MEDIAN_RATIO_LOW = 0.6
MEDIAN_RATIO_HIGH = 2.0
# micro-dollars per accelerator-hour
CHEAPEST_ACCELERATOR = 20_000
DEAREST_ACCELERATOR = 60_000_000


def check_offers(
    offers: Iterable[Offer], parts: Mapping[str, Accelerator], regions: Mapping[str, object]
) -> Iterator[Finding]:
    """Yield what is wrong with `offers`; several warnings of one cause are one finding."""
    known = [offer for offer in offers if offer.accelerator in parts]
    for offer in offers:
        if offer.accelerator not in parts:
            yield error(Check.REFERENCE, offer.id, f"no part {offer.accelerator!r}")
    for offer in known:
        yield from _identity(offer)
        yield from _host(offer, parts[offer.accelerator])
    yield from _spot(known)
    yield from _median(known)
    yield from _monotone(known)
    yield from _regions(known, regions)


def _identity(offer: Offer) -> Iterator[Finding]:
    expected = f"{offer.provider}/{offer.instance}/{offer.region}/{offer.tier}"
    if offer.id != expected:
        yield error(Check.REFERENCE, offer.id, f"id differs from {expected}")
    each = offer.usd_micro_per_hour / offer.accelerators
    if not CHEAPEST_ACCELERATOR <= each <= DEAREST_ACCELERATOR:
        yield error(Check.PRICE_RANGE, offer.id, f"{each / 1e6:g} $ per accelerator-hour is out of range")


def _host(offer: Offer, part: Accelerator) -> Iterator[Finding]:
    kind, domain = offer.scale_up, offer.scale_up_domain
    if not 1 <= domain <= offer.accelerators:
        yield error(Check.HOST_LINK, offer.id, f"scale-up domain {domain} of {offer.accelerators} accelerators")
    if (offer.accelerators == 1) != (kind is LinkKind.NONE):
        yield error(Check.HOST_LINK, offer.id, f"{offer.accelerators} accelerators and link {kind}")
    if kind in (LinkKind.NONE, LinkKind.PCIE):
        if domain != 1:
            yield error(Check.HOST_LINK, offer.id, f"link {kind} spans {domain} accelerators without the host")
        return
    if kind is not part.link.kind:
        yield error(Check.HOST_LINK, offer.id, f"host link {kind}, but {part.id} has {part.link.kind}")
    if domain > part.link.domain:
        yield error(Check.HOST_LINK, offer.id, f"domain {domain}, but the link of {part.id} spans {part.link.domain}")


def _spot(offers: Iterable[Offer]) -> Iterator[Finding]:
    on_demand = {_place(offer): offer for offer in offers if offer.tier is Tier.ON_DEMAND}
    for offer in offers:
        listed = on_demand.get(_place(offer))
        if offer.tier is Tier.SPOT and listed is not None and offer.usd_micro_per_hour > listed.usd_micro_per_hour:
            spot, full = offer.usd_micro_per_hour / 1e6, listed.usd_micro_per_hour / 1e6
            yield error(Check.SPOT_PRICE, offer.id, f"spot {spot:g} $ is above on-demand {full:g} $")


def _place(offer: Offer) -> tuple[str, str, str]:
    return offer.provider, offer.instance, offer.region


def _median(offers: Iterable[Offer]) -> Iterator[Finding]:
    groups: dict[tuple[str, str], list[Offer]] = defaultdict(list)
    for offer in offers:
        if offer.tier is Tier.ON_DEMAND:
            groups[offer.provider, offer.instance].append(offer)
    for group in groups.values():
        middle = median(offer.usd_micro_per_hour for offer in group)
        for offer in group:
            ratio = offer.usd_micro_per_hour / middle
            if not MEDIAN_RATIO_LOW <= ratio <= MEDIAN_RATIO_HIGH:
                yield error(
                    Check.MEDIAN_PRICE,
                    offer.id,
                    f"{ratio:.2f} x the median of the same instance, allowed {MEDIAN_RATIO_LOW} to {MEDIAN_RATIO_HIGH}",
                )


def _monotone(offers: Iterable[Offer]) -> Iterator[Finding]:
    # hosts of one size differ in CPU and memory, so the cheapest of each size stands for it
    cheapest: dict[tuple[str, str, str], dict[int, float]] = defaultdict(dict)
    for offer in offers:
        if offer.tier is Tier.ON_DEMAND:
            sizes = cheapest[offer.provider, offer.accelerator, offer.region]
            each = offer.usd_micro_per_hour / offer.accelerators
            sizes[offer.accelerators] = min(each, sizes.get(offer.accelerators, each))
    rising: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (provider, part, region), sizes in cheapest.items():
        prices = [sizes[count] for count in sorted(sizes)]
        if any(larger > smaller for smaller, larger in pairwise(prices)):
            rising[provider, part].append(region)
    for (provider, part), places in sorted(rising.items()):
        message = f"a larger instance costs more per accelerator in {len(places)} region(s)"
        yield warning(Check.MONOTONE_PRICE, f"{provider}/{part}", message)


def _regions(offers: Iterable[Offer], regions: Mapping[str, object]) -> Iterator[Finding]:
    unknown: dict[str, int] = defaultdict(int)
    for offer in offers:
        place = f"{offer.provider}/{offer.region}"
        if place not in regions:
            unknown[place] += 1
    for place, count in sorted(unknown.items()):
        yield warning(Check.REGION_UNKNOWN, place, f"{count} offer(s) without carbon, water or tariff data")
