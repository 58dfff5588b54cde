"""`workload.profile` and `workload.growth` -> how the rate changes; and how long a replica takes to be there for it."""

import re
from fractions import Fraction

from requirements_specs import convert
from requirements_specs.errors import ValueProblem
from requirements_specs.profile import CYCLES_HOURS, MOST_GROWTH_MONTHS, Growth, Period
from requirements_specs.quantity import Dimension
from requirements_specs.section import Findings, Section
from requirements_specs.serving import Objective
from requirements_specs.source import Items, Mapping

_PATH = "workload.profile"
_EXAMPLE = "profile: [{hours: 8, factor: 1.5}, {hours: 16, factor: 0.75}]"
_PERIOD_KEYS = ("hours", "factor")
_MOST_PERIODS = 168
_LONGEST_COLD_START_S = 24 * 3600.0

_hours = convert.factor(at_least=0.01, at_most=max(CYCLES_HOURS), noun="number of hours")
_factor = convert.factor(at_least=0.001, at_most=1000.0)
_growth = convert.quantity(Dimension.SHARE, above=0.0, at_most=1.0)


def read_profile(workload: Section, findings: Findings, objective: Objective) -> tuple[Period, ...]:
    """Return the periods of a day or a week; none if the spec has none, or where one was refused."""
    if "profile" not in workload:
        return ()
    _refuse_other_objectives(workload, "profile", objective)
    if "peak_factor" in workload:
        workload.refuse_key(
            "peak_factor", "the peak of a profile is its highest factor", allowed="one of peak_factor and profile"
        )
        return ()
    node = workload.node("profile")
    if node is None:
        return ()
    if not isinstance(node, Items) or not node.values:
        workload.refuse_key("profile", "a list of periods is needed", allowed=_EXAMPLE)
        return ()
    if len(node.values) > _MOST_PERIODS:
        workload.refuse_key(
            "profile", "too many periods", read=f"{len(node.values):,}", allowed=f"at most {_MOST_PERIODS}"
        )
        return ()
    periods = []
    for index, item in enumerate(node.values):
        path = f"{_PATH}[{index}]"
        if not isinstance(item, Mapping):
            findings.refuse(item.mark, path, "keys of a period are needed", allowed="{hours: 8, factor: 1.5}")
            continue
        section = Section(findings, item, path, mark=item.mark, keys=_PERIOD_KEYS)
        section.require(hours="8", factor="1.5")
        hours, factor = section.value("hours", _hours), section.value("factor", _factor)
        if hours is not None and factor is not None:
            periods.append(Period(hours=hours, factor=factor))
    if len(periods) < len(node.values):
        return ()
    total = sum((Fraction(str(period.hours)) for period in periods), Fraction())
    if total not in CYCLES_HOURS:
        findings.refuse(
            workload.mark("profile"),
            _PATH,
            "the hours of the periods are not those of a day or a week",
            read=f"{float(total):g} h in all",
            allowed="24 h or 168 h in all",
            fix=_last_hours(total, Fraction(str(periods[-1].hours))),
        )
        return ()
    findings.assume(
        "billing", "by the second", "an instance costs nothing once it is given back; one that is reserved would"
    )
    return tuple(periods)


def read_growth(workload: Section, objective: Objective) -> Growth | None:
    """Return how the rate grows; None if it does not, or where it was refused."""
    section = workload.section("growth")
    if section is None:
        return None
    _refuse_other_objectives(workload, "growth", objective)
    section.require(monthly="4 %", months="12")
    monthly = section.value("monthly", _monthly)
    months = section.value("months", convert.whole_number(1, MOST_GROWTH_MONTHS))
    return None if monthly is None or months is None else Growth(monthly=monthly, months=months)


def read_cold_start(availability: Section, findings: Findings, *, scaled: bool) -> float | None:
    """Return the seconds from renting an instance until its replicas serve; `scaled`: whether there is a profile."""
    if "cold_start" not in availability:
        if scaled:
            findings.assume(
                "availability.cold_start",
                "not stated",
                "no warm pool is priced: no source states how long a start takes",
            )
        return None
    if not scaled:
        availability.refuse_key(
            "cold_start",
            "instances start and stop with the periods of a profile, and there is none",
            allowed=f"with workload.{_EXAMPLE}",
        )
    return availability.value("cold_start", convert.quantity(Dimension.TIME, above=0.0, at_most=_LONGEST_COLD_START_S))


def _monthly(text: str) -> float:
    """Return a growth, which needs its percent sign: `1` might be one percent, or double."""
    if re.fullmatch(r"[0-9.]+", text):
        raise ValueProblem(
            "a bare number where percents are needed", read=text, allowed="a growth as 4 %", fix=f"{text} %"
        )
    return _growth(text)


def _refuse_other_objectives(workload: Section, key: str, objective: Objective) -> None:
    if objective is not Objective.CHEAPEST:
        workload.refuse_key(
            key, "the fewest replicas of each time are those of the least cost", read=objective, allowed="cheapest"
        )


def _last_hours(total: Fraction, last: Fraction) -> str | None:
    """The hours of the last period with which all would be those of a day or a week; None if there are none."""
    for cycle in CYCLES_HOURS:
        hours = last + Fraction(cycle) - total
        if hours > 0:
            return f"hours: {float(hours):g} in the last period"
    return None
