"""A spec that a sentence changes."""

from collections.abc import Mapping
from dataclasses import dataclass

from requirements_specs.keys import KEYS, joined
from requirements_specs.serving import ServingSpec
from requirements_specs.source import parse
from requirements_specs.write import Tree, Value, value_of

_ARRIVALS = frozenset(("request_rate", "offline"))


@dataclass(frozen=True)
class Base:
    """A spec that the sentence changes: its text as a tree, and what it means."""

    tree: Tree
    spec: ServingSpec


def base_of(text: str, path: str, spec: ServingSpec) -> Base:
    """Return the base that `text` is, which has been read as `spec`."""
    tree = value_of(parse(text, path))
    assert isinstance(tree, dict), "parse returns a mapping"
    return Base(tree, spec)


def merged(base: Tree, over: Mapping[str, Value], path: str = "") -> Tree:
    """Return `base` with the keys of `over`: sections are merged key by key, every other value is replaced.

    Traffic takes the place of other traffic, and a job, which waits, that of a peak and of latency limits, too.
    """
    result = dict(base)
    if path == "workload" and _ARRIVALS & over.keys():
        gone = _ARRIVALS | {"peak_factor", "profile", "growth"} if "offline" in over else _ARRIVALS
        result = {key: value for key, value in result.items() if key not in gone}
    workload = over.get("workload")
    if isinstance(workload, dict) and "offline" in workload:
        result.pop("slo", None)
    first_token = over.get("ttft")
    if path == "slo" and isinstance(first_token, dict):
        # a percentile of the base without a metric limits ttft, too
        result = {key: value for key, value in result.items() if key not in first_token}
    for key, value in over.items():
        before, full = result.get(key), joined(path, key)
        if isinstance(before, dict) and isinstance(value, dict) and (full in KEYS or path == "slo"):
            result[key] = merged(before, value, full)
        else:
            result[key] = value
    order = [key for key in KEYS.get(path, ()) if key in result]
    return {key: result[key] for key in (*order, *result)}
