"""Where the catalog's numbers come from."""

from catalog.parts import Frozen


class Source(Frozen):
    """One document or data set. Entities name it by `id`; several ids are separated by commas.

    `licence` is that of the document, as a fact: the catalog restates numbers and copies no text.
    `as_of` is the date of the document or of the look at it (ISO, or as much of it as is known).
    """

    id: str
    citation: str
    licence: str
    as_of: str


def source_ids(source: str) -> tuple[str, ...]:
    """Split the `source` of an entity or field into the ids of its sources."""
    return tuple(part.strip() for part in source.split(","))
