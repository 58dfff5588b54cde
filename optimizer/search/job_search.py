"""Bound and evaluate for an offline job: the rows that could be among the cheapest, or the smallest, designs.

Placements are taken in the order of an optimistic cost; every row of a block is exact at once. Once enough designs
are known, what cannot undercut the last of them is left. The search goes on through every placement whose bound
*equals* that cost, so that all ties are seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from optimizer.arithmetic.batch_job import job_usd_micro
from optimizer.evaluate import Physics, Question
from optimizer.search.bounds import MOST_UNITS, unit_prices
from optimizer.search.columns import Column, JobCost, tie_key
from optimizer.search.jobs import (
    Job,
    JobRun,
    cost_bound,
    fewest_units,
    job_run,
    most_job_units,
    run_bound,
    token_budget_rows,
)
from optimizer.search.refine import BLOCK, Refinement, design_signature
from optimizer.topology.layouts import MAX_NUM_SEQS, ROWS_PER_PLACEMENT, TOKEN_BUDGETS, CandidateSpace

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class JobRefinement(Refinement):
    """A refinement whose rows (P, B·S) are token budgets and slots, with what each costs and takes.

    usd_micro and seconds mean something where units > 0; the threshold is a cost of the whole job.
    """

    usd_micro: Integers
    seconds: Floats


class JobSearch:
    """A job put to a space; rows that were evaluated once serve searches under other caps too."""

    def __init__(self, space: CandidateSpace, physics: Physics, question: Question):
        self.space = space
        self.physics = physics
        self.question = question
        shape = (len(space.placement_key), ROWS_PER_PLACEMENT)
        self._rate_per_s = np.zeros(shape)
        self._drain_s = np.zeros(shape)
        self._known = np.zeros(shape[0], dtype=bool)

    def fewest_accelerators(self, job: Job) -> int | None:
        """The smallest fleet that ends the job within its caps; None if none does."""
        cap = most_job_units(self.space, job)
        least = fewest_units(job, self._bound(job), self.space.replicas_per_unit)
        bound = least * self.space.accelerators_per_unit
        best: int | None = None
        waiting = np.argsort(bound, kind="stable")
        waiting = waiting[least[waiting] <= cap[waiting]]
        while True:
            if best is not None:
                waiting = waiting[bound[waiting] < best]
            if not len(waiting):
                return best
            block, waiting = waiting[:BLOCK], waiting[BLOCK:]
            units, _, _ = self._rows(job, cap, block)
            fleets = (units * self.space.accelerators_per_unit[block][:, None])[units > 0]
            if len(fleets):
                best = int(fleets.min()) if best is None else min(best, int(fleets.min()))

    def cheapest(self, job: Job, distinct_designs: int) -> JobRefinement:
        """Every row within the cost of the cheapest `distinct_designs`; designs differ in part, layout or formats."""
        space, optimistic = self.space, self._bound(job)
        cap = most_job_units(space, job)
        least = fewest_units(job, optimistic, space.replicas_per_unit)
        bound_usd_micro = cost_bound(space, job, optimistic, least)
        feasible_bound: Bools = least <= cap
        if job.most_usd_micro is not None:
            feasible_bound &= bound_usd_micro <= job.most_usd_micro
        waiting = np.lexsort((space.placement_key, bound_usd_micro))
        waiting = waiting[feasible_bound[waiting]]

        units = np.full((len(cap), ROWS_PER_PLACEMENT), -1, dtype=np.int64)
        usd_micro = np.zeros_like(units)
        seconds = np.zeros(units.shape)
        best: dict[tuple[object, ...], int] = {}
        threshold: int | None = None
        while True:
            if threshold is not None:
                waiting = waiting[bound_usd_micro[waiting] <= threshold]
            if not len(waiting):
                break
            block, waiting = waiting[:BLOCK], waiting[BLOCK:]
            units[block], usd_micro[block], seconds[block] = self._rows(job, cap, block)
            for placement in block.tolist():
                found = usd_micro[placement][units[placement] > 0]
                if len(found):
                    signature = design_signature(space, placement)
                    best[signature] = min(int(found.min()), best.get(signature, int(found.min())))
            if len(best) >= distinct_designs:
                threshold = sorted(best.values())[distinct_designs - 1]
        reached: Bools = np.all(units >= 0, axis=1)
        return JobRefinement(units, reached, feasible_bound, unit_prices(space), threshold, usd_micro, seconds)

    def _bound(self, job: Job) -> JobRun:
        """A run of each placement that none of its rows can better, (P,)."""
        return run_bound(self.space, self.physics, self.question, job)

    def _rows(self, job: Job, cap: Integers, block: Integers) -> tuple[Integers, Integers, Floats]:
        """Fewest units (0 where none within the caps ends in time), cost and duration, (len(block), B·S) each."""
        run = self._runs(job, block)
        replicas_per_unit = self.space.replicas_per_unit[block][:, None]
        units = fewest_units(job, run, replicas_per_unit)
        units = np.where(units <= np.minimum(cap[block], MOST_UNITS)[:, None], units, 0)
        seconds = run.seconds(job, np.maximum(units, 1) * replicas_per_unit)
        seconds = np.where(units > 0, seconds, 0.0)
        usd_micro = job_usd_micro(unit_prices(self.space)[block][:, None] * units, seconds)
        if job.most_usd_micro is not None:
            units = np.where(usd_micro <= job.most_usd_micro, units, 0)
        return units, usd_micro, seconds

    def _runs(self, job: Job, block: Integers) -> JobRun:
        """Runs of every row of the placements, (len(block), B·S); the job's interruptions never change."""
        new = block[~self._known[block]]
        if len(new):
            placements, budgets = token_budget_rows(new)
            run = job_run(self.space, self.physics, self.question, job, placements, budgets, MAX_NUM_SEQS)
            self._rate_per_s[new] = run.rate_per_s.reshape(len(new), -1)
            self._drain_s[new] = run.drain_s.reshape(len(new), -1)
            self._known[new] = True
        return JobRun(self._rate_per_s[block], self._drain_s[block])


def search_job(
    space: CandidateSpace, physics: Physics, question: Question, job: Job, distinct_designs: int
) -> tuple[Job, JobRefinement]:
    """The search for a job's objective, and the job as it was searched.

    The smallest fleet is the cheapest of those with the fewest accelerators: their number becomes a cap.
    """
    rows = JobSearch(space, physics, question)
    if job.smallest_fleet:
        fewest = rows.fewest_accelerators(job)
        job = job if fewest is None else replace(job, most_accelerators=fewest)
    return job, rows.cheapest(job, distinct_designs)


def job_columns(space: CandidateSpace, refinement: JobRefinement, job: Job) -> tuple[Column, ...]:
    """Columns within the search's threshold, in the order of ties; the value of a smallest fleet is its accelerators.

    Of the rows of a placement those at its least cost compete; the rest differ from them in engine limits and cost
    alone. At the least cost of all each row and each equally cheap offer becomes a column, so that ties are counted.
    """
    found = refinement.units > 0
    if not found.any():
        return ()
    cost = np.where(found, refinement.usd_micro, np.iinfo(np.int64).max)
    cheapest = cost.min(axis=1)
    least = int(cheapest.min())
    threshold = refinement.threshold_usd_micro
    columns = []
    for placement in np.flatnonzero(found.any(axis=1)).tolist():
        if threshold is not None and cheapest[placement] > threshold:
            continue
        rows = np.flatnonzero(cost[placement] == cheapest[placement])
        for row in rows.tolist() if cheapest[placement] == least else rows[:1].tolist():
            columns += _columns_of(space, refinement, job, placement, row, least)
    return tuple(sorted(columns, key=lambda column: tie_key(space, column)))


def _columns_of(
    space: CandidateSpace, refinement: JobRefinement, job: Job, placement: int, row: int, least: int
) -> list[Column]:
    """One column per offer of a row: all that cost the least of all, of the dearer ones only the cheapest."""
    units, seconds = int(refinement.units[placement, row]), float(refinement.seconds[placement, row])
    accelerators = units * int(space.accelerators_per_unit[placement])
    instances = units * int(space.instances_per_unit[placement])
    budget, slots = divmod(row, len(MAX_NUM_SEQS))
    columns = []
    offers = space.offers_of_machine[space.placement_machine[placement]]
    for offer in offers:
        hourly = space.offers[offer].usd_micro_per_hour * instances
        cost = int(job_usd_micro(np.array([hourly]), np.array([seconds]))[0])
        if offer != offers[0] and cost > least:
            break
        columns.append(
            Column(
                placement=placement,
                offer=offer,
                key=int(space.placement_key[placement]),
                token_budget=int(TOKEN_BUDGETS[budget]),
                max_num_seqs=int(MAX_NUM_SEQS[slots]),
                units=units,
                replicas=units * int(space.replicas_per_unit[placement]),
                instances=instances,
                accelerators=accelerators,
                usd_micro_per_hour=hourly,
                largest_ratio=0.0,
                value=accelerators if job.smallest_fleet else 0,
                job=JobCost(cost, seconds),
            )
        )
    return columns
