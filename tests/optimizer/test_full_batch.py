"""The offline load: closed forms, a simulated job, and `predict`'s law of the same thing."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from optimizer.arithmetic.batch_job import job_seconds
from optimizer.arithmetic.loads import LoadShape
from optimizer.evaluate import (
    FullBatch,
    Offline,
    Physics,
    Question,
    StepSpread,
    evaluate,
    full_batch,
    key_rate_bound,
    tabulate,
)
from optimizer.evaluate.candidates import prepare
from optimizer.question import Problem, pose
from optimizer.traffic.workload_bins import WorkloadBins, constant_lengths
from requirements_specs.lengths import LengthDistribution
from requirements_specs.serving import Formats, Inventory, ServingSpec
from requirements_specs.workload import Workload
from tests.optimizer.traffic.linear_steps import LinearSteps, linear_steps

Floats = NDArray[np.float64]
ANYTHING = Question((), 1.0, 0.0)
A, B, KAPPA, HOST = 5e-3, 4e-5, 2e-6, 0.05
PROMPT, OUTPUT = 1000.0, 200.0
LINEAR = linear_steps(fixed_s=A, per_sequence_s=B, per_token_s=KAPPA, host_s=HOST)
AMPLE = 1e6


def batch(
    steps: LinearSteps = LINEAR, *, slots: float = 64.0, budget: float = AMPLE, bins: WorkloadBins | None = None
) -> FullBatch:
    lengths = bins or constant_lengths(np.array([PROMPT]), np.array([OUTPUT]), np.zeros(1))
    physics = prepare(steps, lengths, StepSpread.alike(np.array([0.2])))
    candidates = tabulate(physics, np.zeros(1, dtype=np.int64), np.array([budget]), np.array([1024.0]))
    return full_batch(candidates, ANYTHING, np.array([slots]))


def only(values: Floats) -> float:
    return float(values[0, 0])


def test_the_rate_is_that_of_all_slots_in_closed_form() -> None:
    for slots in (8.0, 64.0, 640.0):
        found = batch(slots=slots)
        step = A + slots * B + slots / OUTPUT * KAPPA * PROMPT
        assert only(found.sequences) == slots
        assert only(found.step_s) == pytest.approx(step, rel=1e-3)
        assert only(found.rate_per_s) == pytest.approx(slots / (OUTPUT * step), rel=1e-3)
        hold = A + slots * B + KAPPA * PROMPT
        assert only(found.longest_s) == pytest.approx(HOST + hold + OUTPUT * step, rel=1e-3)
        assert only(found.redone_s) == pytest.approx(HOST + hold + OUTPUT / 2 * step, rel=1e-3)


def test_each_request_has_room_for_its_whole_length() -> None:
    tight = replace(LINEAR, kv_capacity_tokens=np.array([10.5 * (PROMPT + OUTPUT + 8.0)]))
    assert only(batch(tight).sequences) == pytest.approx(10.5)
    small = replace(LINEAR, kv_capacity_tokens=np.array([PROMPT + OUTPUT + 15.0]))
    assert not batch(small).fits[0, 0]
    assert batch(replace(LINEAR, kv_capacity_tokens=np.array([PROMPT + OUTPUT + 16.0]))).fits[0, 0]


def test_spread_lengths_keep_room_for_the_0_99_quantile() -> None:
    """Outputs of 100 and 300 tokens are in flight in proportion to their length."""
    bins = WorkloadBins(
        np.array([[PROMPT]]), np.ones(1), np.zeros((1, 1)), np.array([[100.0, 300.0]]), np.array([0.5, 0.5])
    )
    mean, deviation = PROMPT + 250.0 + 8.0, sqrt(0.25 * 0.75) * 200.0
    capacity = 20.0 * mean + 2.3263478740408408 * sqrt(20.0) * deviation
    tight = replace(LINEAR, kv_capacity_tokens=np.array([capacity]))
    found = batch(tight, bins=bins)
    assert only(found.sequences) == pytest.approx(20.0)
    assert only(found.kv_tokens_needed) == pytest.approx(capacity)


def test_the_token_budget_supplies_the_prompts() -> None:
    found = batch(slots=640.0, budget=1200.0)
    assert only(found.sequences) == pytest.approx(1200.0 / (1.0 + PROMPT / OUTPUT))


def test_pipeline_stages_are_pipelines_that_share_the_cache() -> None:
    staged = replace(LINEAR, pp=np.array([2]))
    assert only(batch(staged).rate_per_s) == pytest.approx(2.0 * only(batch().rate_per_s))
    tight = replace(staged, kv_capacity_tokens=np.array([20.0 * (PROMPT + OUTPUT + 8.0)]))
    assert only(batch(tight).sequences) == pytest.approx(10.0)


def simulated_s(requests: int, slots: int, budget: int, prompts: Floats, outputs: Floats) -> float:
    """A job on one replica, step by step: running sequences first, the rest of the budget for prompts in order."""
    clock, next_request = HOST, 0
    prefilling: list[list[float]] = []  # prompt tokens left, output tokens
    decoding = np.zeros(0)
    while next_request < requests or prefilling or len(decoding):
        while next_request < requests and len(prefilling) + len(decoding) < slots:
            prefilling.append([prompts[next_request], outputs[next_request]])
            next_request += 1
        room = budget - len(decoding)
        tokens, started = 0.0, []
        while prefilling and room > 0:
            chunk = min(room, prefilling[0][0])
            prefilling[0][0] -= chunk
            room, tokens = room - chunk, tokens + chunk
            if prefilling[0][0] > 0:
                break
            started.append(prefilling.pop(0)[1])
        clock += A + B * len(decoding) + KAPPA * tokens
        decoding = np.concatenate([decoding - 1.0, np.array(started) - 1.0])
        decoding = decoding[decoding > 0]
    return clock


@pytest.mark.parametrize("budget", [800, 8192])
@pytest.mark.parametrize("slots", [16, 96])
@pytest.mark.parametrize("requests", [1, 40, 3000])
def test_a_simulated_job_ends_within_the_predicted_duration(requests: int, slots: int, budget: int) -> None:
    generator = np.random.default_rng(20261127)
    prompt = LengthDistribution.from_statistics(mean=600, p99=2000)
    output = LengthDistribution.from_statistics(mean=120, p99=500)
    probabilities = generator.random((2, requests))
    prompts = np.array([round(prompt.quantile(p)) for p in probabilities[0]], dtype=np.float64)
    outputs = np.array([max(round(output.quantile(p)), 1) for p in probabilities[1]], dtype=np.float64)
    bins = WorkloadBins(
        prompt.bins(16)[0][None, :],
        prompt.bins(16)[1],
        np.zeros((1, 1)),
        output.bins(24)[0][None, :],
        output.bins(24)[1],
    )
    found = batch(slots=float(slots), budget=float(budget), bins=bins)
    predicted = job_seconds(requests, 1, found.rate_per_s, found.longest_s)[0, 0]
    measured = simulated_s(requests, slots, budget, prompts, outputs)
    # sampled requests carry a little more or less work than the mean
    work = (prompts.sum() / 600.0 / requests, outputs.sum() / 120.0 / requests)
    assert measured <= predicted * max(1.0, *work)
    if requests == 3000:  # what is on the safe side is the drain, not the rate
        assert predicted - only(found.longest_s) <= 1.05 * measured


@pytest.fixture(scope="module")
def real() -> Problem:
    from catalog.read import load

    spec = ServingSpec(
        name="batch",
        model="llama-3.1-8b",
        workload=Workload(
            request_rate_per_s=1.0,
            prompt_tokens=LengthDistribution.constant(1000),
            output_tokens=LengthDistribution.constant(200),
        ),
        inventory=Inventory(accelerators=("h100-sxm-80gb", "l40s-48gb", "a100-sxm-80gb")),
        formats=Formats(weights=("bf16",)),
    )
    problem = pose(spec, load())
    assert isinstance(problem, Problem)
    return problem


def rows(physics: Physics, budget: float) -> FullBatch:
    keys = np.arange(physics.step_times.count)
    candidates = tabulate(physics, keys, np.full(len(keys), budget), np.full(len(keys), 1024.0))
    return full_batch(candidates, ANYTHING, np.array([8.0, 256.0, 1024.0]))


def test_no_row_beats_the_bound_of_its_key(real: Problem) -> None:
    keys = np.arange(real.physics.step_times.count)
    bound = key_rate_bound(real.physics, keys, np.full(len(keys), 1024.0), ANYTHING)
    for budget in (512.0, 2048.0, 32768.0):
        found = rows(real.physics, budget)
        assert (found.rate_per_s <= bound[:, None] * (1.0 + 1e-9))[found.fits[:, 0]].all()


def test_slower_steps_and_a_smaller_cache_take_longer(real: Problem) -> None:
    keys = np.arange(real.physics.step_times.count)
    candidates = tabulate(real.physics, keys, np.full(len(keys), 8192.0), np.full(len(keys), 1024.0))
    slots = np.array([16.0, 256.0])
    before = full_batch(candidates, ANYTHING, slots)
    after = full_batch(candidates, Question((), 1.0, 1.28), slots)
    fits = after.fits[:, 0]
    assert (after.rate_per_s < before.rate_per_s)[fits].all()
    assert (after.kv_tokens < before.kv_tokens).all()


def test_predict_and_solve_agree_on_the_throughput_of_a_full_replica(real: Problem) -> None:
    """`predict` reads the same engine at mean lengths, one batch of prompts at a time; the laws are not the same."""
    step_times = real.physics.step_times
    many = np.ones(step_times.count)
    shape = LoadShape(1000.0 * many, 200.0 * many, 0.0 * many)
    theirs = evaluate(step_times, shape, Offline(), StepSpread.none(len(many)), 0.0)
    ours = rows(real.physics, 8192.0)
    fits = ours.fits[:, 0] & theirs.fits
    tokens_per_s = (200.0 * ours.rate_per_s).max(axis=1)
    ratio = (tokens_per_s / theirs.output_tokens_per_s)[fits]
    assert fits.sum() > 20
    assert np.median(ratio) == pytest.approx(1.0, abs=0.05)
    assert np.abs(np.log(ratio)).max() < 0.3
