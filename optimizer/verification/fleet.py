"""The replicas of a design in a scenario, as the simulator takes them; for a trace, with steps for its own lengths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from optimizer.evaluate import prepare, scenario_tables
from optimizer.question import Problem
from optimizer.search.columns import Column, candidates_of
from optimizer.traffic.simulate import EngineLimits, Fleet, Router, pipeline_steps
from optimizer.traffic.workload_bins import WorkloadBins

SHORTEST_PROMPT_TOKENS = 16.0


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
        speculation=problem.speculation,
    )


def trace_fleet(
    problem: Problem, design: Column, deviations: float, router: Router, bins: WorkloadBins, longest_prompt: int
) -> Fleet:
    """The pipelines of a design for the single requests of a trace; no spares.

    Args:
        problem: that the design answers.
        design: whose replicas they are.
        deviations: the scenario.
        router: who gets a request.
        bins: lengths of the trace, in steps where the problem drafts; where its prefix blocks are known and a cache is
            simulated, without a cached share.
        longest_prompt: tokens of the longest prompt that will come.

    """
    return design_fleet(*at_lengths(problem, design, _with_single_prompts(bins, longest_prompt)), deviations, router)


def at_lengths(problem: Problem, design: Column, bins: WorkloadBins) -> tuple[Problem, Column]:
    """A design alone in its problem, its steps tabulated for other lengths."""
    physics, key = problem.physics, np.array([design.key])
    alone = prepare(physics.step_times.take(key), bins, physics.spread.take(key))
    return replace(problem, physics=alone), replace(design, key=0)


def _with_single_prompts(bins: WorkloadBins, longest: int) -> WorkloadBins:
    """The bins with more prompts beside them, powers of two up to the longest, that are no share of the requests.

    A bin is the mean of many prompts; single ones, and what a prefix cache leaves of them, are shorter and longer.
    """
    doublings = max(int(np.ceil(np.log2(longest / SHORTEST_PROMPT_TOKENS))), 0)
    more = np.append(SHORTEST_PROMPT_TOKENS * 2.0 ** np.arange(doublings), float(longest))
    one_is_new = 1.0 / (1.0 - bins.prefix_cache_hit[0, 0])
    prompts = np.union1d(bins.prompt_tokens[0], more[more > one_is_new])
    share = np.zeros(len(prompts))
    share[np.searchsorted(prompts, bins.prompt_tokens[0])] = bins.prompt_share
    return replace(bins, prompt_tokens=prompts[None, :], prompt_share=share)
