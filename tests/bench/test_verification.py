"""Verified designs of random specifications, simulated anew with seeds drawn at run time; figures are printed."""

from pathlib import Path

import numpy as np
import pytest

from catalog.read import load
from optimizer.additions import Additions
from optimizer.answers import Answer
from optimizer.errors import QuestionError
from optimizer.search.solver_process import SolverProcess
from optimizer.solve import answer
from optimizer.traffic.simulate import Plan, Router, estimate, run
from optimizer.verification import design_fleet
from requirements_specs.read import spec_from_text
from requirements_specs.serving import ServingSpec

pytestmark = pytest.mark.bench
SPECS = 50
FRESH_SEEDS = 5
REQUESTS = 4_000
LEAST_POINTS_WITHIN = 48
MOST_TRIES = 400
MODELS = ("llama-3.1-8b", "qwen3-32b", "llama-3.1-70b", "qwen3-30b-a3b")
WORKLOADS = ("azure-conv", "azure-code", "sharegpt", "arxiv-summarization", "mooncake-chat")


def random_spec(random: np.random.Generator) -> ServingSpec:
    model, named = random.choice(MODELS), random.choice(WORKLOADS)
    rate = 10.0 ** random.uniform(-0.3, 1.7)
    ttft_s = 10.0 ** random.uniform(-0.7, 0.8)
    tpot_ms = 10.0 ** random.uniform(1.2, 2.2)
    percentile = random.choice(("p90", "p95", "p99"))
    text = (
        f"kind: serving\nname: {model} {named}\nmodel: {model}\nworkload:\n  request_rate: {rate:.3f} req/s\n"
        f"  prompt_tokens: {named}\n  output_tokens: {named}\n"
        f"slo:\n  ttft: {{{percentile}: {ttft_s:.3f} s}}\n  tpot: {{{percentile}: {tpot_ms:.1f} ms}}\n"
    )
    return spec_from_text(text, "random", Additions(load(), Path()).names)


def test_fresh_requests_hold_the_limits_of_verified_designs() -> None:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    random = np.random.default_rng(seed)
    seeds = tuple(int(each) for each in random.integers(1_000, 2**31, FRESH_SEEDS))
    print(f"\nseed {seed}, fresh seeds {seeds}")
    lows, points, designs, unverified = 0, 0, 0, 0
    rounds, prices = [], []
    with SolverProcess() as solver:
        for _ in range(MOST_TRIES):
            spec = random_spec(random)
            try:
                found = answer(spec, load(), solver.solve, simulated=True)
            except QuestionError:  # the longest request exceeds the model's context
                continue
            if not isinstance(found, Answer) or found.verification is None:
                continue
            if found.verification.judgement is None:
                unverified += 1
                continue
            designs += 1
            rounds.append(found.verification.rounds)
            prices.append(found.design.usd_micro_per_hour / found.verification.analytic.usd_micro_per_hour - 1.0)
            low, point = fresh(spec, found, seeds)
            lows, points = lows + low, points + point
            print(
                f"{spec.name} at {spec.workload.request_rate_per_s:.1f}/s: {found.design.replicas} replicas, rounds "
                f"{rounds[-1]}, refusals {len(found.verification.refusals)}, price {prices[-1]:+.1%}, "
                f"proved {found.solution.proved}, low ends {low}, values {point}",
                flush=True,
            )
            if designs == SPECS:
                break
    print(
        f"{designs} designs ({unverified} without): low ends within {lows}, values within {points}; rounds median "
        f"{np.median(rounds):.0f}, most {max(rounds)}; price median {np.median(prices):+.1%}, most {max(prices):+.1%}"
    )
    assert designs == SPECS
    assert lows == SPECS
    assert points >= LEAST_POINTS_WITHIN


def fresh(spec: ServingSpec, found: Answer, seeds: tuple[int, ...]) -> tuple[bool, bool]:
    """Whether the low ends of all limits, and their values, are within the limits."""
    problem = found.problem
    fleet = design_fleet(problem, found.design, problem.question.deviations, Router.ROUND_ROBIN)
    requests = REQUESTS * max(1, fleet.pipelines // 8)
    sample = run(fleet, spec.workload, problem.demand.rate_per_s, Plan(seeds, requests, requests // 2))
    held = [
        (estimate(sample.of(limit.metric), limit.statistic.probability), limit.limit_s)
        for limit in problem.question.limits
    ]
    return all(each.low <= limit_s for each, limit_s in held), all(each.value <= limit_s for each, limit_s in held)
