"""The names that exist, handed in by whoever knows the catalog; this package may not import it."""

import re
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field

from requirements_specs.errors import UnknownNameError, ValueProblem

_SUGGESTIONS = 3
_GOOD_MATCH = 0.5
_WORST_MATCH = 0.25
_MOST_LISTED = 12
_LONGEST_COMPARED = 80


@dataclass(frozen=True)
class Brought:
    """A model or a part that a spec brings with it: its id, what was read of it, and from where."""

    id: str
    what: str
    where: str


def _no_model(_written: str) -> None:
    """Every name is one of the catalog."""


def _no_parts(_written: str) -> "BroughtParts":
    raise ValueProblem("a file of parts cannot be read here")


@dataclass(frozen=True)
class KnownNames:
    """Every name that a spec may use.

    `models` and `accelerators` map each spelling (canonical ids included) to the canonical id. `offers` are offer ids
    (provider/instance/region/tier), `regions` region names as offers spell them. `links` maps the ids of the parts that
    have links of their own to the kind of these. `bring_model` reads the model that a path or an id outside the catalog
    names, None for any other name; `bring_parts` reads a file of parts and offers. Both raise ValueProblem.
    """

    models: Mapping[str, str]
    accelerators: Mapping[str, str]
    providers: Set[str]
    regions: Set[str]
    tiers: Set[str]
    engines: Set[str]
    formats: Set[str]
    offers: Set[str] = frozenset()
    links: Mapping[str, str] = field(default_factory=dict)
    bring_model: Callable[[str], Brought | None] = _no_model
    bring_parts: Callable[[str], "BroughtParts"] = _no_parts


@dataclass(frozen=True)
class BroughtParts:
    """The parts of one file, and every name that a spec may use from then on."""

    parts: tuple[Brought, ...]
    names: KnownNames


def resolve(name: str, known: Mapping[str, str] | Set[str], noun: str) -> str:
    """Return the canonical id of `name`; capitals and the choice of `-`, `_` or space between words do not matter.

    Raises:
        UnknownNameError: nothing, or more than one thing, answers to the name; with the nearest names.
    """
    canonical = known if isinstance(known, Mapping) else {each: each for each in known}
    if name in canonical:
        return canonical[name]
    plain = plain_spelling(name)
    matches = sorted({target for spelling, target in canonical.items() if plain_spelling(spelling) == plain})
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UnknownNameError(f"ambiguous {noun}", read=name, fix=" or ".join(matches))
    near = nearest(name, canonical, count=len(canonical))
    suggestions = list(dict.fromkeys(canonical[spelling] for spelling in near))[:_SUGGESTIONS]
    every = sorted(set(canonical.values()))
    allowed = ", ".join(every) if len(every) <= _MOST_LISTED else f"one of {len(every):,} {noun}s in the catalog"
    raise UnknownNameError(f"unknown {noun}", read=name, allowed=allowed, fix=" or ".join(suggestions) or None)


def nearest(word: str, candidates: Iterable[str], count: int = _SUGGESTIONS) -> tuple[str, ...]:
    """At most `count` candidates, the best first: those that `word` begins, then those that it resembles.

    Where none resembles it well, the one that does best is given, unless it has next to nothing in common.
    """
    from difflib import SequenceMatcher  # here, so that a spec without errors does not pay for it

    plain = plain_spelling(word[:_LONGEST_COMPARED])
    if not plain:
        return ()
    matcher = SequenceMatcher(b=plain, autojunk=False)
    scored: list[tuple[float, str]] = []
    for candidate in candidates:
        other = plain_spelling(candidate)
        matcher.set_seq1(other)
        begins = other.startswith(plain) or (bool(other) and plain.startswith(other))
        if begins or matcher.quick_ratio() >= _WORST_MATCH:
            scored.append((begins + matcher.ratio(), candidate))
    scored.sort(key=lambda row: (-row[0], row[1]))
    good = [candidate for score, candidate in scored if score >= _GOOD_MATCH]
    return tuple(good[:count]) or tuple(candidate for score, candidate in scored[:1] if score >= _WORST_MATCH)


def plain_spelling(name: str) -> str:
    """Return `name` without what does not tell names apart: capitals, and how words are joined."""
    return re.sub(r"[\s_-]+", "-", name.strip().casefold())
