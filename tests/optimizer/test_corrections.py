"""A correction of the user's own in the physics: one factor on every step, and every law and bound as before."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.corrections import FirstTokenFactors
from catalog.read import Snapshot, load
from optimizer.answers import Answer
from optimizer.confidence import corrected_rows
from optimizer.evaluate import highest_rate, keys_that_may_answer, meets, rate_bound, tabulate
from optimizer.question import Problem, pose, question_at
from optimizer.solve import answer
from requirements_specs.lengths import LengthDistribution
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from requirements_specs.serving import IntegerChoice, Inventory, Layout, ServingSpec
from requirements_specs.workload import Workload
from tests.catalog.test_corrections import correction

SPEC = ServingSpec(
    name="corrected",
    model="llama-3.1-8b",
    slo=(
        LatencyLimit(metric=Metric.TTFT, statistic=Statistic.P99, limit_s=0.4),
        LatencyLimit(metric=Metric.TPOT, statistic=Statistic.P99, limit_s=0.05),
    ),
    workload=Workload(
        request_rate_per_s=5.0,
        prompt_tokens=LengthDistribution.constant(700.0),
        output_tokens=LengthDistribution.constant(150.0),
    ),
    inventory=Inventory(accelerators=("h100-sxm-80gb", "l40s-48gb")),
    layout=Layout(tp=IntegerChoice(values=(1, 2)), pp=IntegerChoice(values=(1,))),
)
factors = st.floats(0.25, 4.0)


def corrected(**changes: object) -> Snapshot:
    found = correction(**changes)
    return load().model_copy(update={"corrections": {found.group: found}})


def posed(snapshot: Snapshot) -> Problem:
    problem = pose(SPEC, snapshot)
    assert isinstance(problem, Problem)
    return problem


def touched(problem: Problem) -> np.ndarray:
    """Keys that a correction of bf16 weights on the H100 is about, (K,)."""
    return np.array([(row.accelerator.id, row.weights.id) == ("h100-sxm-80gb", "bf16") for row in problem.space.keys])


def test_every_step_of_what_was_measured_has_the_factor_and_nothing_else_moves() -> None:
    plain, found = posed(load()), posed(corrected(step_factors={"bf16": 1.25}, prefill_factor=1.0))
    mine = touched(plain)
    assert mine.any()
    assert not mine.all()
    factor = np.where(mine, 1.25, 1.0)
    for name in ("decode_s", "fluid_s", "added_s"):
        before, after = getattr(plain.physics.tables, name), getattr(found.physics.tables, name)
        assert after == pytest.approx(before * factor[:, None], rel=1e-12), name
    assert found.physics.step_times.kv_capacity_tokens == pytest.approx(plain.physics.step_times.kv_capacity_tokens)
    narrowed = mine & (plain.physics.step_times.accelerators == 1)
    assert narrowed.any()
    assert (mine & ~narrowed).any()
    for now, before in (
        (found.physics.spread.slower, plain.physics.spread.slower),
        (found.physics.spread.faster, plain.physics.spread.faster),
    ):
        assert np.all(now[narrowed] == 0.1)
        assert np.all(now[~narrowed] == before[~narrowed])
        assert np.all(before[mine] > 0.1)


def test_without_corrections_the_rows_are_the_very_same() -> None:
    problem = posed(load())
    assert corrected_rows(load().models["llama-3.1-8b"], problem.space.keys, load()) is problem.space.keys


@settings(deadline=None, max_examples=15)
@given(factors, factors, factors, st.floats(0.05, 0.6))
def test_bounds_and_monotone_laws_hold_under_any_correction(
    step: float, prefill: float, first_token: float, deviation: float
) -> None:
    found = posed(
        corrected(
            step_factors={"bf16": step},
            prefill_factor=prefill,
            first_token=FirstTokenFactors.alike(first_token),
            step_deviation=deviation,
            tp=(1, 2),
        )
    )
    keys = np.flatnonzero(touched(found))
    budgets, slots = np.full(len(keys), 2048.0), np.full(len(keys), 256.0)
    candidates = tabulate(found.physics, keys, budgets, slots)
    question = found.question
    most, bound = highest_rate(candidates, question), rate_bound(candidates, question)
    assert np.all(most <= bound * (1.0 + 1e-9))
    may = keys_that_may_answer(found.physics, np.array([2048.0]), question)[keys]
    assert np.all(may[most > 0.0])
    carried = most > 1e-3
    for share in (0.2, 0.6, 0.95):
        assert np.all(meets(candidates.take(carried), share * most[carried], question))
    # and a smaller risk never carries more
    safer = highest_rate(candidates, question_at(SPEC, 0.02))
    assert np.all(safer <= most * (1.0 + 1e-4))


def test_a_solve_with_a_faster_measured_part_costs_no_more_and_a_slower_no_less() -> None:
    costs = []
    for step in (0.5, 1.0, 2.0):
        found = answer(SPEC, corrected(step_factors={"bf16": step, "fp8": step}, tp=(1, 2)))
        assert isinstance(found, Answer)
        costs.append(found.design.usd_micro_per_hour)
    assert costs == sorted(costs)
