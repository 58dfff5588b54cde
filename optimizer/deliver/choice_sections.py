"""What a user may choose instead: tables that stand below the page where they are asked for."""

from __future__ import annotations

from rich.text import Text

from catalog.walls import WallFamily
from optimizer.deliver.design_sections import layout_text
from optimizer.deliver.figures import dollars, duration
from optimizer.deliver.page import Section, packed
from optimizer.deliver.wall_sections import wall_name
from optimizer.outcome import Alternative, Choice, FrontierOut, FrontierStep, NearOptimum, Outcome
from requirements_specs.serving import ServingSpec

_COST_WIDTH = 9
_DESIGN_WIDTH = 29
_FORMATS_WIDTH = 14
_TIME_WIDTH = 9
_MOST_NEAR_LINES = 8
_HEAD_STYLE = "dim"
_ASKED_STYLE = "bold yellow"


def choices(outcome: Outcome, spec: ServingSpec) -> tuple[Section, ...]:
    """Every table that the answer holds."""
    sections = []
    if any(each.binding_wall for each in outcome.alternatives):
        sections.append(_alternatives(outcome.alternatives))
    if outcome.near_optimum is not None:
        sections.append(_near(outcome.near_optimum))
    if outcome.frontier is not None:
        sections.append(_frontier(outcome.frontier, outcome, spec))
    return tuple(sections)


def _alternatives(others: tuple[Alternative, ...]) -> Section:
    """The next distinct designs, the best first."""
    head = (
        f"{'cost/h':>{_COST_WIDTH}}  {'design':<{_DESIGN_WIDTH}}{'w/a/KV':<{_FORMATS_WIDTH}}"
        f"{'ttft p99':>{_TIME_WIDTH}}{'tpot p99':>{_TIME_WIDTH}}  binds"
    )
    return Section("Instead", (Text(head, _HEAD_STYLE), *(Text(_alternative(each)) for each in others)))


def _alternative(other: Alternative) -> str:
    ttft, tpot = ("" if seconds is None else duration(seconds) for seconds in (other.ttft_p99_s, other.tpot_p99_s))
    wall = "" if other.binding_wall is None else wall_name(WallFamily(other.binding_wall))
    return f"{_design(other)}{ttft:>{_TIME_WIDTH}}{tpot:>{_TIME_WIDTH}}  {wall}"


def _near(near: NearOptimum) -> Section:
    """How free the choice is."""
    if near.count == 1:
        return packed("Near best", [f"no other design within {100 * near.share:g} % of the optimum"], 1)
    designs = [f"{_short(each)} {_formats(each)} {dollars(each.usd_per_hour)}/h" for each in near.designs]
    head = f"{near.count} designs within {100 * near.share:g} % of the optimum"
    return packed("Near best", [head, *designs], _MOST_NEAR_LINES)


def _frontier(frontier: FrontierOut, outcome: Outcome, spec: ServingSpec) -> Section:
    """A step a line; the step that the specification asks for is marked."""
    _, metric, statistic = frontier.requirement.split(".")
    head = f"least cost for {metric} {statistic} within each limit, at risk {spec.risk:g}"
    if not frontier.steps:
        return Section("Frontier", (Text(f"{head}: nothing meets the other requirements"),))
    marked = _asked_step(frontier, outcome, spec)
    lines = [Text(head, _HEAD_STYLE)]
    for step in frontier.steps:
        line = f"{duration(step.limit_s):>{_TIME_WIDTH}}{_design(step)}"
        lines.append(Text(f"{line}◄ asked", _ASKED_STYLE) if step is marked else Text(line.rstrip()))
    if not frontier.complete:
        lines.append(
            Text(f"{'':>{_TIME_WIDTH}}… tighter limits cost more still; {frontier.most_steps} steps are shown")
        )
    return Section("Frontier", tuple(lines))


def _asked_step(frontier: FrontierOut, outcome: Outcome, spec: ServingSpec) -> FrontierStep | None:
    """The loosest step within the limit of the specification, if the answer stands on it."""
    limit_s = next((each.limit_s for each in spec.slo if each.id == frontier.requirement), float("inf"))
    within = [step for step in frontier.steps if step.limit_s <= limit_s]
    same = within and outcome.cost is not None and within[-1].usd_per_hour == outcome.cost.usd_per_hour
    return within[-1] if same else None


def _design(choice: Choice) -> str:
    """Cost, replicas and formats in columns."""
    cost = f"{dollars(choice.usd_per_hour):>{_COST_WIDTH}}"
    return f"{cost}  {_short(choice):<{_DESIGN_WIDTH}}{_formats(choice):<{_FORMATS_WIDTH}}"


def _short(choice: Choice) -> str:
    """`3 × TP8 b200-sxm-180gb`."""
    return f"{choice.replicas:,} × {layout_text(choice.layout)} {choice.accelerator}"


def _formats(choice: Choice) -> str:
    """Weights, activations and KV: `fp8/fp8/bf16`."""
    formats = choice.formats
    return f"{formats.weights}/{formats.activations}/{formats.kv}"
