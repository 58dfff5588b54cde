"""A JSON file of a model repository as one mapping, or what is wrong with it."""

import json
from contextlib import suppress
from pathlib import Path

from catalog.errors import FileError
from catalog.user_file import UserFile, UserText, read_user_text

CONFIG_NAME = "config.json"


class _RepeatedKeyError(ValueError):
    """A key that one object holds twice."""


def read_config_file(path: Path) -> UserFile:
    """Return the JSON object in `path`, or in the `config.json` of the folder `path`.

    Raises FileError: it cannot be opened, is over 1 MB, is not UTF-8 or not one JSON object, or holds a key twice.
    """
    with suppress(OSError):  # a path that is too long, say; opening it names the reason
        if path.is_dir():
            path = path / CONFIG_NAME
    source = read_user_text(path, f"a model's {CONFIG_NAME}, or a folder that holds one")
    values = _parsed(source)
    if not isinstance(values, dict):
        raise FileError(str(path), "", "not a JSON object", read=source.text.strip()[:40], allowed='{"model_type": …}')
    return UserFile(source, values)


def _parsed(source: UserText) -> object:
    path = source.path
    try:
        return json.loads(source.text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        line = source.text.split("\n")[error.lineno - 1].strip()
        where = f"{path}:{error.lineno}:{error.colno}"
        raise FileError(where, "", f"not valid JSON: {error.msg}", read=line[:80] or None) from None
    except _RepeatedKeyError as error:
        raise FileError(str(path), str(error), "given twice", allowed="each key once") from None
    except (ValueError, RecursionError):  # an integer of thousands of digits; brackets nested without an end
        raise FileError(str(path), "", "not a config: a number or its nesting is out of all bounds") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(next(key for key in keys if keys.count(key) > 1))
    return values
