"""The `slo` section -> latency limits."""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from requirements_specs import convert
from requirements_specs.errors import Mark
from requirements_specs.keys import PERCENTILES, STATISTICS
from requirements_specs.quantity import Dimension, format_quantity
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from requirements_specs.section import Findings, Section
from requirements_specs.source import Scalar


class _Stated(NamedTuple):
    """A limit and where it stands in the file."""

    limit: LatencyLimit
    key: str
    mark: Mark


def read_slo(section: Section, findings: Findings) -> tuple[LatencyLimit, ...]:
    """Return the limits in the order of metric and statistic; a percentile without a metric is taken for ttft."""
    if section.is_empty:
        findings.assume("slo", "none", "no latency is limited")
        return ()
    stated = _limits(section, "slo", Metric.TTFT, PERCENTILES)
    for bare in stated:
        findings.assume(bare.key, bare.limit.id, "a percentile without a metric means the time to first token")
    for metric in Metric:
        below = _metric_section(section, metric, findings)
        if below is not None:
            stated += _limits(below, f"slo.{metric}", metric, STATISTICS)
    _refuse_contradictions(stated, findings)
    metrics, statistics = list(Metric), list(Statistic)
    limits = (row.limit for row in stated)
    return tuple(sorted(limits, key=lambda limit: (metrics.index(limit.metric), statistics.index(limit.statistic))))


def _limits(section: Section, path: str, metric: Metric, statistics: Sequence[str]) -> list[_Stated]:
    limits = []
    for statistic in statistics:
        seconds = section.value(statistic, convert.latency)
        if seconds is not None:
            limit = LatencyLimit(metric=metric, statistic=Statistic(statistic), limit_s=seconds)
            limits.append(_Stated(limit, f"{path}.{statistic}", section.mark(statistic)))
    return limits


def _metric_section(section: Section, metric: Metric, findings: Findings) -> Section | None:
    """Return the statistics below one metric; a lone time there lacks its statistic, if it is a time at all."""
    node = section.node(metric)
    if not isinstance(node, Scalar):
        return section.section(metric, STATISTICS)
    key = f"slo.{metric}"
    seconds = section.convert(node, key, convert.latency)
    if seconds is not None:
        findings.refuse(
            node.mark,
            key,
            "a mean or a percentile is needed",
            read=node.text,
            allowed=", ".join(STATISTICS),
            fix=f"{metric}: {{p99: {format_quantity(seconds, Dimension.TIME)}}}",
        )
    return None


def _refuse_contradictions(stated: Sequence[_Stated], findings: Findings) -> None:
    """Refuse the same limit twice, and a percentile's limit above that of a higher one, where it can never bind."""
    for one, other in combinations(stated, 2):
        if one.limit.metric is not other.limit.metric:
            continue
        if one.limit.statistic is other.limit.statistic:
            findings.refuse(other.mark, other.key, f"the limit of {one.key}, line {one.mark.line}, is given again")
            continue
        lower, higher = sorted((one, other), key=lambda row: row.limit.statistic.probability or 0.0)
        if lower.limit.statistic.probability is not None and lower.limit.limit_s > higher.limit.limit_s:
            findings.refuse(
                lower.mark,
                lower.key,
                f"{lower.limit.statistic} is greater than {higher.limit.statistic}",
                read=" and ".join(
                    f"{row.limit.statistic} {format_quantity(row.limit.limit_s, Dimension.TIME)}"
                    for row in (lower, higher)
                ),
                allowed="limits that do not fall from p50 to p99",
            )
