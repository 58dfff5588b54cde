"""Strict reading of authored YAML and CSV: duplicate keys, missing and surplus columns are refused."""

import csv
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import yaml

from catalog.errors import CatalogError


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice (YAML keeps the last one in silence)."""


def _unique_mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: dict[Hashable, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        mark = key_node.start_mark
        if not isinstance(key, str):
            raise CatalogError(f"{mark.name}:{mark.line + 1}: key {key!r} is not a word")
        if key in seen:
            raise CatalogError(f"{mark.name}:{mark.line + 1}: key {key!r} is written twice")
        seen[key] = loader.construct_object(value_node, deep=True)
    return seen


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)
# dates stay text: entities carry "2026-11-22" or "2026" as the source states it
_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping that the YAML file `path` holds."""
    return parse_yaml(path.read_text(encoding="utf-8"), path.name)


def parse_yaml(text: str, name: str) -> dict[str, Any]:
    """Return the mapping that `text` is; `name` stands in messages."""
    loader = _StrictLoader(text)
    loader.name = name
    try:
        content = loader.get_single_data()
    finally:
        loader.dispose()
    if not isinstance(content, dict):
        raise CatalogError(f"{name}: expected a mapping of keys to values")
    return content


def read_csv(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield ("file:line", {column: text}) for each row of `path`; its header must be exactly `columns`."""
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.reader(stream)
        header = tuple(next(reader, []))
        if header != columns:
            raise CatalogError(f"{path.name}:1: columns are {list(header)}, expected {list(columns)}")
        for cells in reader:
            where = f"{path.name}:{reader.line_num}"
            if len(cells) != len(columns):
                raise CatalogError(f"{where}: {len(cells)} cells, expected {len(columns)}")
            yield where, dict(zip(columns, cells, strict=True))


def optional_float(text: str) -> float | None:
    """Return the number in a CSV cell, None for an empty one."""
    return float(text) if text else None


def flag(text: str, where: str) -> bool:
    """Return the truth value in a CSV cell; raises CatalogError for anything but true or false."""
    if text not in ("true", "false"):
        raise CatalogError(f"{where}: read {text!r}, expected true or false")
    return text == "true"
