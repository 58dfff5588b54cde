"""The inverse roofline: the least numbers of a part at which a design still meets every requirement.

A hypothetical part is a point: multiples of the four numbers of a real one, in the order of `RESOURCES`; formats,
efficiencies and fixed times are those of the real part. Every law is monotone in every number, so the points that
hold are an upper set: its edge is found by sections on the logarithm, and what is returned was evaluated and holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.arithmetic.step_times import Resource
from optimizer.bottleneck.hypothetical import BOUNDLESS, RESOURCES, with_resources
from optimizer.evaluate import Physics, Question, meets
from optimizer.search.bounds import Demand
from optimizer.search.columns import Column
from optimizer.topology.layouts import MAX_NUM_SEQS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Less than this share of a number holds no design.
LEAST_SHARE = 1.0 / BOUNDLESS
# A least multiple is above the largest that fails by less than this factor, so 0.99 of it fails too.
PRECISION = 1.0049
# Multiples that are tried first: most answers lie above them, and between two of them three rounds of cuts are enough.
FIRST_TRIED = np.log([0.09, 0.165, 0.3, 0.55])
CUTS = np.arange(1, 5) / 5.0
# A number is as low as it gets if this share of it fails.
A_LITTLE_LESS = 0.99


@dataclass(frozen=True)
class Tasks:
    """What T replicas, each of its own physics key, must carry.

    keys (T,); rate_per_s (T,): arrivals at each. token_budget: max_num_batched_tokens of all; engine slots are no
    hardware, so there are as many as the search offers.
    """

    physics: Physics
    question: Question
    token_budget: float
    keys: Integers
    rate_per_s: Floats

    def take(self, rows: Integers) -> Tasks:
        """The given tasks."""
        return Tasks(self.physics, self.question, self.token_budget, self.keys[rows], self.rate_per_s[rows])

    def hold(self, points: Floats) -> Bools:
        """Whether every requirement holds on the part at each task's point, (T, 4) -> (T,)."""
        copies = with_resources(self.physics, self.keys, points, self.token_budget, MAX_NUM_SEQS[-1])
        return meets(copies, self.rate_per_s, self.question)


def task_of(physics: Physics, question: Question, demand: Demand, column: Column) -> Tasks:
    """The one task of a design: what each of its working replicas carries."""
    working = column.replicas - demand.spare_replicas
    return Tasks(
        physics, question, column.token_budget, np.array([column.key]), np.array([demand.rate_per_s / working])
    )


def used_numbers(tasks: Tasks) -> Bools:
    """Which of the four numbers each task uses, (T, 4): an accelerator that is a whole replica needs no link."""
    used = np.ones((len(tasks.keys), len(RESOURCES)), dtype=bool)
    used[:, RESOURCES.index(Resource.NETWORK)] = tasks.physics.step_times.accelerators[tasks.keys] > 1
    return used


def least_alone(task: Tasks) -> Floats:
    """Least multiple of each number of the part of one task, the other three unchanged, (4,); NaN if not used."""
    (used,) = used_numbers(task)
    alone = np.full(len(RESOURCES), np.nan)
    numbers = np.flatnonzero(used)
    one_each = np.eye(len(RESOURCES), dtype=bool)[numbers]
    alone[numbers] = least_multiples(
        task.take(np.zeros(len(numbers), dtype=np.int64)), np.ones(one_each.shape), one_each
    )
    return alone


def least_multiples(tasks: Tasks, points: Floats, shrunk: Bools) -> Floats:
    """Least common multiple, at most 1, of the `shrunk` numbers (T, 4) of points (T, 4) that hold, (T,)."""
    lower, upper = np.full(len(points), np.log(LEAST_SHARE)), np.zeros(len(points))
    rows = np.arange(len(points))
    tried = np.tile(FIRST_TRIED, (len(points), 1))
    while len(rows):
        whole = points[rows, None, :]
        smaller = np.where(shrunk[rows, None, :], whole * np.exp(tried)[:, :, None], whole)
        repeated = tasks.take(np.repeat(rows, tried.shape[1]))
        met = repeated.hold(smaller.reshape(-1, points.shape[1])).reshape(tried.shape)
        failed = np.where(met.any(axis=1), met.argmax(axis=1), tried.shape[1])
        ends = np.concatenate([lower[rows, None], tried, upper[rows, None]], axis=1)
        each = np.arange(len(rows))
        lower[rows], upper[rows] = ends[each, failed], ends[each, failed + 1]
        rows = np.flatnonzero(upper - lower > np.log(PRECISION))
        tried = lower[rows, None] + (upper - lower)[rows, None] * CUTS
    return np.exp(upper)


@dataclass(frozen=True)
class JointMinimum:
    """A point (4,) that holds, of which no number can be lower; unused numbers stay at 1.

    least: the resource that is as low as it can be alone; None for the balanced point.
    """

    least: Resource | None
    point: Floats


def joint_minima(task: Tasks) -> tuple[JointMinimum, ...]:
    """Points of the Pareto surface of one task.

    The first is balanced: all numbers shrink together, and as each reaches its end the others go on. Of each further
    one, one number is as low as it can be alone, in the order of `RESOURCES`, and the others are balanced. A point
    that is within the precision of an earlier one is left out.
    """
    (used,) = used_numbers(task)
    first = np.flatnonzero(used)
    points = np.ones((1 + len(first), len(RESOURCES)))
    points[1 + np.arange(len(first)), first] = least_alone(task)[first]
    many = task.take(np.zeros(len(points), dtype=np.int64))
    leasts = (None, *(RESOURCES[number] for number in first))
    minima: list[JointMinimum] = []
    for least, point in zip(leasts, minimal_points(many, points), strict=True):
        if not any(np.allclose(point, other.point, rtol=1.0 - A_LITTLE_LESS) for other in minima):
            minima.append(JointMinimum(least, point))
    return tuple(minima)


def minimal_points(tasks: Tasks, points: Floats) -> Floats:
    """Points at or below points that hold, of which no number can be lower, (T, 4).

    The numbers of a point shrink together until that fails; those that cannot go on alone stay, the others go on
    together. What is left, within the precision, each gives up by itself in the order of `RESOURCES`, and once more
    while any can: a little less of one may leave another more room, for what a prompt adds to a step is a difference.
    """
    points = points.copy()
    used = used_numbers(tasks)
    free = used & ~_at_their_end(tasks, points, used)
    while free.any():
        rows = np.flatnonzero(free.any(axis=1))
        multiple = least_multiples(tasks.take(rows), points[rows], free[rows])
        points[rows] = np.where(free[rows], points[rows] * multiple[:, None], points[rows])
        stuck = free & _at_their_end(tasks, points, free)
        # where each could give up a little but all together cannot, the order decides
        free &= ~stuck & stuck.any(axis=1, keepdims=True)
    left = used
    while left.any():
        for number in range(len(RESOURCES)):
            rows = np.flatnonzero(left[:, number])
            alone = np.zeros((len(rows), len(RESOURCES)), dtype=bool)
            alone[:, number] = True
            if len(rows):
                points[rows, number] *= least_multiples(tasks.take(rows), points[rows], alone)
        asked = used & (points > LEAST_SHARE)
        left = asked & ~_at_their_end(tasks, points, asked)
    return points


def _at_their_end(tasks: Tasks, points: Floats, asked: Bools) -> Bools:
    """Which of the numbers that are asked about cannot be a little less, (T, 4)."""
    rows, numbers = np.nonzero(asked)
    less = points[rows]
    less[np.arange(len(rows)), numbers] *= A_LITTLE_LESS
    at_end = np.zeros(asked.shape, dtype=bool)
    at_end[rows, numbers] = ~tasks.take(rows).hold(less)
    return at_end
