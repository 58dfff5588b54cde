"""The wall of an offline job, against the same job on parts made by hand, and what no number of replicas passes."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from catalog.read import Snapshot
from catalog.walls import WallFamily
from optimizer.answers import Answer, NoAnswer
from optimizer.bottleneck.job_walls import WINDOW, impossible_job
from optimizer.question import Problem, pose
from optimizer.search.jobs import job_run
from optimizer.solve import answer
from optimizer.topology.layouts import MAX_NUM_SEQS
from requirements_specs.serving import Objective, ServingSpec, Spot
from requirements_specs.workload import Offline
from tests.property.parts import Scaled, scaled_part

GetSpec = Callable[..., ServingSpec]


def job(spec: ServingSpec, requests: int, window_s: float, objective: Objective = Objective.CHEAPEST) -> ServingSpec:
    workload = spec.workload.model_copy(
        update={
            "request_rate_per_s": requests / window_s,
            "offline": Offline(requests=requests, window_s=window_s),
        }
    )
    return spec.model_copy(update={"workload": workload, "objective": objective})


def best_seconds(spec: ServingSpec, snapshot: Snapshot, found: Answer) -> float:
    """Duration on the replicas and the token budget of a design, with the best slots."""
    problem = pose(spec, snapshot)
    assert isinstance(problem, Problem)
    assert problem.job is not None
    run = job_run(
        problem.space,
        problem.physics,
        problem.question,
        problem.job,
        np.array([found.design.placement]),
        np.array([float(found.design.token_budget)]),
        MAX_NUM_SEQS,
    )
    return float(run.seconds(problem.job, np.array([[found.design.replicas]])).min())


@pytest.mark.parametrize(("prompt", "output"), [(200.0, 500.0), (4000.0, 50.0)])
def test_gains_are_those_of_a_part_with_a_tenth_more(
    spec_of: GetSpec, snapshot: Snapshot, prompt: float, output: float
) -> None:
    spec = job(spec_of(prompt=prompt, output=output), 200_000, 14_400.0)
    found = answer(spec, snapshot)
    assert isinstance(found, Answer)
    before = best_seconds(spec, snapshot, found)
    part = snapshot.accelerators["h100-sxm-80gb"]
    for what in Scaled:
        parts = snapshot.accelerators | {part.id: scaled_part(part, what, 1.1)}
        after = best_seconds(spec, snapshot.model_copy(update={"accelerators": parts}), found)
        assert found.binding.gains[WallFamily(what.value)] == pytest.approx(before / after - 1.0, abs=2e-3)
    assert found.binding.gains[found.binding.wall] >= 0.9 * max(found.binding.gains.values()) > 0.01
    rate = found.binding.highest_rate_per_s * found.design.replicas
    assert rate == pytest.approx(200_000 / before)


def test_long_prompts_are_bound_by_compute(spec_of: GetSpec, snapshot: Snapshot) -> None:
    found = answer(job(spec_of(prompt=4000.0, output=20.0), 200_000, 14_400.0), snapshot)
    assert isinstance(found, Answer)
    assert found.binding.wall is WallFamily.COMPUTE


def test_a_smallest_fleet_of_one_that_ends_early_is_bound_by_dollars(spec_of: GetSpec, snapshot: Snapshot) -> None:
    for window_s, dollars in ((36_000.0, True), (0.0, False)):
        spec = job(spec_of(), 20_000, window_s or 36_000.0, Objective.SMALLEST_FLEET)
        found = answer(spec, snapshot)
        assert isinstance(found, Answer)
        if not dollars:  # a window that the one instance just meets
            assert found.design.job is not None
            found = answer(job(spec_of(), 20_000, 1.01 * found.design.job.seconds, Objective.SMALLEST_FLEET), snapshot)
            assert isinstance(found, Answer)
        assert found.design.units == 1
        assert (found.binding.wall is WallFamily.DOLLARS) == dollars
    by_cost = answer(job(spec_of(), 20_000, 36_000.0), snapshot)
    assert isinstance(by_cost, Answer)
    assert by_cost.binding.wall is not WallFamily.DOLLARS


def test_a_window_below_the_longest_request_is_impossible_by_its_numbers(spec_of: GetSpec, snapshot: Snapshot) -> None:
    for window_s, wall in ((0.1, WallFamily.LATENCY_FLOOR), (1.5, WallFamily.MEMORY_BANDWIDTH)):
        found = answer(job(spec_of(), 10, window_s), snapshot)
        assert isinstance(found, NoAnswer)
        assert found.impossible is not None
        assert found.impossible.requirement == WINDOW
        assert found.impossible.wall is wall
        assert found.impossible.limit == window_s < found.impossible.least
    problem = pose(job(spec_of(), 10, 1.5), snapshot)
    assert isinstance(problem, Problem)
    assert problem.job is not None
    enough = replace(problem.job, window_s=found.impossible.least)
    assert impossible_job(problem.space, problem.physics, problem.question, enough) is None


def test_a_model_that_does_not_fit_is_a_wall_of_memory(spec_of: GetSpec, snapshot: Snapshot) -> None:
    found = answer(job(spec_of(model="llama-3.1-70b"), 10, 3600.0), snapshot)
    assert isinstance(found, NoAnswer)
    assert found.impossible is not None
    assert found.impossible.wall is WallFamily.MEMORY_CAPACITY


def test_interruptions_before_any_progress_leave_no_design(spec_of: GetSpec, snapshot: Snapshot) -> None:
    spec = job(spec_of(), 1000, 3600.0)
    spot = Spot(interruptions_per_hour=500.0, restart_s=60.0)
    inventory = spec.inventory.model_copy(update={"tiers": ("spot",), "spot": spot})
    found = answer(spec.model_copy(update={"inventory": inventory}), snapshot)
    assert isinstance(found, NoAnswer)
    assert found.impossible is None
    assert found.uncapped is None


def test_the_floor_of_a_window_is_where_the_search_begins_to_answer(snapshot: Snapshot, spec_of: GetSpec) -> None:
    """Just above the floor some number of replicas ends in time, at the floor none does."""
    asked = spec_of()
    problem = pose(job(asked, 5, 0.5), snapshot)
    assert isinstance(problem, Problem)
    assert problem.job is not None
    found = impossible_job(problem.space, problem.physics, problem.question, problem.job)
    assert found is not None
    assert found.requirement == WINDOW
    assert isinstance(answer(job(asked, 5, 1.01 * found.least), snapshot), Answer)
    still = answer(job(asked, 5, 0.99 * found.least), snapshot)
    assert isinstance(still, NoAnswer)
    assert still.impossible is not None
    assert still.impossible.least == pytest.approx(found.least)
