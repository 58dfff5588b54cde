"""The names of a catalog in the form in which specifications are read against them."""

from catalog.parts import LinkKind
from catalog.read import Snapshot
from requirements_specs.known import KnownNames


def known_names(snapshot: Snapshot) -> KnownNames:
    """Every name that a specification may use with this catalog."""
    return KnownNames(
        models=snapshot.aliases.models,
        accelerators=snapshot.aliases.accelerators,
        providers=frozenset(offer.provider for offer in snapshot.offers),
        regions=frozenset(offer.region for offer in snapshot.offers),
        tiers=frozenset(offer.tier.value for offer in snapshot.offers),
        engines=frozenset(snapshot.engines),
        formats=frozenset(snapshot.formats),
        offers=frozenset(offer.id for offer in snapshot.offers),
        links={
            part.id: part.link.kind.value
            for part in snapshot.accelerators.values()
            if part.link.kind not in (LinkKind.NONE, LinkKind.PCIE)
        },
    )
