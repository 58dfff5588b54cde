"""The inverse roofline with the layout free: how much of the chosen part each number of accelerators asks for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from optimizer.bottleneck.hypothetical import BOUNDLESS, RESOURCES
from optimizer.bottleneck.inverse_roofline import LEAST_SHARE, PRECISION, Tasks, minimal_points, task_of
from optimizer.bottleneck.part_numbers import part_numbers
from optimizer.evaluate import Physics, Question
from optimizer.search.bounds import Demand
from optimizer.search.columns import Column
from optimizer.topology.layouts import CandidateSpace

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class CountMinimum:
    """The layout that asks least of the part for a number of accelerators, spares included.

    point (4,): its balanced point, multiples of the part's numbers.
    """

    accelerators: int
    replicas: int
    key: int
    point: Floats


def best_counts(
    space: CandidateSpace, physics: Physics, question: Question, demand: Demand, column: Column
) -> tuple[CountMinimum, ...]:
    """Per number of accelerators up to the design's, powers of two and the design's own, the layout that asks least.

    Layouts are all that the searched machines of the chosen part allow, with the design's formats, engine and token
    budget. Least is the smallest multiple of the whole part, all four numbers at once; the winner's balanced point
    follows. Numbers at which no multiple is enough are left out, and so is one that asks no less than a smaller one.
    """
    counts = [*(2**power for power in range(column.accelerators.bit_length()) if 2**power < column.accelerators)]
    counts.append(column.accelerators)
    options = [
        (group, count // space.layouts[key].accelerators, key)
        for group, count in enumerate(counts)
        for key in _keys_like(space, column.key)
        if count % space.layouts[key].accelerators == 0
        and count // space.layouts[key].accelerators > demand.spare_replicas
    ]
    groups, replicas, keys = np.array(options, dtype=np.int64).T
    rates = demand.rate_per_s / (replicas - demand.spare_replicas)
    tasks = replace(task_of(physics, question, demand, column), keys=keys, rate_per_s=rates)
    winners, multiples = _least_whole_part(tasks, groups)
    points = minimal_points(tasks.take(winners), np.repeat(multiples[:, None], len(RESOURCES), axis=1))
    needs = [
        np.nan_to_num(point * part_numbers(space.keys[key]))
        for key, point in zip(keys[winners].tolist(), points, strict=True)
    ]
    return tuple(
        CountMinimum(counts[groups[winner]], int(replicas[winner]), int(keys[winner]), points[row])
        for row, winner in enumerate(winners.tolist())
        if not any(np.all(needs[row] >= fewer) for fewer in needs[:row])
    )


def _keys_like(space: CandidateSpace, key: int) -> list[int]:
    """Physics keys of the same part, formats and engine, whatever their layout and wiring."""

    def identity(other: int) -> tuple[object, ...]:
        row = space.keys[other]
        return row.accelerator.id, row.engine.id, space.formats[other]

    return [other for other in range(len(space.keys)) if identity(other) == identity(key)]


def _least_whole_part(tasks: Tasks, groups: Integers) -> tuple[Integers, Floats]:
    """Of each group of tasks the first that holds at the least multiple of its whole part, and that multiple.

    One search for all: a task that fails where another of its group holds is out. Groups without any that holds at
    boundless parts are left out.
    """
    alive = np.flatnonzero(tasks.hold(np.full((len(groups), len(RESOURCES)), BOUNDLESS)))
    lower = np.full(groups.max() + 1, np.log(LEAST_SHARE))
    upper = np.full(groups.max() + 1, np.log(BOUNDLESS))
    while np.any(upper - lower > np.log(PRECISION)):
        middle = (lower + upper) / 2.0
        points = np.repeat(np.exp(middle[groups[alive]])[:, None], len(RESOURCES), axis=1)
        met = tasks.take(alive).hold(points)
        holds = np.isin(np.arange(len(upper)), groups[alive[met]])
        upper, lower = np.where(holds, middle, upper), np.where(holds, lower, middle)
        alive = alive[met | ~holds[groups[alive]]]
    found, first = np.unique(groups[alive], return_index=True)
    return alive[first], np.exp(upper[found])
