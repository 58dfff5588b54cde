"""Names that people and other tools use for the catalog's parts and models."""

import re
from collections.abc import Iterable, Mapping, Sequence

from catalog.errors import CatalogError, UnknownName, nearest_names
from catalog.parts import Frozen

_IGNORED = re.compile(r"[^a-z0-9]")


def normal_form(name: str) -> str:
    """Return `name` in lower case without blanks and signs: `H100_SXM` and `h100-sxm` are one name."""
    return _IGNORED.sub("", name.lower())


class Aliases(Frozen):
    """Names of parts and models, each mapping a spelling to an id.

    A key is either a normal form or a lower-case spelling as written, so a reader that only folds case finds it too.
    """

    accelerators: dict[str, str]
    models: dict[str, str]


def find(kind: str, name: str, table: Mapping[str, str]) -> str:
    """Return the id that `name` means in `table`; raises UnknownName with the nearest ids."""
    found = table.get(normal_form(name))
    if found is None:
        near = (table[key] for key in nearest_names(normal_form(name), table, limit=8))
        raise UnknownName(kind, name, tuple(dict.fromkeys(near))[:3])
    return found


def alias_table(kind: str, ids: Iterable[str], names: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Build the table of `ids` and their other `names`, sorted by key.

    Raises CatalogError where an id is unknown or one name means two ids.
    """
    known = list(ids)
    table: dict[str, str] = {}
    for owner, spellings in [*((name, (name,)) for name in known), *names.items()]:
        if owner not in known:
            raise CatalogError(f"aliases of {kind}: {owner!r} is not in the catalog")
        for spelling in spellings:
            for key in (normal_form(spelling), spelling.lower()):
                if table.setdefault(key, owner) != owner:
                    raise CatalogError(f"aliases of {kind}: {spelling!r} means both {table[key]} and {owner}")
    return dict(sorted(table.items()))
