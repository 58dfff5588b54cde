"""The laws of a design that drafts against simulated requests whose steps verify and which take fewer of them."""

from dataclasses import replace

import numpy as np
import pytest

from optimizer.arithmetic.speculative import Speculation, acceptance_for, speculating
from optimizer.evaluate import Physics, prepare
from optimizer.mechanisms.chosen import Chosen
from optimizer.traffic.simulate import Plan, Router, run
from optimizer.traffic.speculative_bins import in_steps
from optimizer.verification import design_fleet
from requirements_specs.lengths import LengthDistribution
from tests.optimizer.mechanisms.conftest import Design

# 201 tokens are the first and 80 steps of 2.5.
TOKENS, STEPS, KEPT = 201, 81, 2.5


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_the_laws_are_as_near_with_drafts_as_without(design: Design, share: float) -> None:
    chosen = design(output=TOKENS, slo="")
    acceptance = acceptance_for(KEPT, 4)
    assert acceptance is not None
    replicas = speculating(chosen.replicas, Speculation(4, acceptance, 0.1))
    drafting = prepare(replicas, in_steps(chosen.bins, KEPT), chosen.physics.spread)
    without = law_over_simulated(chosen, chosen.physics, TOKENS, 1.0, share)
    drafted = law_over_simulated(chosen, drafting, STEPS, KEPT, share)
    assert drafted == pytest.approx(without, rel=0.08)
    assert drafted[1] == pytest.approx(1.0, rel=0.12)


def law_over_simulated(
    chosen: Chosen, physics: Physics, steps: int, tokens_per_step: float, share: float
) -> tuple[float, float]:
    """p99 of TTFT and TPOT by the laws over that of requests, at a share of the highest rate."""
    highest = chosen.figures(chosen.candidates(physics), tokens_per_step)[0].highest_rate_per_s
    rate_per_s = share * highest
    problem = replace(chosen.problem, demand=replace(chosen.problem.demand, rate_per_s=rate_per_s))
    loaded = replace(chosen, problem=problem)
    (law,) = loaded.figures(loaded.candidates(physics), tokens_per_step)
    assert law.ttft_p99_s is not None
    assert law.tpot_p99_s is not None

    column = replace(chosen.column, key=0, max_num_seqs=1024)
    fleet = design_fleet(replace(problem, physics=physics), column, 0.0, Router.ROUND_ROBIN)
    workload = chosen.spec.workload.model_copy(update={"output_tokens": LengthDistribution.constant(steps)})
    sample = run(fleet, workload, rate_per_s, Plan((1, 2, 3), 3000, 500))
    ttft_s, tpot_s = (float(np.quantile(each, 0.99)) for each in (sample.ttft_s, sample.tpot_s))
    return law.ttft_p99_s / ttft_s, law.tpot_p99_s * tokens_per_step / tpot_s
