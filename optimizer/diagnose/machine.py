"""The hardware that a deployment runs on: `8xH100`, `2x8xH200`, `4*A100-80G`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from catalog.errors import UnknownName
from catalog.parts import Accelerator, LinkKind
from catalog.read import Snapshot
from optimizer.errors import QuestionError

_SIGN = r"\s*[x×*]\s*"
_MACHINE = re.compile(
    rf"\s*(?:(?P<first>\d{{1,6}})(?:{_SIGN}|\s+))?(?:(?P<second>\d{{1,6}}){_SIGN})?(?P<part>[A-Za-z].*?)\s*"
)
_FORMS = "8xH100, 2x8xH200 (hosts × accelerators of a host), 4*A100-80GB"
# Accelerators of a host where the reader does not say, unless a scale-up domain is larger.
HOST_ACCELERATORS = 8
MOST_ACCELERATORS = 100_000


@dataclass(frozen=True)
class Machine:
    """`hosts` equal hosts of `per_host` accelerators."""

    accelerator: Accelerator
    hosts: int
    per_host: int

    @property
    def accelerators(self) -> int:
        """All of them."""
        return self.hosts * self.per_host

    @property
    def domain(self) -> int:
        """The largest tensor-parallel group that stays in a host, or in a scale-up domain larger than one."""
        link = self.accelerator.link
        if link.kind in (LinkKind.PCIE, LinkKind.NVLINK_BRIDGE, LinkKind.NONE):
            return self.per_host
        return min(link.domain, self.per_host)


def read_machine(text: str, snapshot: Snapshot) -> Machine:
    """The machine that a text names; raises QuestionError with the forms or the nearest parts."""
    match = _MACHINE.fullmatch(text)
    if match is None:
        raise QuestionError(f"--on {text!r}: not a machine; write {_FORMS}")
    accelerator = _part(match["part"], snapshot)
    first = int(match["first"] or 1)
    if match["second"] is not None:
        hosts, per_host = first, int(match["second"])
    else:
        most = max(HOST_ACCELERATORS, accelerator.link.domain)
        hosts, per_host = (1, first) if first <= most else (first // most, most)
        if hosts * per_host != first:
            raise QuestionError(
                f"--on {text!r}: {first} accelerators are not whole hosts of {most}; write hosts × accelerators of a "
                f"host, as {hosts}x{most}x{match['part']}"
            )
    if not 1 <= hosts * per_host <= MOST_ACCELERATORS:
        raise QuestionError(f"--on {text!r}: 1 to {MOST_ACCELERATORS:,} accelerators are allowed; write {_FORMS}")
    return Machine(accelerator, hosts, per_host)


def _part(name: str, snapshot: Snapshot) -> Accelerator:
    """The part of a name, also one whose memory is written `80G`."""
    try:
        return snapshot.accelerator(name)
    except UnknownName as unknown:
        if re.search(r"\d[gG]$", name):
            try:
                return snapshot.accelerator(f"{name}B")
            except UnknownName:
                pass
        raise QuestionError(f"--on: {unknown}") from None
