"""Which wall stops the design from being cheaper: bars and words."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text

from catalog.walls import WallFamily
from optimizer.bottleneck.walls import HEADLINE_WALLS
from optimizer.deliver.figures import bar, percent, signed_percent
from optimizer.deliver.page import Section, packed
from optimizer.outcome import ObjectiveMetric, Outcome, WallOut


@dataclass(frozen=True)
class Headline:
    """How the wall of a family is shown: of what its utilisation is a share, and why there may be none."""

    share_of: str
    absent: str = ""


HEADLINES = {
    WallFamily.MEMORY_CAPACITY: Headline("of memory"),
    WallFamily.MEMORY_BANDWIDTH: Headline("of the step"),
    WallFamily.NETWORK: Headline("of the step"),
    WallFamily.COMPUTE: Headline("of the step"),
    WallFamily.DOLLARS: Headline("of the budget", "no budget"),
}
WHY = {
    WallFamily.MEMORY_CAPACITY: "no room for the KV cache of more requests beside the weights",
    WallFamily.MEMORY_BANDWIDTH: "each decode step reads the weights and every running KV cache",
    WallFamily.NETWORK: "the accelerators of a replica wait for each other's results",
    WallFamily.COMPUTE: "prompts pass at the speed of the matrix units, and requests wait behind them",
    WallFamily.DOLLARS: "the smallest design on sale at this price carries more than is asked",
    WallFamily.LATENCY_FLOOR: "launch, host and hop times fill most of the tightest limit; no hardware shortens them",
}
_NAME_WIDTH = 17
_SHARE_WIDTH = 13
_GAIN_WIDTH = 24
_BINDING_STYLE = "bold yellow"


def wall_name(family: WallFamily) -> str:
    """`memory bandwidth`."""
    return family.value.replace("-", " ")


def walls(outcome: Outcome) -> Section:
    """How full the five families are, and what a tenth more of each would gain."""
    by_id = {wall.id: wall for wall in outcome.walls}
    binding = {outcome.binding_wall, *outcome.also_binding}
    gained = "speed" if outcome.objective.metric is ObjectiveMetric.E2E_MEAN_S else "req/s"
    lines = [
        _bar_line(family, headline, by_id[HEADLINE_WALLS[family]], family.value in binding, gained)
        for family, headline in HEADLINES.items()
        if HEADLINE_WALLS[family] in by_id
    ]
    return Section("Walls", tuple(lines))


def _bar_line(family: WallFamily, headline: Headline, wall: WallOut, binds: bool, gained: str) -> Text:
    used = wall.utilization
    share, of = ("–", headline.absent) if used is None else (percent(used), headline.share_of)
    gain = "" if wall.gain_of_10_percent is None else f"10 % more: {signed_percent(wall.gain_of_10_percent)} {gained}"
    line = f"{wall_name(family):<{_NAME_WIDTH}}{bar(used or 0.0)} {share:>5} {of:<{_SHARE_WIDTH}} {gain:<{_GAIN_WIDTH}}"
    return Text(f"{line}◄ binds", _BINDING_STYLE) if binds else Text(line.rstrip())


def binds(outcome: Outcome) -> Section:
    """The headline wall in words, and the walls beside it."""
    if outcome.binding_wall is None:
        return Section("Binds", ())
    family = WallFamily(outcome.binding_wall)
    pieces = [f"{wall_name(family)}: {WHY[family]}"]
    if others := ", ".join(wall_name(WallFamily(name)) for name in outcome.also_binding):
        pieces.append(f"then {others}" if family is WallFamily.DOLLARS else f"together with {others}")
    return packed("Binds", pieces, 2)
