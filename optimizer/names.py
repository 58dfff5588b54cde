"""The names of a catalog in the form in which specifications are read against them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.parts import Evidence, LinkKind
from catalog.read import Snapshot
from requirements_specs.known import KnownNames

if TYPE_CHECKING:
    from requirements_specs.ask.vocabulary import Vocabulary


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


def vocabulary(snapshot: Snapshot, names: KnownNames) -> Vocabulary:
    """The names that a question in words may use, and what it takes for granted of them with this catalog."""
    from requirements_specs.ask.vocabulary import Vocabulary  # here, so that a specification does not pay for it

    return Vocabulary(
        names=names,
        context_tokens={model.id: model.max_context for model in snapshot.models.values()},
        estimated=frozenset(part.id for part in snapshot.accelerators.values() if part.evidence is Evidence.ESTIMATED),
    )
