"""The answer to an offline job: its duration and cost, how full the walls are, and what other terms would cost."""

from __future__ import annotations

from math import isfinite

import numpy as np

from catalog.read import Snapshot
from optimizer.answers import Answer
from optimizer.arithmetic.batch_job import job_usd_micro
from optimizer.arithmetic.money import MICRO_DOLLARS, SECONDS_PER_HOUR, usd_per_hour
from optimizer.arithmetic.padding import padding_overhead
from optimizer.bottleneck.job_walls import WINDOW
from optimizer.bottleneck.walls import (
    ServingWall,
    memory_filled,
    step_shares_at,
)
from optimizer.evaluate import FullBatch, full_batch
from optimizer.outcome import (
    Allowance,
    Alternative,
    Objective,
    ObjectiveMetric,
    OfflineOut,
    Padding,
    Predicted,
    WallOut,
)
from optimizer.question import POINT_PREDICTION, question_at
from optimizer.report.choice_part import short
from optimizer.report.predicted_part import walls_out
from optimizer.search.columns import Column, JobCost, candidates_of
from optimizer.search.jobs import Job, JobRun, interrupted_run, interruptions_of
from requirements_specs.lengths import LengthDistribution
from requirements_specs.serving import ServingSpec

BUCKETS = (1, 4, 16)
# A duration is below its 5th percentile at the first, above its 95th at the second.
INTERVAL_RISKS = (0.95, 0.05)
# Lengths that a distribution is cut into for its padding.
PADDED_LENGTHS = 64


def objective(found: Answer, cost: JobCost) -> Objective:
    """What was minimised, with the solver's bound."""
    fleet = found.solution.value
    if fleet is not None:
        fewest = float(found.design.accelerators)
        bound = None if fleet.bound is None else float(fleet.bound)
        return Objective(metric=ObjectiveMetric.ACCELERATORS, value=fewest, bound=bound, analytic_bound=fewest)
    bound = None if found.solution.cost.bound is None else found.solution.cost.bound / MICRO_DOLLARS
    usd = cost.usd_micro / MICRO_DOLLARS
    return Objective(metric=ObjectiveMetric.USD, value=usd, bound=bound, analytic_bound=usd)


def _run_at(spec: ServingSpec, found: Answer, job: Job, risk: float) -> tuple[FullBatch, JobRun, float]:
    """The design at a risk: its batch, its run and the seconds that the job takes."""
    design, problem = found.design, found.problem
    candidates = candidates_of(problem.physics, design)
    batch = full_batch(candidates, question_at(spec, risk), np.array([float(design.max_num_seqs)]))
    interrupted = interruptions_of(problem.space, job, np.array([design.placement]))[:, None]
    run = interrupted_run(batch, interrupted, job.restart_s)
    return batch, run, float(run.seconds(job, np.array([[design.replicas]]))[0, 0])


def offline(spec: ServingSpec, found: Answer, job: Job, cost: JobCost) -> OfflineOut:
    """The job at the risk's scenario and as expected."""
    design, problem = found.design, found.problem
    _, run, _ = _run_at(spec, found, job, spec.risk)
    batch, _, seconds = _run_at(spec, found, job, POINT_PREDICTION)
    hourly = np.array([design.usd_micro_per_hour])
    prompt, output = spec.workload.prompt_tokens, spec.workload.output_tokens
    per_replica = float(interruptions_of(problem.space, job, np.array([design.placement]))[0])
    per_instance = per_replica / int(problem.space.instances_per_unit[design.placement])
    lengths, share = prompt.bins(PADDED_LENGTHS)
    return OfflineOut(
        requests=job.requests,
        window_s=job.window_s,
        duration_s=cost.seconds,
        drain_s=float(run.drain_s[0, 0]),
        expected_duration_s=seconds,
        duration_interval_s=_interval(spec, found, job),
        expected_requests_per_s=job.requests / seconds,
        expected_tokens_per_s=job.requests * (prompt.mean + output.mean) / seconds,
        sequences_per_replica=float(batch.sequences[0, 0]) * problem.space.layouts[design.key].pp,
        interruptions=per_instance * design.instances * seconds,
        usd_per_job=cost.usd_micro / MICRO_DOLLARS,
        expected_usd_per_job=int(job_usd_micro(hourly, np.array([seconds]))[0]) / MICRO_DOLLARS,
        padding=tuple(Padding(buckets=count, overhead=padding_overhead(lengths, share, count)) for count in BUCKETS),
        longest_output_overhead=_longest_over_mean(output),
    )


def _interval(spec: ServingSpec, found: Answer, job: Job) -> tuple[float, float | None]:
    """Central 90 % interval of the duration."""
    low, high = (_run_at(spec, found, job, risk)[2] for risk in INTERVAL_RISKS)
    return low, high if isfinite(high) else None


def _longest_over_mean(lengths: LengthDistribution) -> float:
    """Steps that a static batch decodes beyond its mean output when it waits for the longest, as a share."""
    tokens, share = lengths.bins(PADDED_LENGTHS)
    return padding_overhead(tokens, share, 1)


def predicted(spec: ServingSpec, found: Answer, job: Job) -> Predicted:
    """Throughput of the job as expected, and its duration at the risk."""
    batch, run, seconds = _run_at(spec, found, job, POINT_PREDICTION)
    _, _, seconds_at_risk = _run_at(spec, found, job, spec.risk)
    used, _ = memory_filled(found.problem.physics, found.design.key, _kv_filled(batch))
    busy = job.requests / found.design.replicas / float(run.rate_per_s[0, 0])
    return Predicted(
        ttft_s=None,
        tpot_s=None,
        e2e_s=None,
        at_risk_s={WINDOW: seconds_at_risk},
        output_tokens_per_s=job.requests * spec.workload.output_tokens.mean / seconds,
        utilization=busy / seconds,
        memory_bytes_per_accelerator=used,
        highest_rate_per_s=job.requests / seconds_at_risk,
    )


def _kv_filled(batch: FullBatch) -> float:
    return float(batch.kv_tokens_needed[0, 0] / batch.kv_tokens[0, 0])


def wall_utilizations(found: Answer, job: Job, cost: JobCost, snapshot: Snapshot) -> tuple[WallOut, ...]:
    """Every wall that a job is held against, in number order."""
    design, problem = found.design, found.problem
    candidates = candidates_of(problem.physics, design)
    batch = full_batch(candidates, problem.question, np.array([float(design.max_num_seqs)]))
    shares = step_shares_at(problem.physics, design, float(batch.sequences[0, 0]))
    used, has = memory_filled(problem.physics, design.key, _kv_filled(batch))
    filled = {
        ServingWall.COMPUTE: shares.compute,
        ServingWall.MEMORY_CAPACITY: used / has,
        ServingWall.MEMORY_BANDWIDTH: shares.memory_bandwidth,
        ServingWall.BATCHING: _kv_filled(batch),
        ServingWall.COMMUNICATION: shares.network,
        ServingWall.ECONOMIC_COST: _of_budget(job, design, cost),
        ServingWall.LATENCY_FLOOR: shares.fixed,
    }
    return walls_out(filled, found.binding, snapshot)


def _of_budget(job: Job, design: Column, cost: JobCost) -> float | None:
    """The larger share of a budget, by the hour or of the job; None without one."""
    shares = [
        spent / most
        for spent, most in (
            (design.usd_micro_per_hour, job.most_usd_micro_per_hour),
            (cost.usd_micro, job.most_usd_micro),
        )
        if most is not None
    ]
    return max(shares, default=None)


def alternative(found: Answer, column: Column) -> Alternative:
    """A design that loses, and why."""
    space, design = found.problem.space, found.design
    offer = space.offers[column.offer]
    usd = column.cost_usd_micro / MICRO_DOLLARS
    extra = usd - design.cost_usd_micro / MICRO_DOLLARS
    seconds = 0.0 if column.job is None else column.job.seconds
    long = seconds >= SECONDS_PER_HOUR
    took = f"{seconds / SECONDS_PER_HOUR:.3g} h" if long else f"{seconds:.3g} s"
    return Alternative(
        **short(space, column),
        value=float(column.accelerators) if column.value else usd,
        usd_per_job=usd,
        ttft_p99_s=None,
        tpot_p99_s=None,
        binding_wall=None,
        why_not=(
            f"+${extra:,.2f}: {column.instances:,} × ${usd_per_hour(offer.usd_micro_per_hour):,.2f}/h for {took}"
            if extra
            else "same cost, later in the order of ties"
        ),
    )


def allowances(spec: ServingSpec, found: Answer) -> tuple[Allowance, ...]:
    """The job at the point prediction, and with more parts and prices allowed."""
    changes = (
        (f"risk: {POINT_PREDICTION} (point prediction) instead of {spec.risk:g}", found.point_column),
        ("inventory.estimated_parts and inventory.undated: true", found.allowed_column),
    )
    return tuple(
        Allowance(
            change=change,
            usd_per_hour=usd_per_hour(column.usd_micro_per_hour),
            usd_per_job=column.cost_usd_micro / MICRO_DOLLARS,
            accelerators=column.accelerators,
        )
        for change, column in changes
        if column is not None
    )
