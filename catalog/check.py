"""All checks of the catalog: `roofplan catalog check` prints them and the tests allow no error."""

from collections.abc import Iterator

from catalog.check_models import check_model
from catalog.check_offers import check_offers
from catalog.check_parts import check_accelerator, check_evidence
from catalog.engines import Engine
from catalog.findings import Check, Finding, Severity, error
from catalog.formats import NumberFormat
from catalog.parts import Accelerator
from catalog.read import Content
from catalog.sources import source_ids
from catalog.walls import Wall

__all__ = ["Check", "Finding", "Severity", "check"]


def check(content: Content) -> tuple[Finding, ...]:
    """Return every finding about `content`, errors first, in a fixed order."""
    return tuple(sorted(_findings(content)))


def _findings(content: Content) -> Iterator[Finding]:
    for part in content.accelerators.values():
        yield from check_accelerator(part)
        yield from _part_sources(part)
    yield from check_evidence(content.accelerators.values(), content.efficiency)
    for model in content.models.values():
        yield from check_model(model, content.formats)
    yield from check_offers(content.offers, content.accelerators, content.regions)
    yield from _sources(content)
    yield from _identities(content)


def _part_sources(part: Accelerator) -> Iterator[Finding]:
    if part.multiprocessors is not None and "multiprocessors" not in part.field_sources:
        yield error(Check.SOURCE, part.id, "the multiprocessor count has no source of its own")
    fields = {*part.field_sources, *(entry.field for entry in part.disagrees)}
    for field in sorted(fields):
        if field.split(".")[0] not in Accelerator.model_fields:
            yield error(Check.SOURCE, part.id, f"there is no field {field!r}")


def _cited(content: Content) -> Iterator[tuple[str, str]]:
    for part in content.accelerators.values():
        yield part.id, part.source
        yield from ((f"{part.id}.{field}", source) for field, source in part.field_sources.items())
        yield from ((f"{part.id}.{entry.field}", entry.source) for entry in part.disagrees)
    yield from ((offer.id, offer.source) for offer in content.offers)
    yield from ((offer.id, offer.source) for offer in content.excluded_offers)
    yield from ((model.id, model.source) for model in content.models.values())
    yield from ((region.id, region.source) for region in content.regions.values())


def _sources(content: Content) -> Iterator[Finding]:
    for subject, source in _cited(content):
        for name in source_ids(source):
            if name not in content.sources:
                yield error(Check.SOURCE, subject, f"no source {name!r}")
    described: tuple[NumberFormat | Engine | Wall, ...] = (
        *content.formats.values(),
        *content.engines.values(),
        *content.walls,
    )
    for entity in described:
        if not entity.source:
            yield error(Check.SOURCE, entity.id, "no source is stated")


def _identities(content: Content) -> Iterator[Finding]:
    mappings = (content.accelerators, content.models, content.regions, content.formats, content.engines)
    for mapping in mappings:
        for key, entity in mapping.items():
            if key != entity.id:
                yield error(Check.REFERENCE, entity.id, f"is filed under {key!r}")
    for target in (*content.aliases.accelerators.values(), *content.aliases.models.values()):
        if target not in content.accelerators and target not in content.models:
            yield error(Check.REFERENCE, target, "an alias points to it, but it is not in the catalog")
