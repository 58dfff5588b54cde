from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from catalog.read import load
from optimizer.evaluate import (
    KV_SHARE_PER_DEVIATION,
    Candidates,
    Laws,
    Physics,
    Question,
    StepSpread,
    highest_rate,
    key_rate_bound,
    keys_that_may_answer,
    largest_ratio,
    least_statistics,
    limits_that_hold,
    limits_that_may_hold,
    mean_state,
    meets,
    prepare,
    rate_bound,
    statistics_of,
    tabulate,
)
from optimizer.question import Problem, pose
from optimizer.topology.layouts import TOKEN_BUDGETS
from optimizer.traffic.workload_bins import WorkloadBins, constant_lengths
from requirements_specs.lengths import LengthDistribution
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from requirements_specs.serving import Formats, Inventory, ServingSpec
from requirements_specs.workload import Workload
from tests.optimizer.traffic.linear_steps import LinearSteps, linear_steps

Floats = NDArray[np.float64]

AMPLE = 1e9
ANYTHING = Question((), 1.0, 0.0)
A, B, KAPPA = 5e-3, 4e-5, 2e-6
PROMPT, OUTPUT = 1000.0, 200.0
LINEAR = linear_steps(fixed_s=A, per_sequence_s=B, per_token_s=KAPPA)


def one_length() -> WorkloadBins:
    return constant_lengths(np.array([PROMPT]), np.array([OUTPUT]), np.zeros(1))


def one(steps: LinearSteps, *, budget: float = AMPLE, slots: float = 1024.0, deviation: float = 0.0) -> Candidates:
    """One candidate with constant lengths."""
    physics = prepare(steps, one_length(), StepSpread.alike(np.array([deviation])))
    return tabulate(physics, np.zeros(1, dtype=np.int64), np.array([budget]), np.array([slots]))


def held(candidates: Candidates, rate: float, question: Question = ANYTHING) -> bool:
    return bool(meets(candidates, np.array([rate]), question)[0])


def limited(metric: Metric, statistic: Statistic, limit_s: float, load_cap: float = 1.0) -> Question:
    return Question((LatencyLimit(metric=metric, statistic=statistic, limit_s=limit_s),), load_cap, 0.0)


# The rate that leaves 1,024 sequences decoding, the end of every table.
SATURATION = 1024.0 / (OUTPUT * (A + 1024.0 * B) + 1024.0 * KAPPA * PROMPT)


def occupancy(rate: float) -> tuple[float, float]:
    """N and its variance, in closed form, where a prompt goes in one chunk."""
    rho, load = rate * KAPPA * PROMPT, rate / SATURATION
    sequences = rate * OUTPUT * A / (1.0 - rho - rate * OUTPUT * B)
    clumping = (1.0 + rate * KAPPA * PROMPT / (1.0 - load)) ** 2
    return sequences, sequences / (1.0 - load) * 0.5 * (1.0 + clumping)


def test_the_kv_cache_wall_stands_at_the_0_99_quantile_of_the_occupancy() -> None:
    sequences, variance = occupancy(20.0)
    context = PROMPT + OUTPUT / 2.0 + 8.0
    spread = np.sqrt(variance * context**2 + sequences * OUTPUT**2 / 12.0)
    needed = sequences * context + 2.3263478740408408 * spread
    for factor, expected in ((1.005, True), (0.995, False)):
        candidates = one(replace(LINEAR, kv_capacity_tokens=np.array([needed * factor])))
        assert held(candidates, 20.0) is expected


def test_the_kv_cache_holds_one_longest_request_with_a_block_to_spare() -> None:
    for tokens, expected in ((1216.0, True), (1215.0, False)):
        candidates = one(replace(LINEAR, kv_capacity_tokens=np.array([tokens])))
        assert held(candidates, 1e-6) is expected
        assert bool(rate_bound(candidates, ANYTHING)[0] > 0.0) is expected


def test_pipelines_share_arrivals_and_the_kv_cache() -> None:
    """Two stages are two pipelines with half of both each."""
    two = replace(LINEAR, pp=np.array([2]), kv_capacity_tokens=np.array([2 * 1216.0]))
    assert held(one(two), 1e-6)
    assert not held(one(replace(two, kv_capacity_tokens=np.array([2 * 1216.0 - 2.0]))), 1e-6)
    ample = replace(LINEAR, pp=np.array([2]))
    alone, shared = (
        mean_state(one(LINEAR), np.array([10.0]), ANYTHING),
        mean_state(one(ample), np.array([20.0]), ANYTHING),
    )
    assert shared.point.sequences[0] == pytest.approx(alone.point.sequences[0], rel=1e-12)


def test_the_slots_wall() -> None:
    sequences, variance = occupancy(20.0)
    needed = sequences + 2.3263478740408408 * np.sqrt(variance)
    assert held(one(LINEAR, slots=needed * 1.005), 20.0)
    assert not held(one(LINEAR, slots=needed * 0.995), 20.0)


@pytest.mark.parametrize("cap", [0.3, 0.8])
def test_the_load_cap_on_the_rate(cap: float) -> None:
    """The rate over the highest that leaves an operating point."""
    question = Question((), cap, 0.0)
    assert held(one(LINEAR), cap * SATURATION * (1.0 - 1e-6), question)
    assert not held(one(LINEAR), cap * SATURATION * (1.0 + 1e-6), question)


def test_the_load_cap_on_the_queue_of_prompts() -> None:
    """Two chunks of 500 tokens beside some 80 sequences: λ·(Δ + one more step with a block) = .5."""
    steps = linear_steps(fixed_s=A, per_token_s=KAPPA)
    rate = 0.5 / (KAPPA * PROMPT + A + KAPPA * 16.0)
    question = Question((), 0.5, 0.0)
    assert held(one(steps, budget=1000.0), rate * (1.0 - 1e-6), question)
    assert not held(one(steps, budget=1000.0), rate * (1.0 + 1e-6), question)


def test_a_queue_is_never_trusted_to_the_brim() -> None:
    """A law needs ρ < 1; whatever the user allows, the queue ends at .85."""
    steps = linear_steps(fixed_s=1e-4, per_token_s=1e-5)
    rate = 0.85 / (1e-5 * PROMPT)
    assert held(one(steps), rate * (1.0 - 1e-6))
    assert not held(one(steps), rate * (1.0 + 1e-6))


def test_the_load_cap_on_the_token_budget() -> None:
    """λ·s·T/(B − N) = cap, with steps of 5 ms, 2,000 tokens each, and prompts of one chunk."""
    steps = linear_steps(fixed_s=A, per_token_s=1e-7)
    budget, cap = 2000.0, 0.5

    def load(rate: float) -> float:
        step = A / (1.0 - rate * 1e-7 * PROMPT)
        return rate * PROMPT * step / (budget - rate * OUTPUT * step)

    rates = np.linspace(1.0, 300.0, 300_000)
    rate = float(rates[np.flatnonzero([load(each) <= cap for each in rates.tolist()])[-1]])
    question = Question((), cap, 0.0)
    assert held(one(steps, budget=budget), rate * 0.9999, question)
    assert not held(one(steps, budget=budget), rate * 1.0001, question)


def mean_decoding_s() -> float:
    """Mean time of the OUTPUT − 1 steps after the first token: the mean step, and what piled up behind the prompt."""
    rate = 20.0
    sequences, _ = occupancy(rate)
    rho, added = rate * KAPPA * PROMPT, KAPPA * PROMPT
    base = A + B * sequences
    step = base / (1.0 - rho)
    excess = base + rho * (step + rate * added**2 / (1.0 - rho**2)) - step + added
    return (OUTPUT - 1.0) * step + rho * excess * (1.0 - rho ** (OUTPUT - 1.0)) / (1.0 - rho)


def test_mean_tpot_in_closed_form() -> None:
    tpot = mean_decoding_s() / (OUTPUT - 1.0)
    assert held(one(LINEAR), 20.0, limited(Metric.TPOT, Statistic.MEAN, tpot * 1.0001))
    assert not held(one(LINEAR), 20.0, limited(Metric.TPOT, Statistic.MEAN, tpot * 0.9999))


def test_mean_ttft_and_e2e_in_closed_form() -> None:
    """One prompt length, one chunk: E W = (½ + ρ)·E T²/E T, TTFT = W + h + Δ, E2E adds the steps after it.

    The base step is h for 5/6 of the steps and that of √3 standard deviations more sequences for 1/6.
    """
    rate = 20.0
    sequences, variance = occupancy(rate)
    delta, rho = KAPPA * PROMPT, rate * KAPPA * PROMPT
    usual = A + B * sequences
    crowded = A + B * (sequences + np.sqrt(3.0 * variance))
    first = second = 0.0
    for weight, base in ((5.0 / 6.0, usual), (1.0 / 6.0, crowded)):
        mean = base / (1.0 - rho)
        first += weight * mean
        second += weight * (mean**2 + mean * rate * delta**2 / (1.0 - rho**2))
    ttft = (0.5 + rho) * second / first + usual + delta
    e2e = ttft + mean_decoding_s()
    for metric, value in ((Metric.TTFT, ttft), (Metric.E2E, e2e)):
        assert held(one(LINEAR), rate, limited(metric, Statistic.MEAN, value * 1.002))
        assert not held(one(LINEAR), rate, limited(metric, Statistic.MEAN, value * 0.998))


def test_a_scenario_slows_steps_and_shrinks_the_kv_cache() -> None:
    """One deviation of ln 1.2: every step 1.2 times as long, 5 % fewer tokens; the rate bound follows."""
    deviation = float(np.log(1.2))
    candidates = one(LINEAR, deviation=deviation)
    slow = one(linear_steps(fixed_s=1.2 * A, per_sequence_s=1.2 * B, per_token_s=1.2 * KAPPA))
    scenario = replace(ANYTHING, deviations=1.0)
    rate = np.array([10.0])
    found, expected = mean_state(candidates, rate, scenario), mean_state(slow, rate, ANYTHING)
    assert found.point.step_s[0] == pytest.approx(expected.point.step_s[0], rel=1e-12)
    assert found.point.queue_load[0] == pytest.approx(expected.point.queue_load[0], rel=1e-12)
    assert KV_SHARE_PER_DEVIATION == 0.05
    assert found.kv_tokens[0] == pytest.approx(0.95e9)


@st.composite
def chats(draw: st.DrawFn) -> Candidates:
    """A key with chat-like prompts: a mean prompt takes at most a few steps."""
    fixed = draw(st.floats(2e-3, 3e-2))
    lengths = np.exp(draw(st.floats(0.0, 1.0)) * np.linspace(-2.0, 2.5, 12))
    share = np.arange(12, 0, -1) / 78.0
    prompt = np.maximum(lengths / (lengths * share).sum() * draw(st.floats(50.0, 3000.0)), 1.0)
    output = np.array([[0.3, 0.8, 1.6, 4.0]]) * draw(st.floats(20.0, 600.0))
    mean_prompt = float((prompt * share).sum())
    steps = linear_steps(
        fixed_s=fixed,
        per_sequence_s=draw(st.floats(0.0, 2e-4)),
        per_context_s=draw(st.floats(0.0, 1e-7)),
        per_token_s=fixed * draw(st.floats(0.05, 3.0)) / mean_prompt,
        host_s=draw(st.sampled_from([0.0, 0.037])),
        own_prefill_factor=draw(st.sampled_from([1.0, 2.2])),
    )
    bins = WorkloadBins(prompt[None, :], share, np.zeros((1, 1)), output, np.array([0.4, 0.3, 0.2, 0.1]))
    physics = prepare(steps, bins, StepSpread.alike(np.array([0.2])))
    budget = draw(st.sampled_from([512.0, 2048.0, 8192.0]))
    return tabulate(physics, np.zeros(1, dtype=np.int64), np.array([budget]), np.array([1024.0]))


@given(chats(), st.floats(0.05, 0.95))
@settings(max_examples=30)
def test_statistics_are_ordered(candidates: Candidates, share: float) -> None:
    question = Question((), 0.8, 0.0)
    rate = highest_rate(candidates, question) * share
    assume(rate[0] > 0.0)
    state = mean_state(candidates, rate, question)
    laws = Laws(candidates, state)
    for metric in Metric:
        values = {each: float(laws.statistic(metric, each)[0]) for each in Statistic}
        percentiles = [values[each] for each in (Statistic.P50, Statistic.P90, Statistic.P95, Statistic.P99)]
        assert percentiles == sorted(percentiles)
        assert 0.0 < values[Statistic.MEAN] <= percentiles[-1]
    for each in Statistic:
        ttft = laws.statistic(Metric.TTFT, each)[0]
        e2e = laws.statistic(Metric.E2E, each)[0]
        assert e2e > ttft


@given(chats(), st.floats(0.05, 0.95), st.sampled_from(list(Metric)), st.sampled_from(list(Statistic)))
@settings(max_examples=60)
def test_a_looser_limit_never_makes_feasible_infeasible(
    candidates: Candidates, share: float, metric: Metric, statistic: Statistic
) -> None:
    rate = highest_rate(candidates, Question((), 0.8, 0.0)) * share
    assume(rate[0] > 0.0)
    state = mean_state(candidates, rate, Question((), 0.8, 0.0))
    value = float(Laws(candidates, state).statistic(metric, statistic)[0])
    outcomes = [
        held(candidates, float(rate[0]), limited(metric, statistic, value * factor, load_cap=0.8))
        for factor in np.geomspace(0.8, 1.25, 30)
    ]
    assert outcomes == sorted(outcomes)
    assert outcomes[-1]


@given(chats(), st.sampled_from(list(Metric)), st.sampled_from(list(Statistic)), st.floats(1.05, 4.0))
@settings(max_examples=30)
def test_the_highest_rate_holds_and_lies_below_the_bound(
    candidates: Candidates, metric: Metric, statistic: Statistic, factor: float
) -> None:
    """And it is the limit itself, or a wall, that stops it."""
    low = np.array([1e-3])
    state = mean_state(candidates, low, Question((), 0.8, 0.0))
    value = float(Laws(candidates, state).statistic(metric, statistic)[0])
    question = limited(metric, statistic, value * factor, load_cap=0.8)
    rate = highest_rate(candidates, question)
    assert rate[0] > 0.0
    assert held(candidates, float(rate[0]), question)
    assert not held(candidates, float(rate[0]) * 1.001, question)
    assert rate[0] <= rate_bound(candidates, question)[0] * (1.0 + 1e-9)


@given(chats(), st.floats(0.0, 1.3), st.sampled_from([0.3, 1.0, 1.5, 4.0]))
@settings(max_examples=60)
def test_the_bound_never_refuses_what_holds(candidates: Candidates, position: float, factor: float) -> None:
    """At any rate below capacity: what meets its limits is within the bound and may answer in time."""
    free = Question((), 0.8, 0.0)
    rate = highest_rate(candidates, free) * position
    assume(rate[0] > 0.0)
    limits = tuple(
        LatencyLimit(metric=metric, statistic=Statistic.P99, limit_s=limit * factor)
        for metric, limit in ((Metric.TTFT, 0.2), (Metric.TPOT, 0.03), (Metric.E2E, 10.0))
    )
    question = Question(limits, 0.8, 1.0)
    if held(candidates, float(rate[0]), question):
        physics, keys = candidates.physics, candidates.keys
        assert rate[0] <= key_rate_bound(physics, keys, np.array([1024.0]), question)[0] * (1.0 + 1e-9)
        assert keys_that_may_answer(physics, TOKEN_BUDGETS, question)[0]


@pytest.fixture(scope="module")
def real() -> Problem:
    """Keys of real parts, tensor- and pipeline-parallel."""
    spec = ServingSpec(
        name="batching",
        model="llama-3.1-8b",
        workload=Workload(
            request_rate_per_s=5.0,
            prompt_tokens=LengthDistribution.from_statistics(mean=900.0, p50=600.0, p99=5000.0),
            output_tokens=LengthDistribution.from_statistics(mean=200.0, p50=150.0, p99=900.0),
        ),
        inventory=Inventory(accelerators=("h100-sxm-80gb", "a100-pcie-80gb"), providers=("azure", "lambda")),
        formats=Formats(weights=("bf16",)),
    )
    problem = pose(spec, load())
    assert isinstance(problem, Problem)
    return problem


def rows_of(physics: Physics, count: int) -> tuple[Candidates, Floats]:
    random = np.random.default_rng(2)
    keys = random.integers(0, physics.step_times.count, count)
    budgets = random.choice(TOKEN_BUDGETS, count)
    candidates = tabulate(physics, keys, budgets, random.choice([64.0, 256.0, 1024.0], count))
    return candidates, highest_rate(candidates, Question((), 0.8, 1.0)) * random.uniform(0.05, 1.0, count)


def test_a_row_alone_is_the_row_in_a_batch_to_the_last_bit(real: Problem) -> None:
    limits = tuple(
        LatencyLimit(metric=metric, statistic=statistic, limit_s=limit)
        for metric, statistic, limit in (
            (Metric.TTFT, Statistic.P99, 0.4),
            (Metric.TPOT, Statistic.P90, 0.03),
            (Metric.E2E, Statistic.MEAN, 5.0),
        )
    )
    question = Question(limits, 0.8, 1.0)
    candidates, rates = rows_of(real.physics, 24)
    kept = rates > 0.0
    candidates, rates = candidates.take(kept), rates[kept]
    assert len(candidates) > 12
    together = meets(candidates, rates, question), largest_ratio(candidates, rates, question)
    highest = highest_rate(candidates, question)
    state = mean_state(candidates, rates, question)
    percentiles = Laws(candidates, state).first_token.percentile(0.99)
    assert together[0].any()
    assert not together[0].all()
    for row in range(len(rates)):
        alone, rate = candidates.take(np.array([row])), rates[row : row + 1]
        assert meets(alone, rate, question)[0] == together[0][row]
        assert largest_ratio(alone, rate, question)[0] == together[1][row]
        assert highest_rate(alone, question)[0] == highest[row]
        there = mean_state(alone, rate, question)
        for name in ("sequences", "step_s", "load", "queue_load", "budget_load", "deviation"):
            assert getattr(there.point, name)[0] == getattr(state.point, name)[row], name
        assert Laws(alone, there).first_token.percentile(0.99)[0] == percentiles[row]


def test_rows_that_share_a_rate_share_no_more(real: Problem) -> None:
    """Keys and budgets at one rate: each law is that of its own row."""
    limits = (LatencyLimit(metric=Metric.TTFT, statistic=Statistic.P90, limit_s=0.4),)
    question = Question(limits, 0.8, 1.0)
    candidates, highest = rows_of(real.physics, 30)
    candidates = candidates.take(highest > 0.5)
    rates = np.full(len(candidates), 0.5)
    held_together, ratios = meets(candidates, rates, question), largest_ratio(candidates, rates, question)
    assert len(set(ratios.tolist())) > 8
    for row in range(len(rates)):
        alone = candidates.take(np.array([row]))
        assert meets(alone, rates[:1], question)[0] == held_together[row]
        assert largest_ratio(alone, rates[:1], question)[0] == ratios[row]


def test_tables_do_not_depend_on_what_was_tabulated_before(real: Problem) -> None:
    fresh = prepare(real.physics.step_times, real.physics.bins, real.physics.spread)
    candidates, _ = rows_of(real.physics, 10)
    again = tabulate(fresh, candidates.keys[::-1], candidates.token_budget[::-1], candidates.max_num_seqs[::-1])
    np.testing.assert_array_equal(again.hold_s[::-1], candidates.hold_s)


@settings(max_examples=60)
@given(
    st.lists(
        st.builds(
            LatencyLimit,
            metric=st.sampled_from(tuple(Metric)),
            statistic=st.sampled_from(tuple(Statistic)),
            limit_s=st.floats(0.005, 3.0),
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda limit: limit.id,
    ),
    st.floats(0.01, 30.0),
)
def test_limits_taken_one_by_one_say_what_meets_says(limits: list[LatencyLimit], rate: float) -> None:
    candidates = one(LINEAR, budget=2048.0)
    question = Question(tuple(limits), 1.0, 0.0)
    state = mean_state(candidates, np.array([rate]), question)
    assume(state.within_walls.all())
    hold = limits_that_hold(candidates, state, limits)
    assert hold.shape == (1, len(limits))
    assert hold.all() == held(candidates, rate, question)
    assert (limits_that_may_hold(candidates, state, limits) >= hold).all()
    predicted = statistics_of(candidates, state, limits)
    assert (least_statistics(candidates, state, limits) <= predicted * (1.0 + 1e-9)).all()
    for number, limit in enumerate(limits):
        exact = replace(question, limits=(limit.model_copy(update={"limit_s": predicted[0, number] * (1.0 + 1e-9)}),))
        assert held(candidates, rate, exact)
    ratios = predicted[0] / [limit.limit_s for limit in limits]
    assert largest_ratio(candidates, np.array([rate]), question)[0] == ratios.max()
