"""Where it may run: providers, regions, tiers and engines."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from requirements_specs.ask.reading import NEGATION, Reading
from requirements_specs.ask.spelling import close_match
from requirements_specs.ask.vocabulary import OTHER_ENGINE_NAMES, OTHER_PROVIDER_NAMES, UNKNOWN_ENGINES, Vocabulary

_NOT = rf"{NEGATION}(?: (?:on|for|in|any|from|using|use|want))?"
_SHORTEST_SLIP = 5
_PLACES = ("europe", "eu", "us", "usa", "asia", "america", "africa", "australia", "canada", "germany", "japan", "india")


@dataclass(frozen=True)
class Where:
    """Providers, regions, tiers and engines that are named; empty where none is."""

    providers: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()


def read_where(reading: Reading, vocabulary: Vocabulary) -> Where:
    """Read what is named of providers, regions, tiers and engines; a word of each may have a slip of the hand."""
    names = vocabulary.names
    regions = tuple(
        region for region in _named(reading, "inventory.regions", _as_they_are(names.regions), ()) if region != "global"
    )
    _refuse_places(reading, regions, names.regions)
    providers, excluded = _providers(reading, names.providers)
    if excluded:
        providers = tuple(sorted((set(providers) or set(names.providers)) - set(excluded)))
        reading.note("inventory.providers", ", ".join(providers), f"all but {', '.join(excluded)}")
    engines = _named(reading, "engines", {**_as_they_are(names.engines), **OTHER_ENGINE_NAMES}, names.engines)
    for match in reading.take(re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, UNKNOWN_ENGINES))})(?![\w-])")):
        allowed = ", ".join(sorted(names.engines))
        reading.refuse(match.start(), "engines", "unknown engine", read=match[0], allowed=allowed)
    return Where(providers=providers, regions=regions, tiers=_tiers(reading), engines=engines)


def _as_they_are(names: Iterable[str]) -> dict[str, str]:
    return {name.lower(): name for name in names}


def _providers(reading: Reading, known: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Providers that are named, and those that are ruled out."""
    table = {**_as_they_are(known), **OTHER_PROVIDER_NAMES}
    name = rf"(?:{_any(table)})(?![\w-])"
    excluded = []
    for match in reading.take(re.compile(rf"(?<!\w){_NOT} {name}(?:(?:,|,? (?:or|nor|and)) {name})*")):
        excluded += [table[each] for each in re.findall(name, match[0])]
        if re.search(rf", {name}", match[0]):
            what, allowed = "is what follows the comma ruled out, too", "no aws and no gcp; on lambda, not aws"
            reading.refuse(match.start(), "inventory.providers", what, read=match[0], allowed=allowed)
    return _named(reading, "inventory.providers", table, known), tuple(dict.fromkeys(excluded))


def _any(table: Mapping[str, str]) -> str:
    return "|".join(map(re.escape, sorted(table, key=len, reverse=True)))


def _named(reading: Reading, key: str, table: Mapping[str, str], slips: Iterable[str]) -> tuple[str, ...]:
    """What the words of `table` mean that stand in the sentence; those of `slips` may be misspelt."""
    if not table:
        return ()
    found = [table[match[0]] for match in reading.take(re.compile(rf"(?<![\w.-])(?:{_any(table)})(?![\w-])"))]
    misspelt = {name for name in slips if len(name) >= _SHORTEST_SLIP}
    for match in [*re.finditer(r"(?<![\w-])[a-z]{4,}(?![\w-])", reading.left)] if misspelt else []:
        meant = close_match(match[0], misspelt)
        if meant is not None:
            reading.claim(match.start(), match.end())
            reading.note(key, meant, f"{match[0]} is read as this")
            found.append(meant)
    return tuple(dict.fromkeys(found))


def _refuse_places(reading: Reading, regions: tuple[str, ...], known: Iterable[str]) -> None:
    """A place wider than a region is refused, as it would limit nothing."""
    for match in reading.take(re.compile(rf"(?<!\w)(?:in |within )(?:the )?(?P<place>{'|'.join(_PLACES)})(?![\w-])")):
        place = match["place"].removesuffix("a") if match["place"] == "usa" else match["place"]
        inside = sorted(region for region in known if region.lower().startswith(place[:2]))
        if not regions:
            allowed = f"regions as providers name them: {', '.join(inside[:6])}" if inside else "regions by their name"
            reading.refuse(
                match.start("place"), "inventory.regions", "not a region", read=match["place"], allowed=allowed
            )


_SPOT = r"(?:spot|preemptible|interruptible)(?: (?:instances?|capacity|prices?|offers?|nodes?|vms?|gpus?))?"
_NO_SPOT = re.compile(rf"(?<!\w){_NOT} {_SPOT}(?!\w)")
_SPOT_OK = re.compile(
    rf"(?<!\w)(?:{_SPOT} (?:is |are )?(?:ok|okay|fine|allowed|too)|allow(?:ing)? {_SPOT}|including {_SPOT})(?!\w)"
)
_ON_DEMAND = re.compile(r"(?<!\w)on[- ]demand(?: (?:instances?|capacity|prices?|offers?))?(?!\w)")


def _tiers(reading: Reading) -> tuple[str, ...]:
    """How it may be bought; spot that is merely allowed does not rule out the rest."""
    if list(reading.take(_NO_SPOT)):
        return ("on_demand",)
    if list(reading.take(_SPOT_OK)):
        return ("on_demand", "spot")
    on_demand = ["on_demand" for _ in reading.take(_ON_DEMAND)]
    spot = ["spot" for _ in reading.take(re.compile(rf"(?<!\w){_SPOT}(?!\w)"))]
    return tuple(dict.fromkeys([*on_demand, *spot]))
