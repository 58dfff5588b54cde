"""Restrictions of a specification that a row of the candidate space respects or not, whatever its load.

Each knows the value that it is about, whether it admits one, and the least change that admits one more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from catalog.offers import Offer
from catalog.parts import Accelerator, Evidence
from optimizer.topology.format_choices import FormatChoice
from optimizer.topology.layouts import ParallelLayout
from requirements_specs.serving import IntegerChoice

Value = str | int | bool


@dataclass(frozen=True)
class Names:
    """A list of what may be used."""

    stated: tuple[str, ...]

    def admits(self, value: Value) -> bool:
        """Whether the list holds the name."""
        return value in self.stated

    def widened(self, value: Value) -> tuple[str, ...]:
        """The list with the name at its end."""
        return (*self.stated, str(value))


@dataclass(frozen=True)
class Exclusions:
    """A list of what may not be used."""

    stated: tuple[str, ...]

    def admits(self, value: Value) -> bool:
        """Whether the list does not hold the name."""
        return value not in self.stated

    def widened(self, value: Value) -> tuple[str, ...]:
        """The list without the name."""
        return tuple(name for name in self.stated if name != value)


@dataclass(frozen=True)
class Refusal:
    """A permission that is not given; the value says whether a row needs it."""

    stated: bool

    def admits(self, value: Value) -> bool:
        """Whether the permission is not needed."""
        return not value

    def widened(self, value: Value) -> bool:
        """The permission, where it is needed."""
        return bool(value)


@dataclass(frozen=True)
class Pin:
    """Integers that a layout may use."""

    stated: IntegerChoice

    def admits(self, value: Value) -> bool:
        """Whether the choice allows the integer."""
        return self.stated.allows(int(value))

    def widened(self, value: Value) -> IntegerChoice:
        """The choice with the integer: one more value, or a range that reaches it."""
        number, stated = int(value), self.stated
        if stated.values is not None:
            return stated.model_copy(update={"values": tuple(sorted((*stated.values, number)))})
        greatest = None if stated.greatest is None else max(stated.greatest, number)
        return stated.model_copy(update={"least": min(stated.least, number), "greatest": greatest})


Restriction = Names | Exclusions | Refusal | Pin


@dataclass(frozen=True)
class OfOffer:
    """A restriction on offers: it reads the offer, its part, and the ids of the parts that the spec brings.

    rented_only: whether it spares the machines that the user owns, which are asked for by name.
    """

    kind: type[Restriction]
    reads: Callable[[Offer, Accelerator, tuple[str, ...]], Value]
    rented_only: bool = False


@dataclass(frozen=True)
class OfKey:
    """A restriction on how it is used: it reads the layout, the formats and the engine's id."""

    kind: type[Restriction]
    reads: Callable[[ParallelLayout, FormatChoice, str], Value]


# What each restriction is and reads, by its path in the spec and in the order of the spec.
READERS: dict[str, OfOffer | OfKey] = {
    "inventory.providers": OfOffer(Names, lambda offer, _, __: offer.provider, rented_only=True),
    "inventory.regions": OfOffer(Names, lambda offer, _, __: offer.region, rented_only=True),
    "inventory.tiers": OfOffer(Names, lambda offer, _, __: offer.tier.value, rented_only=True),
    "inventory.accelerators": OfOffer(Names, lambda offer, _, __: offer.accelerator),
    "inventory.exclude_offers": OfOffer(Exclusions, lambda offer, _, __: offer.id, rented_only=True),
    "inventory.estimated_parts": OfOffer(
        Refusal, lambda _, part, own: part.evidence is Evidence.ESTIMATED and part.id not in own
    ),
    "inventory.undated": OfOffer(Refusal, lambda offer, _, __: offer.is_undated),
    "formats.weights": OfKey(Names, lambda _, formats, __: formats.weights),
    "formats.activations": OfKey(Names, lambda _, formats, __: formats.activations),
    "formats.kv": OfKey(Names, lambda _, formats, __: formats.kv),
    "layout.tp": OfKey(Pin, lambda layout, _, __: layout.tp),
    "layout.pp": OfKey(Pin, lambda layout, _, __: layout.pp),
    "layout.ep": OfKey(Pin, lambda layout, _, __: layout.ep),
    "layout.dp_attention": OfKey(Pin, lambda layout, _, __: layout.dp_attention),
    "layout.accelerators_per_replica": OfKey(Pin, lambda layout, _, __: layout.accelerators),
    "engines": OfKey(Names, lambda _, __, engine: engine),
}
