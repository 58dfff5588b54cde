"""Families of sets: their inclusion-minimal members, and the minimal sets that meet every member.

The minimal hitting sets of a family of minimal sets are its dual: taking them twice gives the family back. Minimal
conflicts and minimal relaxations are such a pair.
"""

from __future__ import annotations

from collections.abc import Iterable

Members = frozenset[int]


def minimal_sets(family: Iterable[Members]) -> tuple[Members, ...]:
    """Members of a family that hold no other one, each once, small ones first, then in the order of their elements."""
    found: list[Members] = []
    for candidate in sorted(set(family), key=_order):
        if not any(smaller <= candidate for smaller in found):
            found.append(candidate)
    return tuple(found)


def minimal_hitting_sets(family: Iterable[Members]) -> tuple[Members, ...]:
    """Minimal sets that share an element with every member, in the order of `minimal_sets`.

    The empty set alone where the family is empty; none where the family holds the empty set. One member after the
    other is taken in (Berge's algorithm): a set that misses it grows by each of its elements.
    """
    hitting: tuple[Members, ...] = (frozenset(),)
    for member in minimal_sets(family):
        grown = [hit | {element} for hit in hitting if not hit & member for element in member]
        hitting = minimal_sets([*(hit for hit in hitting if hit & member), *grown])
    return hitting


def _order(members: Members) -> tuple[int, list[int]]:
    return len(members), sorted(members)
