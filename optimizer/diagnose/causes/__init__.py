"""Causes in words, each from its own part of the evidence."""

from __future__ import annotations

from optimizer.diagnose.causes import command, load, pools, rest, step
from optimizer.diagnose.diagnosis import Finding
from optimizer.diagnose.evidence import Evidence

_GROUPS = (
    load.measurements,
    pools.pools,
    load.occupancy,
    step.step,
    command.formats,
    command.speculation,
    command.machine,
    command.layout,
    command.not_counted,
    rest.unexplained,
)


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """Every cause that applies, what the load does first and what nothing explains last."""
    return tuple(finding for group in _GROUPS for finding in group(evidence))
