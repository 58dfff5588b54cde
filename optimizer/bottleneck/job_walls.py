"""The wall of an offline job: the resource that ends it soonest, and why no number of replicas ends it in time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from catalog.walls import WallFamily
from optimizer.bottleneck.binding import IDLE_MULTIPLE, Binding, resources_that_bind
from optimizer.bottleneck.hypothetical import BOUNDLESS, FAMILY, RESOURCES, one_at_a_time, with_resources
from optimizer.bottleneck.infeasible import FACTORS, Impossible, too_small
from optimizer.evaluate import Candidates, Physics, Question, full_batch, tabulate
from optimizer.search.columns import Column
from optimizer.search.jobs import Job, interrupted_run, interruptions_of
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
    """The wall that no number of replicas passes: memory, or a window that the longest request alone overruns.

    None where some candidate has room and time for the longest request.
    """
    keys = np.arange(len(space.keys))
    alone = _alone(physics, keys)
    batch = full_batch(alone, question, _ONE_AT_A_TIME)
    fits = batch.fits[:, 0]
    if not fits.any():
        return too_small(space, physics, question)
    seconds = np.where(fits, batch.longest_s[:, 0], np.inf)
    key = int(seconds.argmin())
    if seconds[key] <= job.window_s:
        return None
    return Impossible(
        wall=_wall_of_window(physics, key, question, job),
        requirement=WINDOW,
        limit=job.window_s,
        least=float(seconds[key]),
        accelerator=space.keys[key].accelerator.id,
        accelerators_per_replica=space.layouts[key].accelerators,
        share=None,
    )


def _alone(physics: Physics, keys: NDArray[np.int64]) -> Candidates:
    return tabulate(physics, keys, np.full(len(keys), TOKEN_BUDGETS[-1]), np.full(len(keys), MAX_NUM_SEQS[-1]))


def _wall_of_window(physics: Physics, key: int, question: Question, job: Job) -> WallFamily:
    """The resource whose least factor lets the longest request end in time; the latency floor if none can."""

    def longest_s(factors: Floats) -> Floats:
        copies = with_resources(physics, key, factors, TOKEN_BUDGETS[-1], MAX_NUM_SEQS[-1])
        return full_batch(copies, question, _ONE_AT_A_TIME).longest_s[:, 0]

    if longest_s(np.full((1, len(RESOURCES)), BOUNDLESS))[0] > job.window_s:
        return WallFamily.LATENCY_FLOOR
    seconds = np.full(len(RESOURCES), np.inf)
    for factor in FACTORS:
        seconds = longest_s(one_at_a_time(factor)[1:])
        if seconds.min() <= job.window_s:
            break
    return FAMILY[RESOURCES[int(seconds.argmin())]]
