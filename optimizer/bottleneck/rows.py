"""Rows of the widest space as the atoms see them: what each misses whatever its load, and the load that it then has.

Rows that miss the same atoms with the same physics at the same load are one. A row takes the most units that the caps
allow it; with some caps dropped it may take more, and misses those caps. Every law is monotone in the rate, so what it
misses at the most units it misses at every smaller number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalog.offers import PriceKind
from catalog.read import Snapshot
from optimizer.bottleneck.atoms import Atoms, RowAtom
from optimizer.bottleneck.restrictions import READERS, OfKey, OfOffer
from optimizer.search.bounds import Demand, most_units, rate_per_replica
from optimizer.topology.layouts import CandidateSpace
from requirements_specs.serving import Inventory

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
# Dearer than any cap allows: the placement has no offer of this kind.
_NOT_FOR_RENT = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Rows:
    """E distinct rows: physics key, arrivals at one replica and the atoms missed, one bit each; all (E,)."""

    keys: Integers
    rate_per_s: Floats
    missed: Integers

    def take(self, which: NDArray[np.bool_] | Integers) -> Rows:
        """The given rows."""
        return Rows(self.keys[which], self.rate_per_s[which], self.missed[which])


@dataclass(frozen=True)
class Missing:
    """Restrictions that the offers (O,) and the keys (K,) of a space miss, one bit each."""

    offers: Integers
    keys: Integers


def bits(numbers: Iterable[int]) -> int:
    """One bit per number."""
    return sum(1 << number for number in set(numbers))


def missing(space: CandidateSpace, atoms: Atoms, inventory: Inventory, snapshot: Snapshot) -> Missing:
    """Which restrictions of a specification with this inventory each offer and each key misses."""
    own = inventory.custom_accelerators
    rented = np.array([offer.price_kind is not PriceKind.OWNED for offer in space.offers])
    of_offers = np.zeros(len(space.offers), dtype=np.int64)
    of_keys = np.zeros(len(space.keys), dtype=np.int64)
    for number, atom in zip(atoms.restriction_numbers, atoms.restrictions, strict=True):
        match READERS[atom.id]:
            case OfOffer(reads=reads, rented_only=rented_only):
                values: list[Any] = [
                    reads(offer, snapshot.accelerators[offer.accelerator], own) for offer in space.offers
                ]
                of_offers |= np.where(rented | (not rented_only), _bit(number, atom, values), 0)
            case OfKey(reads=reads):
                values = [
                    reads(layout, formats, row.engine.id)
                    for layout, formats, row in zip(space.layouts, space.formats, space.keys, strict=True)
                ]
                of_keys |= _bit(number, atom, values)
    return Missing(of_offers, of_keys)


def _bit(number: int, atom: RowAtom, values: list[Any]) -> Integers:
    admitted = {value: atom.restriction.admits(value) for value in set(values)}
    return np.array([0 if admitted[value] else 1 << number for value in values], dtype=np.int64)


def rows_of(space: CandidateSpace, misses: Missing, atoms: Atoms, demands: Mapping[int, Demand]) -> Rows:
    """Distinct rows under demands by the caps that each drops, as bits.

    A row that gains nothing by dropping a cap is left out there, and so is one that misses an assumption and anything
    else: assumptions are relaxed alone.
    """
    assumed = bits(atoms.assumed)
    found: list[Rows] = []
    for missed_by_offer in np.unique(misses.offers[~_beside(misses.offers, assumed)]).tolist():
        prices = _prices(space, misses.offers == missed_by_offer)
        missed = missed_by_offer | misses.keys[space.placement_key]
        for_rent = (prices < _NOT_FOR_RENT) & ~_beside(missed, assumed)
        units_without: dict[int, Integers] = {}
        for dropped, demand in sorted(demands.items(), key=lambda item: (item[0].bit_count(), item[0])):
            units = most_units(space, demand, prices, demand.most_usd_micro_per_hour)
            fewer = [units_without[dropped & ~(1 << cap)] for cap in atoms.cap_numbers if dropped & (1 << cap)]
            units_without[dropped] = units
            rate = rate_per_replica(demand, units, space.replicas_per_unit)
            more = for_rent & np.isfinite(rate) & np.all([units > each for each in fewer], axis=0)
            if dropped:
                more &= (missed & assumed) == 0
            found.append(Rows(space.placement_key[more], rate[more], missed[more] | dropped))
    return _distinct(found)


def _beside(missed: Integers, assumed: int) -> NDArray[np.bool_]:
    """Rows that miss an assumption and another atom."""
    alone = (missed & (missed - 1)) == 0
    beside: NDArray[np.bool_] = ((missed & assumed) != 0) & ~alone
    return beside


def _prices(space: CandidateSpace, admitted: NDArray[np.bool_]) -> Integers:
    """Micro-dollars per hour of one unit of each placement at its cheapest admitted offer, (P,)."""
    cheapest = np.array(
        [
            next((space.offers[offer].usd_micro_per_hour for offer in offers if admitted[offer]), _NOT_FOR_RENT)
            for offers in space.offers_of_machine
        ],
        dtype=np.int64,
    )[space.placement_machine]
    return np.where(cheapest < _NOT_FOR_RENT, cheapest * space.instances_per_unit, _NOT_FOR_RENT)


def _distinct(found: list[Rows]) -> Rows:
    """Rows of distinct keys and misses, each at its lightest load."""
    if not found:
        return Rows(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0, dtype=np.int64))
    keys = np.concatenate([rows.keys for rows in found])
    rate = np.concatenate([rows.rate_per_s for rows in found])
    missed = np.concatenate([rows.missed for rows in found])
    order = np.lexsort((rate, missed, keys))
    keys, rate, missed = keys[order], rate[order], missed[order]
    # Of rows that differ in their load only, the lightest misses no more than the others.
    lightest = np.ones(len(order), dtype=bool)
    lightest[1:] = (keys[1:] != keys[:-1]) | (missed[1:] != missed[:-1])
    return Rows(keys[lightest], rate[lightest], missed[lightest])
