"""The replicas of a design in a scenario, as the simulator takes them."""

from __future__ import annotations

from optimizer.evaluate import scenario_tables
from optimizer.question import Problem
from optimizer.search.columns import Column, candidates_of
from optimizer.traffic.simulate import EngineLimits, Fleet, Router, pipeline_steps


def design_fleet(problem: Problem, design: Column, deviations: float, router: Router) -> Fleet:
    """The pipelines of a design, each with its share of the KV cache, on the tables of its evaluation; no spares."""
    physics = problem.physics
    candidate = candidates_of(physics, design)
    step_times, key = physics.step_times, design.key
    block = step_times.kv_block_tokens
    limits = EngineLimits(
        token_budget=design.token_budget,
        max_num_seqs=design.max_num_seqs,
        kv_blocks=int(physics.kv_tokens_per_pipeline(candidate.keys, deviations)[0] // block),
        kv_block_tokens=block,
    )
    working = design.replicas - problem.demand.spare_replicas
    return Fleet(
        steps=pipeline_steps(
            scenario_tables(candidate, deviations), physics.bins, float(design.token_budget), limits.slots
        ),
        limits=limits,
        pipelines=working * int(step_times.pp[key]),
        router=router,
        host_s=float(step_times.host_s[key]),
        own_prefill_factor=float(step_times.own_prefill_factor[key]),
    )
