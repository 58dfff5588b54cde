"""The names that exist, handed in by whoever knows the catalog; this package may not import it."""

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from requirements_specs.errors import UnknownNameError

_SUGGESTIONS = 3
_WORST_MATCH = 0.5
_LONGEST_COMPARED = 80


@dataclass(frozen=True)
class KnownNames:
    """Every name that a spec may use.

    `models` and `accelerators` map each spelling (canonical ids included) to the canonical id. `offers` are offer ids,
    `regions` region names as offers spell them.
    """

    models: Mapping[str, str]
    accelerators: Mapping[str, str]
    providers: Set[str]
    regions: Set[str]
    tiers: Set[str]
    engines: Set[str]
    formats: Set[str]
    offers: Set[str] = frozenset()


def resolve(name: str, known: Mapping[str, str] | Set[str], noun: str) -> str:
    """Return the canonical id of `name`; capitals and the choice of `-`, `_` or space between words do not matter.

    Raises:
        UnknownNameError: nothing, or more than one thing, answers to the name; with the nearest names.
    """
    canonical = known if isinstance(known, Mapping) else {each: each for each in known}
    if name in canonical:
        return canonical[name]
    plain = _plain(name)
    matches = sorted({target for spelling, target in canonical.items() if _plain(spelling) == plain})
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UnknownNameError(f"ambiguous {noun}", read=name, fix=" or ".join(matches))
    near = nearest(name, canonical, count=len(canonical))
    suggestions = list(dict.fromkeys(canonical[spelling] for spelling in near))[:_SUGGESTIONS]
    allowed = ", ".join(sorted(set(canonical.values()))) if len(canonical) <= 12 else None
    raise UnknownNameError(f"unknown {noun}", read=name, allowed=allowed, fix=" or ".join(suggestions) or None)


def nearest(word: str, candidates: Iterable[str], count: int = _SUGGESTIONS) -> tuple[str, ...]:
    """At most `count` candidates that look like `word`, the best first: those it begins, then those it resembles."""
    from difflib import SequenceMatcher  # here, so that a spec without errors does not pay for it

    plain = _plain(word[:_LONGEST_COMPARED])
    matcher = SequenceMatcher(b=plain, autojunk=False)
    scored: list[tuple[float, str]] = []
    for candidate in candidates:
        other = _plain(candidate)
        begins = bool(plain) and (other.startswith(plain) or (bool(other) and plain.startswith(other)))
        matcher.set_seq1(other)
        floor = 0.0 if begins else _WORST_MATCH
        if matcher.real_quick_ratio() < floor or matcher.quick_ratio() < floor:
            continue
        score = matcher.ratio()
        if score >= floor:
            scored.append((-score - begins, candidate))
    return tuple(candidate for _, candidate in sorted(scored)[:count])


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "-", name.strip().casefold())
