"""A spec as text: the YAML that `read.py` accepts, sections in blocks, everything below them on one line."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from requirements_specs.source import Items, Node, Scalar

Value: TypeAlias = "str | list[Value] | dict[str, Value]"
Tree: TypeAlias = dict[str, Value]

_PLAIN = re.compile(r"[A-Za-z0-9$./_<][\w$./%+ ()-]*(?<! )")
_NULLS = frozenset(("null", "Null", "NULL"))


def spec_text(tree: Mapping[str, Value], comments: Sequence[str] = ()) -> str:
    """Return the spec with its comments above, a line each; it ends with a line break."""
    lines = [f"# {comment}" for comment in comments]
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            lines.append(f"{key}:")
            lines += [f"  {inner}: {_inline(each)}" for inner, each in value.items()]
        else:
            lines.append(f"{key}: {_inline(value)}")
    return "\n".join(lines) + "\n"


def _inline(value: Value) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_inline(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(each) for each in value) + "]"
    if _PLAIN.fullmatch(value) and value not in _NULLS:
        return value
    return json.dumps(value, ensure_ascii=False)


def value_of(node: Node) -> Value:
    """Return what stands at a node of a spec that was read, without its places."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Items):
        return [value_of(each) for each in node.values]
    return {entry.key.text: value_of(entry.value) for entry in node.entries}
