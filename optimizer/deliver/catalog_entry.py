"""One entry of the catalog, every field with its value, and the documents that the values come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from catalog.models import Model
from catalog.offers import Offer
from catalog.parts import Accelerator
from catalog.read import Snapshot
from catalog.sources import Source, source_ids
from optimizer.deliver.figures import data, dollars

_NAME_WIDTH = 34
_SECTIONS = ("field_sources", "disagrees")


def entry_text(entry: Accelerator | Model | Offer, snapshot: Snapshot) -> str:
    """The fields of a part, model or offer, what other sources say, and the sources cited."""
    fields = entry.model_dump(mode="json")
    lines = [f"{name:<{_NAME_WIDTH}}{value}" for name, value in _fields("", fields)]
    sources = source_ids(entry.source)
    if isinstance(entry, Accelerator):
        lines += [f"source of {field}: {source}" for field, source in entry.field_sources.items()]
        lines += [
            f"{other.source} says {other.field} is {_shown(other.field, other.value)}" for other in entry.disagrees
        ]
        others = (*entry.field_sources.values(), *(other.source for other in entry.disagrees))
        sources += tuple(name for source in others for name in source_ids(source))
    cited = (snapshot.sources[name] for name in dict.fromkeys(sources))
    return "\n".join([*lines, *(_citation(source) for source in cited)])


def _citation(source: Source) -> str:
    return f"[{source.id}] {source.citation} ({source.as_of}; licence: {source.licence})"


def _fields(path: str, values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Leaf fields by path; empty ones are left out."""
    for key, value in values.items():
        name = f"{path}.{key}" if path else key
        if key in _SECTIONS or value in (None, ""):
            continue
        if isinstance(value, Mapping):
            yield from _fields(name, value)
        else:
            yield name, _shown(name, value)


def _shown(name: str, value: object) -> str:
    """A number with the unit that its name carries."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return str(value)
    if name.endswith("bytes_per_s"):
        return f"{data(value)}/s"
    if name.endswith("bytes"):
        return f"{data(value)} ({value:,})"
    if "flop_per_s" in name:
        return f"{value / 1e12:,g} TFLOP/s"
    if name.endswith("usd_micro_per_hour"):
        return f"{value:,} ({dollars(value / 1e6)}/h)"
    if name.endswith("watts"):
        return f"{value:g} W"
    return f"{value:,}"
