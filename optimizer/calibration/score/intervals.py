"""Whether intervals hold as often as they say, for models that they were not drawn from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from catalog.read import Snapshot
from optimizer.calibration.score.closed_loops import LEAST_COVERED, MOST_COVERED
from optimizer.calibration.score.sections import Line, Section, Table
from optimizer.calibration.spread import (
    CLOSED_LOOP,
    GROUPS_OF_THE_EVIDENCE,
    LEAST_RUNS,
    Cell,
    Covered,
    Error,
    by_cell,
    errors_of,
    left_out_cover,
    spreads,
)
from optimizer.confidence import step_factors

COLUMNS = ("slower up to ×", "faster up to ÷", "groups", "times", "inside", "within risk 0.1")


def section(measured: Path, snapshot: Snapshot) -> Section:
    """Every cell of runs with its interval, and the shares of runs that lie in what the other models give."""
    return intervals_section(errors_of(measured, snapshot), snapshot)


def intervals_section(errors: Sequence[Error], snapshot: Snapshot) -> Section:
    """The section of given errors."""
    cells = by_cell(errors)
    now, of_catalog = set(spreads(errors)), set(snapshot.efficiency.step_spread)
    stale = len({(each.evidence, each.engine, each.weights) for each in now ^ of_catalog})
    covered = {cell: left_out_cover(cell.evidence, own) for cell, own in cells.items()}
    loads = sorted({load for found in covered.values() for load in found})
    groups = {(each.evidence, each.engine, each.weights): each.groups for each in snapshot.efficiency.step_spread}
    return Section(
        "Intervals",
        "central 90 % interval of a step by how its part is known, engine era and weight format; every model is held "
        f"against what the others of its cell give, and a group (a model on a part under one kind of load) of "
        f"{LEAST_RUNS} times or more counts once, as half of what is assumed without any",
        (
            Table("by load", COLUMNS[3:], tuple(_load_line(load, covered.values()) for load in loads)),
            Table(
                "the catalog's table",
                ("cells", "not what these errors give"),
                (Line("step_spread.csv", (f"{len(of_catalog)}", f"{stale}"), "none", stale == 0),),
            ),
            Table(
                "by cell",
                COLUMNS,
                tuple(_cell_line(cell, found, groups.get(cell, 0), snapshot) for cell, found in covered.items()),
            ),
        ),
        causes=(
            f"What is assumed of a cell without runs counts as {GROUPS_OF_THE_EVIDENCE} groups: of 1, 2 and 4, that "
            "left nine of ten times of left-out groups inside, groups weighed alike.",
            "Cells are few groups wide. Where all of them were predicted too slow, as those of vLLM with fp8 weights, "
            "steps may be much faster and are not thought to be much slower.",
            "Groups that are off by more than twice what is assumed ran in some way that no law here knows; they count "
            "as that far off and lie outside.",
        ),
    )


def _load_line(load: str, covered: Iterable[dict[str, Covered]]) -> Line:
    both = Covered.of(each[load] for each in covered if load in each)
    share = both.inside / both.times
    judged = load == CLOSED_LOOP
    return Line(
        load,
        _shares(both),
        f"inside {LEAST_COVERED:.0%} to {MOST_COVERED:.0%}" if judged else "",
        not judged or LEAST_COVERED <= share <= MOST_COVERED,
    )


def _cell_line(cell: Cell, covered: dict[str, Covered], groups: int, snapshot: Snapshot) -> Line:
    both = Covered.of(covered.values())
    slower, faster = step_factors(*cell, snapshot)
    return Line(
        f"{cell.evidence}, {cell.engine}, {cell.weights}",
        (f"{slower:.2f}", f"{faster:.2f}", f"{groups}", *_shares(both)),
    )


def _shares(covered: Covered) -> tuple[str, str, str]:
    return (
        f"{covered.times}",
        f"{covered.inside / covered.times:.0%}",
        f"{covered.at_risk / covered.times:.0%}",
    )
