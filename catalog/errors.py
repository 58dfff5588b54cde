"""What the catalog raises."""

from collections.abc import Iterable
from difflib import get_close_matches


class CatalogError(Exception):
    """Bad catalog data; the message names the file or entity, what was read and what is allowed."""


class UnknownName(CatalogError):  # noqa: N818 (the public name of the interface)
    """A name that no entity and no alias carries.

    `kind` says what was looked up, `name` what was asked and `nearest` at most three known names like it.
    """

    def __init__(self, kind: str, name: str, nearest: tuple[str, ...]) -> None:
        self.kind = kind
        self.name = name
        self.nearest = nearest
        hint = f"; nearest: {', '.join(nearest)}" if nearest else ""
        super().__init__(f"unknown {kind} {name!r}{hint}")


class FileError(CatalogError):
    """What is wrong with a file that the user brings: a model's config.json, a custom part.

    `where` is the file, with a line where one is known; `key` is the path in it, empty where the whole file is meant.
    """

    def __init__(
        self,
        where: str,
        key: str,
        what: str,
        *,
        read: str | None = None,
        allowed: str | None = None,
        fix: str | None = None,
    ) -> None:
        self.problem = _printable(f"{where}: {key}: {what}" if key else f"{where}: {what}")
        self.read = None if read is None else _printable(read)
        self.allowed = allowed
        self.fix = fix
        notes = (("read", self.read), ("allowed", allowed), ("did you mean", fix))
        super().__init__(
            "\n".join([self.problem, *(f"    {name}: {text}" for name, text in notes if text is not None)])
        )


def _printable(text: str) -> str:
    """Return `text` with its control characters escaped: safe to print whatever a file held."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def nearest_names(name: str, known: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """Return at most `limit` of the `known` names that look like `name`, best first."""
    return tuple(get_close_matches(name, list(known), n=limit, cutoff=0.6))
