"""The atoms of a specification: what can be in a conflict, and what a relaxation can change.

An atom is one latency limit, one cap (a budget, the most accelerators) or one restriction (a list of the inventory, a
permission, a list of formats or engines, a pin of the layout). Only what the user stated can be in a conflict; tiers,
estimated parts and undated prices that were *assumed* are atoms too, but only to be relaxed, one at a time. The model,
the workload, the load cap, the spares and the formats and engines of a silent specification are what is asked for:
they are never atoms.

To drop an atom is to ask as if it were not there: a limit, a cap or a pin is gone; a list of the inventory admits
everything that the catalog holds; a permission is given; a list of formats or engines also admits what a silent
specification would take. What is admitted without an atom does not depend on the other atoms, so every subset of them
has one meaning, and more atoms never admit more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from catalog.formats import resolve
from catalog.models import Model
from catalog.offers import Tier
from catalog.read import Snapshot
from optimizer.bottleneck.restrictions import READERS, Restriction
from optimizer.topology.format_choices import DEFAULT_KV, DEFAULT_LOWER_WEIGHTS, own_format
from requirements_specs.paths import value_at
from requirements_specs.requirement import LatencyLimit
from requirements_specs.serving import ServingSpec

ACCELERATOR_CAP = "inventory.max_accelerators"
ENGINES = "engines"
# Defaults that restrict: where they are assumed, each may be relaxed, but alone.
RELAXED_ALONE = frozenset({"inventory.tiers", "inventory.estimated_parts", "inventory.undated"})
DEFAULT_ENGINES: tuple[str, ...] = ServingSpec.model_fields["engines"].default


@dataclass(frozen=True)
class RowAtom:
    """A restriction on rows of the candidate space, and the value at its path that drops it."""

    id: str
    restriction: Restriction
    widest: Any
    assumed: bool


@dataclass(frozen=True)
class Atoms:
    """Latency limits, then caps, then restrictions; an atom's number is its place in this order.

    caps: paths of budgets and of the accelerator cap.
    """

    limits: tuple[LatencyLimit, ...]
    caps: tuple[str, ...]
    restrictions: tuple[RowAtom, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """Path of every atom in the specification."""
        return (*(limit.id for limit in self.limits), *self.caps, *(atom.id for atom in self.restrictions))

    @property
    def limit_numbers(self) -> range:
        """Numbers of the latency limits."""
        return range(len(self.limits))

    @property
    def cap_numbers(self) -> range:
        """Numbers of the caps."""
        return range(len(self.limits), len(self.limits) + len(self.caps))

    @property
    def restriction_numbers(self) -> range:
        """Numbers of the restrictions."""
        return range(self.cap_numbers.stop, self.cap_numbers.stop + len(self.restrictions))

    @property
    def assumed(self) -> frozenset[int]:
        """Numbers of the atoms that the user did not state."""
        return frozenset(
            number for number, atom in zip(self.restriction_numbers, self.restrictions, strict=True) if atom.assumed
        )

    def dropped(self, numbers: Iterable[int]) -> Mapping[str, Any]:
        """Values by path that drop some atoms."""
        ids = self.ids
        widest = {number: atom.widest for number, atom in zip(self.restriction_numbers, self.restrictions, strict=True)}
        return {ids[number]: widest.get(number) for number in sorted(numbers)}


def atoms_of(spec: ServingSpec, snapshot: Snapshot) -> Atoms:
    """Every atom of a specification, in the order of its keys."""
    budgets = [each.id for each in spec.budget.requirements]
    accelerators = [ACCELERATOR_CAP] if spec.inventory.max_accelerators is not None else []
    return Atoms(spec.slo, (*budgets, *accelerators), tuple(_restrictions(spec, snapshot)))


def _restrictions(spec: ServingSpec, snapshot: Snapshot) -> Iterable[RowAtom]:
    assumptions = {each.key for each in spec.assumed}
    widest = {
        "inventory.tiers": tuple(tier.value for tier in Tier),
        "inventory.exclude_offers": (),
        "inventory.estimated_parts": True,
        "inventory.undated": True,
        **_silent_formats(spec, snapshot.models[spec.model], snapshot),
        ENGINES: _united(spec.engines, DEFAULT_ENGINES),
    }
    for path, reader in READERS.items():
        stated = value_at(spec, path)
        lifted = stated is None or stated is True or stated == ()
        if lifted or (path == ENGINES and path in assumptions):
            continue
        yield RowAtom(path, reader.kind(stated), widest.get(path), assumed=path in assumptions & RELAXED_ALONE)


def _silent_formats(spec: ServingSpec, model: Model, snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    """Formats with what a silent specification takes: of the weights their own and fp8, their usual activations."""
    formats = snapshot.formats
    own = own_format(model, formats)
    weights = _united(spec.formats.weights or (), (own, DEFAULT_LOWER_WEIGHTS))
    usual = tuple(resolve(formats, name, model.native_format).kernels[0].activations for name in weights)
    return {
        "formats.weights": weights,
        "formats.activations": _united(spec.formats.activations or (), usual),
        "formats.kv": _united(spec.formats.kv or (), (DEFAULT_KV,)),
    }


def _united(stated: tuple[str, ...], silent: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*stated, *silent)))
