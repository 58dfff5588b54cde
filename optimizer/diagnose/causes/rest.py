"""What is left of a gap when everything that is counted has been named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from catalog.engines import version_number
from optimizer.diagnose.diagnosis import Cause, Comparison, Finding, Metric, Verdict
from optimizer.diagnose.evidence import Evidence
from optimizer.diagnose.forecast import forecast
from optimizer.diagnose.wording import duration, tokens_per_s

_NAMES = {Metric.TPOT: "TPOT", Metric.TTFT: "TTFT", Metric.TOKENS_PER_S: "throughput"}


def unexplained(evidence: Evidence) -> Iterator[Finding]:
    """What is beyond the interval after all that; pools are not predicted, so nothing of theirs is."""
    slow = [each for each in evidence.comparisons if each.verdict is Verdict.SLOWER]
    if not slow or evidence.pools is not None:
        return
    older = _older_engine(evidence)
    if older is not None:
        yield older
        slow = [each for each in slow if each.metric is Metric.TTFT]
    if not slow:
        return
    worst = max(slow, key=_excess)
    tokens = worst.metric is Metric.TOKENS_PER_S
    shown = tokens_per_s if tokens else duration
    end = worst.predicted.low if tokens else worst.predicted.high
    beyond = "" if end is None else f", beyond the interval's slow end {shown(end)}"
    largest = max(evidence.tpot, key=lambda share: share.seconds)
    yield Finding(
        cause=Cause.UNEXPLAINED,
        says=f"measured {_NAMES[worst.metric]} {shown(worst.measured)} is {_excess(worst):.1f}× slower than predicted"
        f"{beyond}; the largest term of TPOT is {largest.term} with {duration(largest.seconds)}. Nothing that is "
        "counted explains the rest: look at what is not counted, the engine's version and CUDA graphs, clocks and "
        "power limits, other tenants, and the client",
    )


def _excess(each: Comparison) -> float:
    return 1.0 / each.ratio if each.metric is Metric.TOKENS_PER_S else each.ratio


def _older_engine(evidence: Evidence) -> Finding | None:
    """Whether an older era of the engine, where the command names none, would have measured this.

    Not beside drafts: the figures of any era are without them, and verifying them may be all that is slow.
    """
    found, measured = evidence.found, evidence.measured.tpot_s
    command = found.deployment.command
    if measured is None or command.engine_version or command.launch.speculation is not None:
        return None
    engines = command.additions.snapshot.engines
    newest_first = sorted(engines.values(), key=lambda era: version_number(era.first_version), reverse=True)
    for era in newest_first:
        if era.library != engines[command.launch.engine].library or era.id == found.case.row.engine.id:
            continue
        dated = replace(command, engine_version=era.first_version)
        case = dated.case(found.deployment.layout, found.case.replicas)
        older = forecast(replace(found.deployment, command=dated, case=case)).figures
        if older is not None and older.tpot_s.high is not None and older.tpot_s.low <= measured <= older.tpot_s.high:
            return Finding(
                cause=Cause.OLDER_ENGINE,
                says=f"with the constants of {era.label} TPOT would be {duration(older.tpot_s.value)}, and "
                f"{duration(measured)} would be inside its interval: state --engine-version, or update the engine",
            )
    return None
