from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from optimizer.traffic.fluid import (
    OperatingPoint,
    TrafficTables,
    kv_tokens_needed,
    operating_point,
    sequences_needed,
    with_further_chunks,
)
from optimizer.traffic.step_tables import SEQUENCES, decode_tables, prefill_increments
from optimizer.traffic.workload_bins import WorkloadBins, constant_lengths
from tests.optimizer.traffic.linear_steps import LinearSteps, linear_steps

Floats = NDArray[np.float64]
MANY_TOKENS = 1e6


def lengths(prompt: float = 1000.0, output: float = 200.0) -> WorkloadBins:
    return constant_lengths(np.array([prompt]), np.array([output]), np.zeros(1))


def tables_of(steps: LinearSteps, bins: WorkloadBins) -> TrafficTables:
    decode = decode_tables(steps, bins)
    increment = prefill_increments(steps, bins, np.full(steps.count, MANY_TOKENS), decode.decode_s)
    return TrafficTables(decode.decode_s, decode.fluid_s, increment, (increment * bins.prompt_share).sum(axis=2))


def point_of(rate: float | Floats, tables: TrafficTables, bins: WorkloadBins, budget: float = 1e6) -> OperatingPoint:
    """Operating points of one candidate at one or many rates."""
    rates = np.atleast_1d(np.asarray(rate, dtype=np.float64))
    rows = TrafficTables(*(np.repeat(getattr(tables, field.name), len(rates), axis=0) for field in fields(tables)))
    return operating_point(rates, rows, bins, np.full(len(rates), budget))


A, B, KAPPA = 5e-3, 4e-5, 2e-6
LINEAR = linear_steps(fixed_s=A, per_sequence_s=B, per_token_s=KAPPA)


@pytest.mark.parametrize("rate", [1.5, 5.0, 20.0, 60.0])
def test_the_fixed_point_of_a_linear_step_has_a_closed_form(rate: float) -> None:
    """N = λ·o·T, T = (a + b·N)/(1 − λ·Δ)  ⇒  N = λ·o·a/(1 − λ·Δ − λ·o·b)."""
    bins = lengths()
    rho = rate * KAPPA * 1000.0
    sequences = rate * 200.0 * A / (1.0 - rho - rate * 200.0 * B)
    point = point_of(rate, tables_of(LINEAR, bins), bins)
    assert not point.overloaded[0]
    assert point.sequences[0] == pytest.approx(sequences, rel=1e-9)
    assert point.step_s[0] == pytest.approx((A + B * sequences) / (1.0 - rho), rel=1e-9)
    assert point.prefill_load[0] == pytest.approx(rho, rel=1e-9)
    assert point.decode_s[0] == pytest.approx(A + B * sequences, rel=1e-9)
    assert point.increment_s[0, 0] == pytest.approx(KAPPA * 1000.0, rel=1e-9)


def test_overload_begins_where_the_closed_form_leaves_the_table() -> None:
    """λ·o·(a + 1024·b) = 1024·(1 − λ·Δ)."""
    bins, most = lengths(), SEQUENCES[-1]
    limit = most / (200.0 * (A + most * B) + most * KAPPA * 1000.0)
    point = point_of(limit * np.array([0.99999, 1.00001]), tables_of(LINEAR, bins), bins)
    np.testing.assert_array_equal(point.overloaded, [False, True])
    assert point.sequences[0] == pytest.approx(most, rel=1e-3)


def test_prefill_alone_can_overload() -> None:
    """Just below ρ = 1 nothing decodes: E[o] = 1 and free decoding leave T = a/(1 − ρ)."""
    bins = lengths(output=1.0)
    tables = tables_of(linear_steps(fixed_s=A, per_token_s=KAPPA), bins)
    point = point_of(np.array([0.9, 0.99]) / (KAPPA * 1000.0), tables, bins)
    np.testing.assert_allclose(point.step_s, A / (1.0 - np.array([0.9, 0.99])), rtol=1e-6)
    assert not point.overloaded.any()
    assert point_of(0.999999 / (KAPPA * 1000.0), tables, bins).overloaded[0]


def test_an_overloaded_row_is_no_nan() -> None:
    bins = lengths()
    point = point_of(1.5 / (KAPPA * 1000.0), tables_of(LINEAR, bins), bins)
    assert point.overloaded[0]
    assert not np.isnan(point.decode_s).any()


def test_a_rate_of_nothing_leaves_a_request_alone() -> None:
    """N → λ·o·T(1), spread N, load 0."""
    bins = lengths()
    steps = linear_steps(fixed_s=A, per_sequence_s=B)  # no prefill: fluid and decode are one
    point = point_of(1e-9, tables_of(steps, bins), bins)
    assert point.sequences[0] == pytest.approx(1e-9 * 200.0 * (A + B), rel=1e-9)
    assert point.step_s[0] == pytest.approx(A + B, rel=1e-12)
    assert point.deviation[0] ** 2 == pytest.approx(point.sequences[0], rel=0.01)
    assert point.prefill_load[0] == 0.0


@pytest.mark.xfail(strict=True, reason="below one sequence the fluid floor still adds 1/E[o] prompts to every step")
def test_a_lone_request_decodes_without_anybody_s_prefill() -> None:
    """At a rate of nothing the mean step is the step of one sequence, however long the prompts are."""
    bins = lengths(prompt=8000.0, output=30.0)
    point = point_of(1e-9, tables_of(LINEAR, bins), bins)
    assert point.step_s[0] == pytest.approx(A + B, rel=1e-6)


def test_the_mean_step_is_never_below_the_fluid_floor() -> None:
    """A floor of c + d·N above D/(1 − ρ) gives N = λ·o·c/(1 − λ·o·d)."""
    bins = lengths()
    c, d, rate = 20e-3, 6e-5, 10.0
    tables = tables_of(LINEAR, bins)
    raised = TrafficTables(tables.decode_s, c + d * SEQUENCES[None, :], tables.increment_s, tables.mean_increment_s)
    point = point_of(rate, raised, bins)
    sequences = rate * 200.0 * c / (1.0 - rate * 200.0 * d)
    assert point.sequences[0] == pytest.approx(sequences, rel=1e-9)
    assert point.step_s[0] == pytest.approx(c + d * sequences, rel=1e-9)
    assert point.decode_s[0] == pytest.approx(point.step_s[0] * (1.0 - point.prefill_load[0]), rel=1e-12)


rises = st.lists(st.floats(0.0, 3e-3), min_size=len(SEQUENCES), max_size=len(SEQUENCES)).map(
    lambda steps: np.cumsum(np.array(steps))[None, :]
)


@st.composite
def random_tables(draw: st.DrawFn) -> tuple[TrafficTables, WorkloadBins]:
    """Any non-decreasing tables, two prompt lengths."""
    decode = draw(rises) + draw(st.floats(1e-3, 2e-2))
    fluid = np.maximum.accumulate(decode * draw(st.floats(1.0, 1.5)), axis=1)
    short = draw(rises) + draw(st.floats(0.0, 1e-2))
    increment = np.stack([short, short * draw(st.floats(1.0, 50.0))], axis=2)
    share = np.array([0.9, 0.1])
    output = draw(st.floats(1.0, 500.0))
    bins = WorkloadBins(np.array([[100.0, 5000.0]]), share, np.zeros((1, 1)), np.array([[output]]), np.ones(1))
    return TrafficTables(decode, fluid, increment, (increment * share).sum(axis=2)), bins


@given(random_tables(), st.floats(0.0, 1.2))
def test_the_operating_point_is_the_first_crossing(case: tuple[TrafficTables, WorkloadBins], load: float) -> None:
    """Against a scan of N = λ·o·T(N) that knows only interpolation: no smaller N beyond the last unsettled node."""
    tables, bins = case
    output = float(bins.mean_output[0])
    rate = 10.0 ** (4.0 * load - 2.0) / output

    def gap(sequences: Floats) -> Floats:
        decode, fluid, increment = (
            np.interp(sequences, SEQUENCES, table[0])
            for table in (tables.decode_s, tables.fluid_s, tables.mean_increment_s)
        )
        free = 1.0 - rate * increment
        stretched = np.where(free > 0.0, decode / np.where(free > 0.0, free, 1.0), np.inf)
        return rate * output * np.maximum(stretched, fluid) - sequences

    nodes = np.flatnonzero(gap(SEQUENCES) <= 0.0)
    with np.errstate(invalid="ignore"):
        point = point_of(rate, tables, bins)
    assert point.overloaded[0] == (not len(nodes))
    if len(nodes):
        before = SEQUENCES[nodes[0] - 1] if nodes[0] else 0.0
        scan = np.linspace(before, SEQUENCES[nodes[0]], 2001)
        first = scan[np.flatnonzero(gap(scan) <= 1e-12)[0]]
        assert point.sequences[0] == pytest.approx(first, abs=(scan[1] - scan[0]) * 1.01)
        assert point.sequences[0] == pytest.approx(rate * output * point.step_s[0], rel=1e-6)


@given(random_tables())
@settings(max_examples=100)
def test_the_load_never_falls_as_the_rate_rises(case: tuple[TrafficTables, WorkloadBins]) -> None:
    tables, bins = case
    rates = np.geomspace(1e-4, 1e3, 400)
    with np.errstate(invalid="ignore"):
        point = point_of(rates, tables, bins, budget=4096.0)
    assert (np.diff(point.overloaded.astype(int)) >= 0).all()
    steady = ~point.overloaded
    block, bounds = 16, 1e-9
    for name, values in {
        "sequences": point.sequences,
        "step": point.step_s,
        "prefill load": point.prefill_load,
        "budget load": point.budget_load,
        "elasticity": point.decode_elasticity,
        "deviation": point.deviation,
        "slots": sequences_needed(point),
        "KV cache": kv_tokens_needed(point, bins, block),
    }.items():
        seen = values[steady]
        assert (np.diff(seen) >= -bounds * np.abs(seen[1:])).all(), name


def test_the_spread_of_a_birth_death_process() -> None:
    """Poisson births, deaths at n/(o·(a + b·n)): the product-form variance against N/(1 − ψ)."""
    a, b, output = 5e-3, 1e-4, 200.0
    bins = lengths(prompt=1.0, output=output)
    steps = linear_steps(fixed_s=a, per_sequence_s=b)
    for rate in (10.0, 25.0, 35.0):
        point = point_of(rate, tables_of(steps, bins), bins)
        n = np.arange(1.0, 4000.0)
        log_weight = np.concatenate([[0.0], np.cumsum(np.log(rate * output * (a + b * n) / n))])
        weight = np.exp(log_weight - log_weight.max())
        weight /= weight.sum()
        mean = (np.arange(4000.0) * weight).sum()
        variance = (np.arange(4000.0) ** 2 * weight).sum() - mean**2
        assert point.sequences[0] == pytest.approx(mean, rel=0.12)
        assert point.deviation[0] ** 2 / point.sequences[0] == pytest.approx(variance / mean, rel=0.12)


def test_walls_by_hand() -> None:
    """λ = 20: ρ = .04, N = 25; ψ = bN/(a + bN); arrivals during a prefill λΔ/(1 − ρ) = 1/24."""
    bins = lengths()
    point = point_of(20.0, tables_of(LINEAR, bins), bins, budget=2048.0)
    sequences = 20.0 * 200.0 * A / (1.0 - 0.04 - 20.0 * 200.0 * B)
    assert sequences == pytest.approx(25.0)
    psi = B * sequences / (A + B * sequences)
    assert point.decode_elasticity[0] == pytest.approx(psi, rel=0.01)
    variance = sequences / (1.0 - psi) * 0.5 * (1.0 + (1.0 + 1.0 / 24.0) ** 2)
    assert point.deviation[0] == pytest.approx(np.sqrt(variance), rel=0.01)
    assert sequences_needed(point)[0] == pytest.approx(sequences + 2.3263 * np.sqrt(variance), rel=0.01)
    # 20/s × 1,000 tokens × 6 ms wait for a budget of 2,048 − 25
    assert point.budget_load[0] == pytest.approx(0.04 + 20.0 * 1000.0 * 6e-3 / (2048.0 - 25.0), rel=1e-6)
    context, sigma = 1100.0 + 8.0, 200.0 / np.sqrt(12.0)
    spread = np.sqrt(variance * context**2 + sequences * sigma**2)
    needed = kv_tokens_needed(point, bins, 16)
    assert needed[0] == pytest.approx(sequences * context + 2.3263 * spread, rel=0.01)


def test_the_longest_request_always_needs_its_place() -> None:
    bins = lengths()
    point = point_of(1e-9, tables_of(LINEAR, bins), bins)
    assert kv_tokens_needed(point, bins, 16)[0] == 1200.0 + 16.0


def test_a_budget_full_of_decoding_sequences_leaves_no_room() -> None:
    bins = lengths()
    point = point_of(20.0, tables_of(LINEAR, bins), bins, budget=25.0)
    assert np.isinf(point.budget_load[0])


def test_further_chunks_hold_the_queue_for_their_steps() -> None:
    """A prompt in three chunks takes its own prefill and two more decode steps from whoever waits behind it."""
    bins = lengths()
    point = point_of(20.0, tables_of(LINEAR, bins), bins)
    queue = with_further_chunks(point, np.array([[3.0]]), bins)
    assert queue.increment_s[0, 0] == pytest.approx(2e-3 + 2 * 6e-3)
    assert queue.prefill_load[0] == pytest.approx(20.0 * 14e-3)
    assert queue.step_s[0] == point.step_s[0]
    whole = with_further_chunks(point, np.ones((1, 1)), bins)
    assert whole.prefill_load[0] == pytest.approx(point.prefill_load[0], rel=1e-12)
