"""An offline job put to placements: how fast a replica works through it, how many units end it in time, at what cost.

Everything is closed-form once a replica's steady rate λ and drain are known (`arithmetic.batch_job`). The cost of u
units is affine in u and rising: the fewest units that end within the window are the cheapest of their row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.offers import Tier
from optimizer.arithmetic.batch_job import fewest_replicas, job_seconds, job_usd_micro, useful_share
from optimizer.evaluate import FullBatch, Physics, Question, full_batch, key_rate_bound, tabulate
from optimizer.search.bounds import MOST_UNITS, OUTWARD, unit_prices
from optimizer.topology.layouts import MAX_NUM_SEQS, TOKEN_BUDGETS, CandidateSpace

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Job:
    """What must be done, and what it may cost.

    window_s: when the last token must be out. interruptions_per_s: of one spot instance, and restart_s until its
    replicas work again. Caps are None where there is none; most_usd_micro is of the whole job. smallest_fleet: fewest
    accelerators, and of those the cheapest, in place of the cheapest.
    """

    requests: int
    window_s: float
    interruptions_per_s: float
    restart_s: float
    most_accelerators: int | None
    most_usd_micro_per_hour: int | None
    most_usd_micro: int | None
    smallest_fleet: bool


@dataclass(frozen=True)
class JobRun:
    """How replicas work through a job: requests per second while requests wait, and the seconds after the last waits.

    Both have the shape of the rows that were asked for; the rate is 0 where a replica makes no progress.
    """

    rate_per_s: Floats
    drain_s: Floats

    def seconds(self, job: Job, replicas: Integers) -> Floats:
        """Duration of the job on so many replicas; infinite where they never end."""
        return job_seconds(job.requests, replicas, self.rate_per_s, self.drain_s)


def interruptions_of(space: CandidateSpace, job: Job, placements: Integers) -> Floats:
    """Interruptions per second of one replica, (R,): those of every spot instance that it spans."""
    spot = np.array([space.offers[offers[0]].tier is Tier.SPOT for offers in space.offers_of_machine])
    return job.interruptions_per_s * spot[space.placement_machine[placements]] * space.instances_per_unit[placements]


def job_run(
    space: CandidateSpace,
    physics: Physics,
    question: Question,
    job: Job,
    placements: Integers,
    token_budget: Floats,
    max_num_seqs: Floats,
) -> JobRun:
    """Rows (R, M): placements (R,) with a token budget each (R,), at each number of slots (M,)."""
    candidates = tabulate(
        physics, space.placement_key[placements], token_budget, np.full(len(placements), MAX_NUM_SEQS[-1])
    )
    batch = full_batch(candidates, question, max_num_seqs)
    return interrupted_run(batch, interruptions_of(space, job, placements)[:, None], job.restart_s)


def interrupted_run(batch: FullBatch, interruptions_per_s: Floats, restart_s: float) -> JobRun:
    """The run of replicas that are interrupted, (R, M), at rates (R, 1).

    An interruption loses the work in flight, and the last request of the job may have to be done once more: where
    there are interruptions the drain is twice the longest request and a restart.
    """
    useful = useful_share(interruptions_per_s, restart_s, batch.redone_s)
    again = np.where(interruptions_per_s > 0.0, restart_s + batch.longest_s, 0.0)
    return JobRun(np.where(batch.fits, batch.rate_per_s * useful, 0.0), batch.longest_s + again)


def run_bound(space: CandidateSpace, physics: Physics, question: Question, job: Job) -> JobRun:
    """A run of each placement that none of its rows can better, (P,).

    The rate is bounded by the fluid floor and loses the restarts alone; the longest request decodes beside nobody.
    """
    keys = np.arange(len(space.keys))
    rate = key_rate_bound(physics, keys, np.full(len(keys), MAX_NUM_SEQS[-1]), question)
    step_s = physics.tables.decode_s[:, 0] * physics.slowdown(keys, question.deviations)
    interrupted = interruptions_of(space, job, np.arange(len(space.placement_key)))
    useful = useful_share(interrupted, job.restart_s, np.zeros(len(interrupted)))
    longest = (physics.bins.output_tokens.max() * step_s)[space.placement_key]
    again = np.where(interrupted > 0.0, job.restart_s + longest, 0.0)
    return JobRun(rate[space.placement_key] * useful * (1.0 + OUTWARD), (longest + again) * (1.0 - OUTWARD))


def fewest_units(job: Job, run: JobRun, replicas_per_unit: Integers) -> Integers:
    """Fewest units that end the job within its window, in the shape of the run; MOST_UNITS + 1 where none do."""
    replicas = fewest_replicas(job.requests, job.window_s, run.rate_per_s, run.drain_s)
    units = np.clip(np.ceil(replicas / replicas_per_unit), 1, MOST_UNITS + 1).astype(np.int64)
    # the division may have missed a whole number by a bit: the duration itself decides
    fewer = np.maximum(units - 1, 1)
    units = np.where(run.seconds(job, fewer * replicas_per_unit) <= job.window_s, fewer, units)
    in_time = run.seconds(job, units * replicas_per_unit) <= job.window_s
    units = np.where(in_time, units, units + 1)
    in_time = run.seconds(job, units * replicas_per_unit) <= job.window_s
    return np.where(in_time, np.minimum(units, MOST_UNITS + 1), MOST_UNITS + 1)


def most_job_units(space: CandidateSpace, job: Job) -> Integers:
    """Most units of each placement within what there is of it and the caps on what runs at once, (P,)."""
    units: Integers = np.minimum(space.most_instances // space.instances_per_unit, MOST_UNITS)
    if job.most_accelerators is not None:
        units = np.minimum(units, job.most_accelerators // space.accelerators_per_unit)
    if job.most_usd_micro_per_hour is not None:
        units = np.minimum(units, job.most_usd_micro_per_hour // unit_prices(space))
    return units


def cost_bound(space: CandidateSpace, job: Job, bound: JobRun, units: Integers) -> Integers:
    """Micro-dollars that no row of a placement can undercut with at least so many units, (P,)."""
    seconds = bound.seconds(job, units * space.replicas_per_unit) * (1.0 - OUTWARD)
    return np.maximum(job_usd_micro(unit_prices(space) * units, seconds) - 1, 0)


def token_budget_rows(placements: Integers) -> tuple[Integers, Floats]:
    """Each placement once per token budget: placements and budgets, (R · B,)."""
    return np.repeat(placements, len(TOKEN_BUDGETS)), np.tile(TOKEN_BUDGETS, len(placements))
