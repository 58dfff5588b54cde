"""A spec file as a tree of nodes that know their line and column.

Built from the parser's events, not from its objects: nothing is constructed, nothing recurses, and size, depth,
aliases and tags are judged before anything grows. JSON is read as the YAML that it (nearly) is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from requirements_specs.errors import MalformedSpecError, Mark, Problem, UnreadableSpecError

if TYPE_CHECKING:
    from yaml._yaml import Mark as ParserMark
    from yaml.error import Mark as YAMLMark
    from yaml.error import YAMLError
    from yaml.events import Event

LARGEST_FILE_BYTES = 10**6
_DEEPEST = 20
_MOST_VALUES = 50_000
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))


@dataclass(frozen=True)
class Scalar:
    """One value as written. `plain`: without quotes, so that an empty one means that nothing was given."""

    text: str
    plain: bool
    mark: Mark

    @property
    def is_null(self) -> bool:
        """Whether nothing was given."""
        return self.plain and self.text in _NULLS


@dataclass(frozen=True)
class Items:
    """A list."""

    values: tuple[Node, ...]
    mark: Mark


@dataclass(frozen=True)
class Entry:
    """One `key: value` of a mapping."""

    key: Scalar
    value: Node


@dataclass(frozen=True)
class Mapping:
    """A mapping; its entries are in the file's order and may repeat a key, which the reader refuses."""

    entries: tuple[Entry, ...]
    mark: Mark


Node = Scalar | Items | Mapping


def read_text(path: Path) -> str:
    """Return the text of a spec of at most 1 MB.

    Raises:
        UnreadableSpecError: the file cannot be opened, is larger, or is not UTF-8.
    """
    return decoded(read_bytes(path, "a YAML or JSON file", "a spec of at most 1 MB; most have a page"), path)


def read_bytes(path: Path, kind: str, small_enough: str) -> bytes:
    """Return what is in a file of at most 1 MB; `kind` and `small_enough` say what is allowed.

    Raises:
        UnreadableSpecError: the file cannot be opened or is larger.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _unreadable(path, f"cannot be read: {reason}", allowed=kind) from None
    if len(data) > LARGEST_FILE_BYTES:
        raise _unreadable(path, "the file is larger than 1 MB", allowed=small_enough)
    return data


def decoded(data: bytes, path: Path) -> str:
    """Return the text of the bytes of the file `path`; raises UnreadableSpecError where they are not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        mark = Mark(before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1)
        raise UnreadableSpecError(
            [Problem(str(path), mark, "", "not UTF-8 text", read=f"byte 0x{data[error.start]:02x}", allowed="UTF-8")]
        ) from None


def parse(text: str, path: str) -> Mapping:
    """Return the one mapping that the text is; `path` is named in messages, and `.json` at its end allows tabs.

    Raises:
        MalformedSpecError: not YAML or JSON, empty, several documents, not a mapping, nested deeper than 20, more
            than 50,000 values, or an alias, a tag or a key that is not a plain word.
    """
    import yaml  # here, so that only those who read a spec pay for the parser

    if path.endswith(".json"):
        text = text.replace("\t", " ")  # a tab inside a JSON string is written \t, so only layout is touched
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        root = _Builder(path).build(yaml.parse(text, Loader=loader))
    except yaml.YAMLError as error:
        raise _not_yaml(text, path, error) from None
    if not isinstance(root, Mapping):
        mark = Mark(1, 1) if root is None else root.mark
        if root is None or (isinstance(root, Scalar) and root.is_null):
            raise _malformed(path, mark, "the file is empty", allowed="a spec that begins with kind: serving")
        read = root.text if isinstance(root, Scalar) else "a list"
        raise _malformed(path, mark, "not a mapping", read=read, allowed="lines of the form key: value")
    return root


@dataclass
class _Open:
    """A list or mapping whose end has not come yet."""

    mark: Mark
    is_mapping: bool
    values: list[Node] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    key: Scalar | None = None


class _Builder:
    """Builds nodes from events with a stack of its own."""

    def __init__(self, path: str):
        self._path = path
        self._stack: list[_Open] = []
        self._root: Node | None = None
        self._documents = 0
        self._count = 0

    def build(self, events: Iterator[Event]) -> Node | None:
        """Return the root node; None if there is no document."""
        from yaml import events as kinds

        for event in events:
            mark = _mark(event.start_mark)
            if isinstance(event, kinds.DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    raise self._refused(mark, "a second document", "one spec per file, without --- between")
            elif isinstance(event, kinds.AliasEvent):
                raise self._refused(mark, "a YAML alias", "the value itself, written out", read=f"*{event.anchor}")
            elif isinstance(event, kinds.ScalarEvent):
                self._refuse_tag(event.tag, mark)
                self._add(Scalar(event.value, plain=event.style in (None, ""), mark=mark))
            elif isinstance(event, kinds.MappingStartEvent | kinds.SequenceStartEvent):
                self._refuse_tag(event.tag, mark)
                if len(self._stack) == _DEEPEST:
                    raise self._refused(mark, "nested too deeply", f"at most {_DEEPEST} levels")
                self._stack.append(_Open(mark, isinstance(event, kinds.MappingStartEvent)))
            elif isinstance(event, kinds.MappingEndEvent | kinds.SequenceEndEvent):
                done = self._stack.pop()
                self._add(
                    Mapping(tuple(done.entries), done.mark) if done.is_mapping else Items(tuple(done.values), done.mark)
                )
        return self._root

    def _add(self, node: Node) -> None:
        self._count += 1
        if self._count > _MOST_VALUES:
            raise self._refused(node.mark, "too many values", f"at most {_MOST_VALUES:,}")
        if not self._stack:
            self._root = node
            return
        parent = self._stack[-1]
        if not parent.is_mapping:
            parent.values.append(node)
        elif isinstance(node, Scalar) and parent.key is None:
            parent.key = node
        elif parent.key is None:
            raise self._refused(node.mark, "a key that is a list or a mapping", "a word, then a colon")
        else:
            parent.entries.append(Entry(parent.key, node))
            parent.key = None

    def _refuse_tag(self, tag: str | None, mark: Mark) -> None:
        if tag is not None:
            raise self._refused(mark, "a YAML tag", "the value without a tag", read=tag)

    def _refused(self, mark: Mark, what: str, allowed: str, read: str | None = None) -> MalformedSpecError:
        return _malformed(self._path, mark, what, read=read, allowed=allowed)


def _mark(place: YAMLMark | ParserMark | None) -> Mark:
    assert place is not None, "the loaders give every event a place"
    return Mark(place.line + 1, place.column + 1)


def _not_yaml(text: str, path: str, error: YAMLError) -> MalformedSpecError:
    """Return a parser's error with its place and the line it stands in."""
    place = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed"
    position = getattr(error, "position", None)
    if place is not None:
        mark = _mark(place)
    elif isinstance(position, int):
        before = text[:position]
        mark = Mark(before.count("\n") + 1, position - before.rfind("\n"))
    else:
        mark = Mark(1, 1)
    lines = text.split("\n")
    line = lines[mark.line - 1] if mark.line <= len(lines) else ""
    fix = "spaces in place of tabs" if "\t" in line else None
    form = "JSON" if path.endswith(".json") else "YAML"
    return _malformed(path, mark, f"not valid {form}: {reason}", read=line.strip() or None, fix=fix)


def _malformed(
    path: str, mark: Mark, what: str, *, read: str | None = None, allowed: str | None = None, fix: str | None = None
) -> MalformedSpecError:
    return MalformedSpecError([Problem(path, mark, "", what, read=read, allowed=allowed, fix=fix)])


def _unreadable(path: Path, what: str, *, allowed: str) -> UnreadableSpecError:
    return UnreadableSpecError([Problem(str(path), None, "", what, allowed=allowed)])
