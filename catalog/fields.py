"""The fields of one mapping in a file of the user, read key by key; what is wrong with one is an error for people."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from math import isfinite

from catalog.authoring.units import quantity
from catalog.errors import FileError, nearest_names
from catalog.user_file import UserText

_LONGEST_SHOWN = 60
_LONGEST_TEXT = 200


class Fields:
    """A mapping in `source`; `path` is where it stands in the file, empty at the top.

    `defaults` are values for keys that the file may leave out; `taken` lists what was taken for something that it does
    not state. Every method raises CatalogError for a value that is not allowed.
    """

    def __init__(self, source: UserText, values: Mapping[str, object], path: str = "") -> None:
        self.source = source
        self.defaults: Mapping[str, int] = {}
        self.taken: list[str] = []
        self._values = values
        self._path = path

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    def keys(self) -> tuple[str, ...]:
        """Return the keys, in the file's order."""
        return tuple(self._values)

    def value(self, key: str) -> object:
        """Return what stands under `key`; None where that is nothing or null."""
        return self._values.get(key)

    def section(self, key: str) -> Fields | None:
        """Return the mapping under `key`, or None."""
        value = self._values.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.error(key, "keys and values are needed", allowed="{…}")
        return Fields(self.source, value, self._joined(key))

    def sections(self, key: str) -> list[Fields]:
        """Return the mappings in the list under `key`, at least one."""
        values = self._values.get(key)
        if not isinstance(values, list) or not values or not all(isinstance(value, dict) for value in values):
            raise self.error(key, "a list of one mapping or more is needed", allowed="- {…}")
        return [Fields(self.source, value, f"{self._joined(key)}[{index}]") for index, value in enumerate(values)]

    def only(self, keys: Collection[str]) -> None:
        """Refuse any key but these."""
        for key in self._values:
            if key not in keys:
                near = nearest_names(str(key), keys, limit=1)
                raise self.error(str(key), "unknown key", allowed=", ".join(keys), fix=next(iter(near), None))

    def count(self, key: str, most: int, *, least: int = 1) -> int:
        """Return the whole number from `least` to `most` under `key`, or its default."""
        if key not in self._values and key in self.defaults:
            self.taken.append(f"{key} {self.defaults[key]}")
            return self.defaults[key]
        if key not in self:
            what = "null is given" if key in self._values else "this key is missing"
            raise self.error(key, what, allowed=_range(least, most))
        return self._whole(key, least, most)

    def optional_count(self, key: str, most: int, *, least: int = 1) -> int | None:
        """As `count`, but None for a key that is null, or that is absent and has no default."""
        if key in self or (key not in self._values and key in self.defaults):
            return self.count(key, most, least=least)
        return None

    def count_of(self, keys: Sequence[str], most: int) -> int:
        """Return the number that several spellings name; they must agree."""
        given = [key for key in keys if key in self]
        found = {key: self.count(key, most) for key in given or keys[:1]}
        first = next(iter(found))
        for key, value in found.items():
            if value != found[first]:
                raise self.error(key, f"contradicts {self._joined(first)}", allowed=f"{found[first]}, or one key only")
        return found[first]

    def flag(self, key: str, default: bool) -> bool:
        """Return the truth value under `key`, `default` where there is none."""
        value = self._values.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.error(key, "neither true nor false", allowed="true, false")
        return value

    def name(self, key: str, allowed: Sequence[str]) -> str:
        """Return the text under `key`, which must be one of `allowed`."""
        value = self._values.get(key)
        if isinstance(value, str) and value in allowed:
            return value
        listed = ", ".join(allowed)
        if value is None:
            raise self.error(key, "this key is missing", allowed=listed)
        near = nearest_names(value, allowed, limit=1) if isinstance(value, str) else ()
        raise self.error(key, "not a value that is known here", allowed=listed, fix=next(iter(near), None))

    def text(self, key: str, default: str | None = None) -> str:
        """Return the printable text under `key`, `default` where there is nothing or null."""
        value = self._values.get(key)
        value = default if value is None else value
        if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > _LONGEST_TEXT:
            what = "this key is missing" if value is None else "not a text"
            raise self.error(key, what, allowed=f"1 to {_LONGEST_TEXT} printable characters")
        return value

    def quantity(self, key: str, dimension: str) -> Decimal:
        """Return the number with a unit under `key`, in SI units of `dimension`, exactly."""
        value = self._values.get(key)
        stated = self.text(key) if value is None or isinstance(value, str) else value
        return quantity(stated, dimension, f"{self.source.where(key)}: {self._joined(key)}")

    def error(self, key: str, what: str, *, allowed: str | None = None, fix: str | None = None) -> FileError:
        """Return the error that `what` is wrong with the value under `key`."""
        read = _shown(self._values[key]) if key in self._values else None
        return FileError(self.source.where(key), self._joined(key), what, read=read, allowed=allowed, fix=fix)

    def _joined(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def _whole(self, key: str, least: int, most: int) -> int:
        value = self._values[key]
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(key, "a whole number is needed", allowed=_range(least, most), fix=_whole_near(value))
        if not least <= value <= most:
            nearest = max(least, min(value, most))
            raise self.error(key, "out of range", allowed=_range(least, most), fix=f"{nearest}")
        return value


def _range(least: int, most: int) -> str:
    return f"a whole number from {least:,} to {most:,}"


def _whole_near(value: object) -> str | None:
    """Return the whole number that a float or a text like `"32"` means, or None."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return value.lstrip("0")[:20] or None
    if isinstance(value, float) and isfinite(value):
        return f"{round(value)}"
    return None


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
