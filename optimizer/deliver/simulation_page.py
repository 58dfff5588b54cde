"""The page of `roofplan simulate`: what the laws predict beside what simulated requests had, and the limits."""

from __future__ import annotations

from rich.text import Text

from optimizer.deliver.design_sections import counted, machines_text
from optimizer.deliver.figures import dollars, duration, percent, request_rate, signed_percent
from optimizer.deliver.page import Section, page
from optimizer.outcome import (
    Cost,
    Design,
    SimulatedDrafts,
    SimulatedLimit,
    SimulatedScenario,
    SimulatedStatistic,
    SimulatedTrace,
    SimulationOut,
    Verdict,
)
from requirements_specs.requirement import Metric, Statistic

_COLUMNS = (Statistic.MEAN, Statistic.P50, Statistic.P90, Statistic.P99)
_NAME_WIDTH = 16
_COLUMN_WIDTH = 10
_LIMIT_WIDTH = 15
# Of the law, of the value and of its interval.
_VALUE_WIDTH = 11
_INTERVAL_WIDTH = 24
_STYLES = {Verdict.HOLDS: "green", Verdict.UNDECIDED: "yellow", Verdict.VIOLATED: "bold red"}


def render_simulation(simulation: SimulationOut, design: Design, cost: Cost, command: str) -> Text:
    """The page; `command` is what simulates the same runs again."""
    verdict = Text.assemble(
        ("Simulated", "bold"),
        " ",
        (machines_text(design.pools[0]), "bold"),
        f" at {dollars(cost.usd_per_hour)}/h",
    )
    return page(
        verdict,
        (
            (_traffic(simulation), *([] if simulation.drafts is None else [_drafts(simulation.drafts)])),
            *((_scenario(scenario, first=index == 0),) for index, scenario in enumerate(simulation.scenarios)),
            (_limits(simulation.limits, simulation.scenarios[-1].risk),),
            (Section("Next", (Text(f"{command} --json"),)),),
        ),
    )


def _traffic(simulation: SimulationOut) -> Section:
    routed = f"{simulation.router.replace('_', ' ')} over {counted(simulation.replicas, 'replica')}"
    if simulation.trace is not None:
        return _replayed(simulation, simulation.trace, routed)
    arrivals = "Poisson" if simulation.burstiness == 1.0 else f"CV² {simulation.burstiness:g}"
    seeds = f"{counted(len(simulation.seeds), 'seed')} of {simulation.requests:,} requests"
    return Section(
        "Traffic",
        (Text(f"{request_rate(simulation.request_rate_per_s)}, {arrivals}; {routed}; {seeds}"),),
    )


def _drafts(drafts: SimulatedDrafts) -> Section:
    accepted, cost = percent(drafts.acceptance), f"{drafts.draft_cost:g} decode steps"
    line = f"{drafts.drafted} a step, {accepted} accepted, {cost} each; a step keeps {drafts.kept_tokens:.2f} tokens"
    return Section("Drafts", (Text(line),))


def _replayed(simulation: SimulationOut, trace: SimulatedTrace, routed: str) -> Section:
    """What was replayed, in lines of the page's width whatever the file is called."""
    whole = trace.window_requests == trace.requests
    of = "all of it" if whole else f"its busiest {duration(trace.window_s)} from {trace.window_start}"
    lines = [
        Text(f"replayed {trace.file}"),
        Text(
            f"{of}: {request_rate(simulation.request_rate_per_s)}, CV² {simulation.burstiness:.3g}; "
            f"the design is for {request_rate(trace.design_rate_per_s)}"
        ),
        Text(f"{routed}; {simulation.requests:,} of {counted(trace.requests, 'request')} counted"),
    ]
    hit, ceiling = simulation.scenarios[-1].prefix_hit, trace.prefix_hit_ceiling
    if hit is not None and ceiling is not None:
        lines.append(
            Text(f"prefix caches held {percent(hit)} of the prompt tokens; one without end {percent(ceiling)}")
        )
    return Section("Traffic", tuple(lines))


def _scenario(scenario: SimulatedScenario, *, first: bool) -> Section:
    heading = "point prediction" if first else f"at risk {scenario.risk:g}"
    names = "".join(f"{statistic.value:>{_COLUMN_WIDTH}}" for statistic in _COLUMNS)
    lines = [Text(f"{heading:<{_NAME_WIDTH}}{names}   95 % interval of p99", "dim")]
    of = {(each.metric, each.statistic): each for each in scenario.statistics}
    for metric in Metric:
        columns = [of[metric.value, statistic.value] for statistic in _COLUMNS]
        law = "".join(f"{_seconds(each.predicted_s, 'none'):>{_COLUMN_WIDTH}}" for each in columns)
        simulated = "".join(f"{_seconds(each.simulated_s):>{_COLUMN_WIDTH}}" for each in columns)
        interval = f"   {_interval_text(columns[-1].interval_s)}{_error(columns[-1])}"
        lines += [
            Text(f"{f'{metric.value} law':<{_NAME_WIDTH}}{law}"),
            Text(f"{f'{metric.value} simulated':<{_NAME_WIDTH}}{simulated}{interval}"),
        ]
    if scenario.unfinished_share or scenario.preemptions:
        lines.append(
            Text(f"{percent(scenario.unfinished_share)} not finished in time, {scenario.preemptions:,} preemptions")
        )
    return Section("Latency" if first else "", tuple(lines))


def _limits(limits: tuple[SimulatedLimit, ...], risk: float) -> Section:
    if not limits:
        return Section("Limits", (Text("none"),))
    lines = [
        Text(
            f"{f'at risk {risk:g}':<{_LIMIT_WIDTH}}{'limit':>{_VALUE_WIDTH}}{'law':>{_VALUE_WIDTH}}"
            f"{'simulated':>{_VALUE_WIDTH}}   95 % interval",
            "dim",
        )
    ]
    for limit in limits:
        values = (duration(limit.limit_s), _seconds(limit.predicted_s, "none"), _seconds(limit.simulated_s))
        line = Text(f"{limit.requirement:<{_LIMIT_WIDTH}}" + "".join(f"{value:>{_VALUE_WIDTH}}" for value in values))
        line.append(f"   {_interval_text(limit.interval_s):<{_INTERVAL_WIDTH}}")
        line.append(limit.verdict.value, _STYLES[limit.verdict])
        lines.append(line)
    return Section("Limits", tuple(lines))


def _seconds(value_s: float | None, missing: str = "unfinished") -> str:
    return missing if value_s is None else duration(value_s)


def _interval_text(interval_s: tuple[float | None, float | None]) -> str:
    low, high = interval_s
    return f"{_seconds(low)} to {_seconds(high)}"


def _error(compared: SimulatedStatistic) -> str:
    """How far the law is from the simulation, where that has a value above zero."""
    if not compared.simulated_s or compared.predicted_s is None:
        return ""
    return f", law {signed_percent(compared.predicted_s / compared.simulated_s - 1.0)}"
