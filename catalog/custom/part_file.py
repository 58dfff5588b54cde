"""The YAML file of custom parts as one mapping; its size and nesting are judged before anything is built."""

from pathlib import Path

import yaml
from yaml import events

from catalog.authoring.files import parse_yaml
from catalog.errors import FileError
from catalog.user_file import UserFile, UserText, read_user_text

_DEEPEST = 10
_MOST_VALUES = 20_000
# a number of more digits cannot be printed, and no text is that long
_LONGEST_VALUE = 1000


def read_part_file(path: Path) -> UserFile:
    """Return the mapping in `path`.

    Raises CatalogError: it cannot be opened, is no YAML mapping of at most 1 MB, is nested deeper than 10, holds over
    20,000 values, a value of over 1,000 characters, an alias, a tag, or a key twice.
    """
    source = read_user_text(path, "a YAML file of parts")
    try:
        _judge(source)
        values = parse_yaml(source.text, str(path))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = str(path) if mark is None else f"{path}:{mark.line + 1}:{mark.column + 1}"
        raise FileError(
            where, "", f"not valid YAML: {getattr(error, 'problem', None) or 'it cannot be parsed'}"
        ) from None
    except ValueError:  # `0b_` has the form of a number and is none
        raise FileError(str(path), "", "a number in it cannot be read") from None
    if not values:
        raise FileError(str(path), "", "no part is described", allowed="name: {memory: 96 GB, …}")
    return UserFile(source, values)


def _judge(source: UserText) -> None:
    depth = 0
    for count, event in enumerate(yaml.parse(source.text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))):
        where = f"{source.path}:{event.start_mark.line + 1}" if event.start_mark else str(source.path)
        if isinstance(event, events.AliasEvent):
            raise FileError(where, "", "a YAML alias", read=f"*{event.anchor}", allowed="the value, written out")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise FileError(where, "", "a YAML tag", read=tag, allowed="the value without it")
        if isinstance(event, events.ScalarEvent) and len(event.value) > _LONGEST_VALUE:
            read = f"{event.value[:20]}…"
            raise FileError(where, "", "a value is too long", read=read, allowed=f"{_LONGEST_VALUE:,} characters")
        if isinstance(event, events.CollectionStartEvent):
            depth += 1
        elif isinstance(event, events.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST or count > _MOST_VALUES:
            raise FileError(
                where, "", "too much for a file of parts", allowed=f"{_DEEPEST} levels, {_MOST_VALUES:,} values"
            )
