"""Values of a result file, each read with its place, so that whatever is wrong is named by file and key."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from optimizer.errors import QuestionError

SECONDS_PER_MS = 1e-3


class ResultError(QuestionError):
    """A result that cannot be used; nothing of its file is."""


@dataclass(frozen=True)
class Record:
    """A mapping of a result file; `place` is the file, `path` the keys that lead to the mapping."""

    values: Mapping[str, object]
    place: str
    path: str = ""

    def __contains__(self, key: str) -> bool:
        """Whether the key has a value that is not null."""
        return self.values.get(key) is not None

    def name_of(self, key: str) -> str:
        """File and key, as messages name them."""
        return f"{self.place}: {self.path}{key}"

    def record(self, key: str) -> Record:
        """A nested mapping; ResultError if there is none."""
        found = self.optional_record(key)
        if found is None:
            raise self._missing(key)
        return found

    def optional_record(self, key: str) -> Record | None:
        """A nested mapping, or None."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise ResultError(f"{self.name_of(key)}: an object is expected, not {_shown(value)}")
        return Record(value, self.place, f"{self.path}{key}.")

    def records(self, key: str) -> tuple[Record, ...]:
        """The mappings of a list; ResultError if there is no list."""
        value = self.values.get(key)
        if value is None:
            raise self._missing(key)
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            raise ResultError(f"{self.name_of(key)}: a list of objects is expected, not {_shown(value)}")
        return tuple(Record(item, self.place, f"{self.path}{key}[{position}].") for position, item in enumerate(value))

    def number(self, key: str) -> float:
        """A finite number, also one written as text; ResultError if it is missing, NaN or infinite."""
        value = self.optional_number(key)
        if value is None:
            raise self._missing(key)
        return value

    def optional_number(self, key: str) -> float | None:
        """A finite number, or None where nothing is written."""
        value = self.optional_rate(key)
        if value is not None and math.isinf(value):
            raise ResultError(f"{self.name_of(key)}: a finite number is expected, not {value}")
        return value

    def optional_rate(self, key: str) -> float | None:
        """A number that may be infinite, or None where nothing is written."""
        value = self.values.get(key)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ResultError(f"{self.name_of(key)}: a number is expected, not {_shown(value)}")
        try:
            number = float(value)
        except (ValueError, OverflowError):
            raise ResultError(f"{self.name_of(key)}: a number is expected, not {_shown(value)}") from None
        if math.isnan(number):
            raise ResultError(f"{self.name_of(key)}: not a number (NaN); the run measured nothing here")
        return number

    def count(self, key: str) -> int:
        """A whole number of at least 0; ResultError if it is missing."""
        value = self.optional_count(key)
        if value is None:
            raise self._missing(key)
        return value

    def optional_count(self, key: str) -> int | None:
        """A whole number of at least 0, or None where nothing is written."""
        value = self.optional_number(key)
        if value is None:
            return None
        if value < 0 or value != int(value):
            raise ResultError(f"{self.name_of(key)}: a count is expected, not {value:g}")
        return int(value)

    def optional_text(self, key: str) -> str | None:
        """A text, or None where nothing is written."""
        value = self.values.get(key)
        if value is None or value == "":
            return None
        if isinstance(value, Mapping | list):
            raise ResultError(f"{self.name_of(key)}: a text is expected, not {_shown(value)}")
        return value if isinstance(value, str) else _shown(value)

    def keys_shown(self, most: int) -> str:
        """The first keys in the order of their text, for messages; keys of YAML may be numbers too."""
        keys = sorted(key if isinstance(key, str) else _shown(key) for key in self.values)
        return f"{', '.join(keys[:most]) or 'nothing'} …"

    def _missing(self, key: str) -> ResultError:
        return ResultError(f"{self.name_of(key)}: missing; the file has {self.keys_shown(6)}")


def _shown(value: object) -> str:
    """A value in short; of lists and objects the kind alone, for aliases of YAML can make them endless."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list):
        return "a list"
    try:
        text = repr(value) if isinstance(value, str) else str(value)
    except ValueError:  # Python writes no integer of so many digits
        return "a number of thousands of digits"
    return text if len(text) <= 40 else f"{text[:40]}…"
