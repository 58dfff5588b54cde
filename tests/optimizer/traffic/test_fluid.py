from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from optimizer.traffic.fluid import OperatingPoint, TrafficTables, kv_tokens_needed, operating_point, sequences_needed
from optimizer.traffic.step_tables import SEQUENCES, SMALLEST_CHUNK_TOKENS, key_tables, prefill_holds
from optimizer.traffic.workload_bins import WorkloadBins, constant_lengths
from tests.optimizer.traffic.linear_steps import LinearSteps, linear_steps

Floats = NDArray[np.float64]
MANY_TOKENS = 1e6


def lengths(prompt: float = 1000.0, output: float = 200.0) -> WorkloadBins:
    return constant_lengths(np.array([prompt]), np.array([output]), np.zeros(1))


def tables_of(steps: LinearSteps, bins: WorkloadBins, budget: float = MANY_TOKENS) -> TrafficTables:
    tables = key_tables(steps, bins)
    hold = prefill_holds(steps, bins, np.full(steps.count, budget))
    return TrafficTables(tables.decode_s, tables.fluid_s, hold, tables.added_s, tables.further_chunk_s)


def point_of(rate: float | Floats, tables: TrafficTables, bins: WorkloadBins, budget: float = 1e6) -> OperatingPoint:
    """Operating points of one candidate at one or many rates."""
    rates = np.atleast_1d(np.asarray(rate, dtype=np.float64))
    rows = TrafficTables(*(np.repeat(getattr(tables, field.name), len(rates), axis=0) for field in fields(tables)))
    return operating_point(rates, np.ones(len(rates)), rows, bins, np.full(len(rates), budget))


A, B, KAPPA = 5e-3, 4e-5, 2e-6
LINEAR = linear_steps(fixed_s=A, per_sequence_s=B, per_token_s=KAPPA)


@pytest.mark.parametrize("rate", [1.5, 5.0, 20.0, 60.0])
def test_the_fixed_point_of_a_linear_step_has_a_closed_form(rate: float) -> None:
    """N = λ·o·T, T = a + b·N + λ·T·Δ  ⇒  N = λ·o·a/(1 − λ·Δ − λ·o·b)."""
    bins = lengths()
    rho = rate * KAPPA * 1000.0
    sequences = rate * 200.0 * A / (1.0 - rho - rate * 200.0 * B)
    point = point_of(rate, tables_of(LINEAR, bins), bins)
    assert not point.overloaded[0]
    assert point.sequences[0] == pytest.approx(sequences, rel=1e-9)
    assert point.step_s[0] == pytest.approx((A + B * sequences) / (1.0 - rho), rel=1e-9)
    assert point.queue_load[0] == pytest.approx(rho, rel=1e-9)
    assert point.decode_s[0] == pytest.approx(A + B * sequences, rel=1e-9)
    assert point.hold_s[0, 0] == pytest.approx(A + B * sequences + KAPPA * 1000.0, rel=1e-9)
    assert point.queue_s[0, 0] == point.added_s[0, 0] == pytest.approx(KAPPA * 1000.0, rel=1e-9)


def test_overload_begins_where_the_closed_form_leaves_the_table() -> None:
    """λ·o·(a + 1024·b) = 1024·(1 − λ·Δ); the load is the rate over that."""
    bins, most = lengths(), SEQUENCES[-1]
    limit = most / (200.0 * (A + most * B) + most * KAPPA * 1000.0)
    point = point_of(limit * np.array([0.3, 0.99999, 1.00001]), tables_of(LINEAR, bins), bins)
    np.testing.assert_array_equal(point.overloaded, [False, False, True])
    np.testing.assert_allclose(point.load, [0.3, 0.99999, 1.00001], rtol=1e-9)
    assert point.sequences[1] == pytest.approx(most, rel=1e-3)


def test_an_overloaded_row_is_no_nan() -> None:
    bins = lengths()
    point = point_of(1.5 / (KAPPA * 1000.0), tables_of(LINEAR, bins), bins)
    assert point.overloaded[0]
    for field in fields(point):
        assert not np.isnan(getattr(point, field.name)).any(), field.name


@pytest.mark.parametrize(("prompt", "output"), [(1000.0, 200.0), (8000.0, 30.0)])
def test_a_lone_request_decodes_without_anybody_s_prefill(prompt: float, output: float) -> None:
    """At a rate of nothing the mean step is the step of one sequence, however long the prompts are."""
    bins = lengths(prompt, output)
    point = point_of(1e-9, tables_of(LINEAR, bins), bins)
    assert point.step_s[0] == pytest.approx(A + B, rel=1e-6)
    assert point.sequences[0] == pytest.approx(1e-9 * output * (A + B), rel=1e-6)
    assert point.deviation[0] ** 2 == pytest.approx(point.sequences[0], rel=1e-3)
    assert point.queue_load[0] < 1e-9


def test_the_mean_step_is_never_below_the_fluid_floor() -> None:
    """A floor of c + d·N above D + λTΔ gives N = λ·o·c/(1 − λ·o·d)."""
    bins = lengths()
    c, d, rate = 20e-3, 6e-5, 10.0
    tables = tables_of(LINEAR, bins)
    floor = c + d * SEQUENCES[None, :]
    raised = TrafficTables(tables.decode_s, floor, tables.hold_s, tables.added_s, tables.further_chunk_s)
    point = point_of(rate, raised, bins)
    sequences = rate * 200.0 * c / (1.0 - rate * 200.0 * d)
    assert point.sequences[0] == pytest.approx(sequences, rel=1e-9)
    assert point.step_s[0] == pytest.approx(c + d * sequences, rel=1e-9)


def test_a_prompt_in_chunks_holds_the_queue_for_its_steps() -> None:
    """1,000 tokens in steps of 512 beside 25 sequences: three chunks, so two more steps, and a block in each."""
    bins = lengths()
    point = point_of(20.0, tables_of(LINEAR, bins, budget=512.0), bins, budget=512.0)
    decode = A + B * point.sequences[0]
    assert 12.0 < point.sequences[0] < 100.0
    further = KAPPA * SMALLEST_CHUNK_TOKENS
    assert point.queue_s[0, 0] == pytest.approx(KAPPA * 1000.0 + 2.0 * (decode + further), rel=1e-9)
    assert point.hold_s[0, 0] == pytest.approx(3.0 * decode + KAPPA * 1000.0, rel=1e-9)
    assert point.queue_load[0] == pytest.approx(20.0 * point.queue_s[0, 0], rel=1e-12)


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
    return TrafficTables(decode, fluid, increment, increment[:, -1], np.array([1e-4])), bins


@given(random_tables(), st.floats(0.0, 1.2), st.sampled_from([512.0, 4096.0, 1e6]))
def test_the_operating_point_is_the_first_crossing(
    case: tuple[TrafficTables, WorkloadBins], load: float, budget: float
) -> None:
    """Against a scan of N = λ·o·T(N), T from its definition at the nodes and interpolated between them."""
    tables, bins = case
    output = float(bins.mean_output[0])
    rate = 10.0 ** (4.0 * load - 2.0) / output
    room = np.maximum(budget - SEQUENCES, 16.0)
    chunks = 0.9 * np.ceil(100.0 / room) + 0.1 * np.ceil(5000.0 / room)
    carried = chunks * SEQUENCES / output
    hold = 0.9 * tables.hold_s[0, :, 0] + 0.1 * tables.hold_s[0, :, 1]
    mixed = tables.decode_s[0] + carried * (hold / chunks - tables.decode_s[0])
    step = np.maximum.accumulate(np.maximum(mixed, tables.fluid_s[0]))

    def gap(sequences: Floats) -> Floats:
        return rate * output * np.interp(sequences, SEQUENCES, step) - sequences

    settled = np.flatnonzero(gap(SEQUENCES) <= 0.0)
    point = point_of(rate, tables, bins, budget)
    assert point.overloaded[0] == (not len(settled))
    if len(settled):
        scan = np.linspace(SEQUENCES[settled[0] - 1], SEQUENCES[settled[0]], 2001)
        first = scan[np.flatnonzero(gap(scan) <= 1e-12)[0]]
        assert point.sequences[0] == pytest.approx(first, abs=(scan[1] - scan[0]) * 1.01)
        assert point.sequences[0] == pytest.approx(rate * output * point.step_s[0], rel=1e-6, abs=1e-9)


@given(random_tables(), st.sampled_from([512.0, 4096.0, 1e6]))
@settings(max_examples=100)
def test_the_load_never_falls_as_the_rate_rises(case: tuple[TrafficTables, WorkloadBins], budget: float) -> None:
    tables, bins = case
    point = point_of(np.geomspace(1e-4, 1e3, 400), tables, bins, budget)
    assert (np.diff(point.overloaded.astype(int)) >= 0).all()
    steady = ~point.overloaded
    for name, values in {
        "sequences": point.sequences,
        "step": point.step_s,
        "decode step": point.decode_s,
        "steps of the shorter prompt": point.hold_s[:, 0],
        "steps of the longer prompt": point.hold_s[:, 1],
        "queue of the longer prompt": point.queue_s[:, 1],
        "queue load": point.queue_load,
        "budget load": point.budget_load,
        "load": point.load,
        "deviation": point.deviation,
        "slots": sequences_needed(point),
        "KV cache": kv_tokens_needed(point, bins, 16, np.ones(1)),
    }.items():
        seen = values[steady]
        finite = seen[np.isfinite(seen)]
        assert np.isinf(seen[len(finite) :]).all(), name
        assert (np.diff(finite) >= -1e-9 * np.abs(finite[1:])).all(), name


def test_the_spread_of_a_birth_death_process() -> None:
    """Poisson births, deaths at n/(o·(a + b·n)): never fewer slots than the product form needs, nor twice the variance.

    What is above it stands for the arrivals that pile up during a prefill, which this process does not have.
    """
    a, b, output = 5e-3, 1e-4, 200.0
    bins = lengths(prompt=1.0, output=output)
    steps = linear_steps(fixed_s=a, per_sequence_s=b)
    for rate in (5.0, 10.0, 25.0):
        point = point_of(rate, tables_of(steps, bins), bins)
        n = np.arange(1.0, 4000.0)
        log_weight = np.concatenate([[0.0], np.cumsum(np.log(rate * output * (a + b * n) / n))])
        weight = np.exp(log_weight - log_weight.max())
        weight /= weight.sum()
        mean = (np.arange(4000.0) * weight).sum()
        variance = (np.arange(4000.0) ** 2 * weight).sum() - mean**2
        assert point.sequences[0] == pytest.approx(mean, rel=0.12)
        ratio = point.deviation[0] ** 2 / point.sequences[0] / (variance / mean)
        assert 0.95 < ratio < 2.0


def test_walls_by_hand() -> None:
    """λ = 20: ρ = .04, N = 25, T = 6.25 ms; the highest rate leaves N = 1024."""
    bins = lengths()
    point = point_of(20.0, tables_of(LINEAR, bins), bins, budget=2048.0)
    sequences = 20.0 * 200.0 * A / (1.0 - 0.04 - 20.0 * 200.0 * B)
    assert sequences == pytest.approx(25.0)
    load = 20.0 * (200.0 * (A + 1024.0 * B) + 1024.0 * KAPPA * 1000.0) / 1024.0
    assert point.load[0] == pytest.approx(load, rel=1e-9)
    clumping = (1.0 + 20.0 / (1.0 - load) * 2e-3) ** 2
    variance = 25.0 / (1.0 - load) * 0.5 * (1.0 + clumping)
    assert point.deviation[0] == pytest.approx(np.sqrt(variance), rel=1e-6)
    assert sequences_needed(point)[0] == pytest.approx(25.0 + 2.3263479 * np.sqrt(variance), rel=1e-6)
    # 20/s × 1,000 tokens arrive for a budget of 2,048 − 25 every 6.25 ms
    assert point.budget_load[0] == pytest.approx(20.0 * 1000.0 * 6.25e-3 / (2048.0 - 25.0), rel=1e-6)
    context, sigma = 1100.0 + 8.0, 200.0 / np.sqrt(12.0)
    spread = np.sqrt(variance * context**2 + 25.0 * sigma**2)
    assert kv_tokens_needed(point, bins, 16, np.ones(1))[0] == pytest.approx(
        25.0 * context + 2.3263479 * spread, rel=1e-6
    )


def test_the_longest_request_always_needs_its_place() -> None:
    bins = lengths()
    point = point_of(1e-9, tables_of(LINEAR, bins), bins)
    assert kv_tokens_needed(point, bins, 16, np.ones(1))[0] == 1200.0 + 16.0
    assert kv_tokens_needed(point, bins, 16, np.array([8.0]))[0] == 8.0 * 1216.0  # in any of eight attention groups


def test_a_budget_full_of_decoding_sequences_leaves_no_room() -> None:
    bins = lengths()
    point = point_of(20.0, tables_of(LINEAR, bins), bins, budget=25.0)
    assert np.isinf(point.budget_load[0])
