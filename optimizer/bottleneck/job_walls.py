"""The wall of an offline job: the resource that ends it soonest, and why no number of replicas ends it in time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from catalog.walls import WallFamily
from optimizer.bottleneck.binding import IDLE_MULTIPLE, Binding, resources_that_bind
from optimizer.bottleneck.hypothetical import BOUNDLESS, FAMILY, RESOURCES, one_at_a_time, with_resources
from optimizer.bottleneck.infeasible import FACTORS, Impossible, too_small
from optimizer.evaluate import Physics, Question, full_batch, tabulate
from optimizer.search.bounds import MOST_UNITS
from optimizer.search.columns import Column
from optimizer.search.jobs import Job, interrupted_run, interruptions_of, job_run, token_budget_rows
from optimizer.topology.layouts import MAX_NUM_SEQS, TOKEN_BUDGETS, CandidateSpace

Floats = NDArray[np.float64]

MORE = 1.1
WINDOW = "workload.offline.window"
_ONE_AT_A_TIME = np.ones(1)


def job_binding(space: CandidateSpace, physics: Physics, question: Question, job: Job, column: Column) -> Binding:
    """The wall that binds a design, by re-evaluation with a tenth more of each resource and the best slots for it.

    A tenth more of what binds ends the job soonest, and by the second it costs as much less. Dollars are the headline
    where the smallest fleet is the smallest that can be rented and would have ended well before the window does.
    """
    copies = with_resources(physics, column.key, one_at_a_time(MORE), column.token_budget, MAX_NUM_SEQS[-1])
    interrupted = interruptions_of(space, job, np.array([column.placement]))[:, None]
    run = interrupted_run(full_batch(copies, question, MAX_NUM_SEQS), interrupted, job.restart_s)
    seconds = run.seconds(job, np.array([[column.replicas]])).min(axis=1)
    gains = {
        FAMILY[resource]: float(seconds[0] / less - 1.0) for resource, less in zip(RESOURCES, seconds[1:], strict=True)
    }
    rate = job.requests / (column.replicas * float(seconds[0]))
    resources = resources_that_bind(gains) or (WallFamily.LATENCY_FLOOR,)
    if job.smallest_fleet and column.units == 1 and job.window_s >= IDLE_MULTIPLE * float(seconds[0]):
        return Binding(WallFamily.DOLLARS, resources, rate, gains)
    return Binding(resources[0], resources[1:], rate, gains)


def impossible_job(space: CandidateSpace, physics: Physics, question: Question, job: Job) -> Impossible | None:
    """The wall that no number of replicas passes: memory, or a window that is over before any of them is done.

    None where some row ends in time on as many replicas as there could be; also where interruptions let none of them
    end at all, of which no least time can be told.
    """
    alone = tabulate(
        physics,
        np.arange(len(space.keys)),
        np.full(len(space.keys), TOKEN_BUDGETS[-1]),
        np.full(len(space.keys), MAX_NUM_SEQS[-1]),
    )
    if not full_batch(alone, question, _ONE_AT_A_TIME).fits.any():
        return too_small(space, physics, question)
    placements, budgets = token_budget_rows(_that_differ(space, job))
    run = job_run(space, physics, question, job, placements, budgets, MAX_NUM_SEQS)
    seconds = run.seconds(job, MOST_UNITS * space.replicas_per_unit[placements][:, None])
    row, slots = np.unravel_index(int(seconds.argmin()), seconds.shape)
    least_s = float(seconds[row, slots])
    if least_s <= job.window_s or not np.isfinite(least_s):
        return None
    key = int(space.placement_key[placements[row]])
    return Impossible(
        wall=_wall_of_window(physics, key, question, job, budgets[row], MAX_NUM_SEQS[[slots]]),
        requirement=WINDOW,
        limit=job.window_s,
        least=least_s,
        accelerator=space.keys[key].accelerator.id,
        accelerators_per_replica=space.layouts[key].accelerators,
        share=None,
    )


def _that_differ(space: CandidateSpace, job: Job) -> NDArray[np.int64]:
    """One placement for each key and rate of interruptions: the others run a job as it does."""
    placements = np.arange(len(space.placement_key))
    interrupted = interruptions_of(space, job, placements)
    first = dict(zip(zip(space.placement_key.tolist(), interrupted.tolist(), strict=True), placements, strict=True))
    return np.array(list(first.values()), dtype=np.int64)


def _wall_of_window(
    physics: Physics, key: int, question: Question, job: Job, token_budget: float, slots: Floats
) -> WallFamily:
    """The resource whose least factor ends the job in time, uninterrupted; the latency floor if none can."""

    def seconds_with(factors: Floats) -> Floats:
        copies = with_resources(physics, key, factors, token_budget, MAX_NUM_SEQS[-1])
        run = interrupted_run(full_batch(copies, question, slots), np.zeros((len(factors), 1)), job.restart_s)
        return run.seconds(job, np.full((len(factors), 1), MOST_UNITS))[:, 0]

    if seconds_with(np.full((1, len(RESOURCES)), BOUNDLESS))[0] > job.window_s:
        return WallFamily.LATENCY_FLOOR
    seconds = np.full(len(RESOURCES), np.inf)
    for factor in FACTORS:
        seconds = seconds_with(one_at_a_time(factor)[1:])
        if seconds.min() <= job.window_s:
            break
    return FAMILY[RESOURCES[int(seconds.argmin())]]
