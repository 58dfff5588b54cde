"""How many accelerators and nodes."""

import re
from dataclasses import dataclass

from requirements_specs.ask.amounts import COUNT, NUMERAL, count
from requirements_specs.ask.reading import BLANK, PART, Reading

ACCELERATORS_PER_NODE = 8
"""Accelerators of a node where the sentence does not say."""

_PART = rf"{PART}{BLANK}*s?"
_GPU = r"(?:gpus?|cards?|accelerators?|chips?)"
_NODES = r"(?:nodes|machines|servers|hosts|boxes)"
_NODE = r"(?:node|machine|server|host|box)"
_MEMORY = r"(?: ?\(?(?P<memory>\d{2,3}) ?g(?:i?b)?\)?)"
_AT_MOST = r"(?:at most |up to |max(?:imum)? |no more than |<=? ?|≤ ?)?"
_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_AT_MOST}(?P<nodes>{COUNT}) ?[x*] ?(?P<per_node>{NUMERAL}) ?[x*]? ?(?:{_PART}|{_GPU})(?!\w)",
        rf"{_AT_MOST}(?P<nodes>{COUNT}) ?[x*] ?(?P<per_node>{NUMERAL}) ?[x*]{_MEMORY}(?!\w)",
        rf"{_AT_MOST}(?P<total>{COUNT}) ?[x*]{_MEMORY}(?: {_GPU})?(?!\w)",
        rf"{_AT_MOST}(?P<nodes>{COUNT}) (?:{_PART} )?{_NODES} (?:of|with|each with) (?P<per_node>{COUNT}) ?[x*]? ?"
        rf"(?:{_PART}{_MEMORY}?|{_GPU})(?: each)?(?!\w)",
        rf"{_AT_MOST}(?P<nodes>{COUNT}) ?[x*]? ?{_PART}{_MEMORY}? {_NODES}(?!\w)",
        rf"(?P<nodes>(?<!\w)(?:a single|single|one|1)) {_PART}{_MEMORY}? {_NODE}(?!\w)",
        rf"{_AT_MOST}(?P<per_node>{COUNT}) ?[x*]? ?{_PART}{_MEMORY}? {_NODE}(?!\w)",
        rf"{_AT_MOST}(?P<per_node>{COUNT})[- ]?{_GPU} (?:{_PART}{_MEMORY}? )?{_NODE}(?!\w)",
        rf"{_AT_MOST}(?P<total>{COUNT})[- ]?(?:[x*] ?)?{_PART}{_MEMORY}?(?: {_GPU})?(?!\w)",
        rf"{_PART}{_MEMORY}? ?[x*:] ?(?P<total>\d{{1,6}})(?![\w.])",
        rf"{_AT_MOST}(?P<total>{COUNT})[- ]?(?:[x*] ?)?{_GPU}(?!\w)",
        rf"{_AT_MOST}(?P<nodes>{COUNT}) {_NODES}(?!\w)",
        rf"{_PART}{_MEMORY}",
        rf"(?P<memory>\d{{2,3}}) ?g(?:i?b)? (?:{_GPU}|of (?:gpu )?(?:memory|vram))(?!\w)",
    )
)


@dataclass(frozen=True)
class Hardware:
    """Accelerators by id; how many in all, nodes, and accelerators of a node; None where it is not said.

    `memory_gb` is a size of memory that stands for an accelerator without its name.
    """

    accelerators: tuple[str, ...] = ()
    total: int | None = None
    nodes: int | None = None
    per_node: int | None = None
    memory_gb: int | None = None


def read_hardware(reading: Reading, accelerators: tuple[str, ...]) -> Hardware:
    """Read the counts that stand beside accelerators and nodes; two that differ are refused."""
    said: dict[str, int] = {}
    for pattern in _PATTERNS:
        for match in list(reading.take(pattern)):
            for name, text in match.groupdict().items():
                if text is None:
                    continue
                number = count(text)
                if said.setdefault(name, number) != number:
                    reading.refuse(
                        match.start(),
                        "inventory.max_accelerators",
                        "another number than before",
                        read=f"{said[name]} and {number}",
                    )
    nodes, per_node, total = said.get("nodes"), said.get("per_node"), said.get("total")
    if nodes is not None and total is not None and per_node is None:
        per_node = max(1, total // nodes) if total >= nodes else total
    if nodes is not None and total is None:
        if per_node is None:
            per_node = ACCELERATORS_PER_NODE
            reading.note("inventory.max_accelerators", f"{nodes * per_node}", f"a node has {per_node} accelerators")
        total = nodes * per_node
    elif per_node is not None and total is None:
        nodes, total = 1, per_node
    return Hardware(accelerators, total, nodes, per_node, said.get("memory"))
