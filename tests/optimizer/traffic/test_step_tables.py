from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.traffic.step_tables import (
    SEQUENCES,
    SMALLEST_CHUNK_TOKENS,
    at_sequences,
    key_tables,
    prefill_chunks,
    prefill_holds,
)
from optimizer.traffic.workload_bins import WorkloadBins, constant_lengths
from tests.optimizer.traffic.linear_steps import LinearSteps, linear_steps

STEPS = {"fixed_s": 4e-3, "network_s": 1e-3, "per_sequence_s": 2e-5, "per_context_s": 3e-8, "per_token_s": 5e-6}


def one_length(prompt: float, output: float = 200.0, hit: float = 0.0) -> WorkloadBins:
    return constant_lengths(np.array([prompt]), np.array([output]), np.array([hit]))


def holds(steps: LinearSteps, bins: WorkloadBins, budget: float) -> np.ndarray:
    return prefill_holds(steps, bins, np.array([budget]))


def increments(steps: LinearSteps, bins: WorkloadBins, budget: float) -> np.ndarray:
    """What the chunks add to the steps that carry them."""
    chunks = prefill_chunks(bins, np.array([budget]), np.maximum(SEQUENCES, 1.0)[None, :])
    return holds(steps, bins, budget) - chunks * key_tables(steps, bins).decode_s[:, :, None]


def test_decode_table_is_the_step_at_the_mean_context() -> None:
    """Beside nobody, as beside one sequence: a step that decodes has something to decode."""
    tables = key_tables(linear_steps(**STEPS), one_length(1000.0))
    np.testing.assert_allclose(tables.decode_s[0], 5e-3 + np.maximum(SEQUENCES, 1.0) * (2e-5 + 3e-8 * 1100.0))


def test_what_a_prompt_adds_at_most() -> None:
    """All of it in one chunk: tokens, and the pairs with all tokens before them."""
    steps = linear_steps(**STEPS, per_pair_s=2e-9)
    tables = key_tables(steps, one_length(4000.0, hit=0.25))
    assert tables.added_s[0, 0] == pytest.approx(5e-6 * 3000.0 + 2e-9 * 3000.0 * (1000.0 + 1500.0))
    assert tables.further_chunk_s[0] == pytest.approx(5e-6 * 16.0 + 2e-9 * 16.0 * 8.0)


def test_fluid_table_spreads_the_prompt_tokens_over_all_steps() -> None:
    """N sequences start N/E[o] requests per step."""
    tables = key_tables(linear_steps(**STEPS), one_length(1000.0))
    np.testing.assert_allclose(tables.fluid_s - tables.decode_s, 5e-6 * 1000.0 / 200.0 * SEQUENCES[None, :])


@given(
    st.floats(0.0, 1e-5), st.floats(0.0, 1e-8), st.floats(1.0, 20_000.0), st.floats(1.0, 3000.0), st.floats(0.0, 0.99)
)
def test_the_fluid_step_is_never_shorter_than_decoding_alone(
    per_token: float, per_pair: float, prompt: float, output: float, hit: float
) -> None:
    steps = linear_steps(fixed_s=1e-3, per_sequence_s=1e-5, per_token_s=per_token, per_pair_s=per_pair)
    tables = key_tables(steps, one_length(prompt, output, hit))
    assert (tables.fluid_s >= tables.decode_s).all()


@dataclass(frozen=True)
class Sawtooth(LinearSteps):
    """Steps that get shorter at some batch sizes, as tiles and waves of real kernels do."""

    def step_seconds(self, *arguments: object) -> np.ndarray:  # type: ignore[override]
        sequences = np.asarray(arguments[3], dtype=np.float64)
        return super().step_seconds(*arguments) + 1e-3 * (sequences % 3)  # type: ignore[arg-type]


def test_tables_are_running_maxima() -> None:
    smooth = linear_steps(**STEPS)
    jagged = Sawtooth(**{name: getattr(smooth, name) for name in smooth.__dataclass_fields__})
    bins = one_length(1000.0)
    raw = jagged.step_seconds(0.0, 0.0, 0.0, np.maximum(SEQUENCES, 1.0)[None, :], bins.mean_context[:, None])[0]
    assert (np.diff(raw) < 0.0).any()
    tables = key_tables(jagged, bins)
    expected = [raw[: node + 1].max() for node in range(len(raw))]
    np.testing.assert_allclose(tables.decode_s[0], expected)
    for table in (tables.decode_s, tables.fluid_s, holds(jagged, bins, 512.0)[:, :, 0]):
        assert (np.diff(table, axis=1) >= 0.0).all()


@pytest.mark.parametrize(
    ("prompt", "budget", "sequences", "chunks"),
    [
        (1000.0, 512.0, 12.0, 2),
        (1000.0, 512.0, 13.0, 3),
        (1000.0, 1001.0, 1.0, 1),
        (1000.0, 1000.0, 1.0, 2),
        (1001.0, 512.0, 12.0, 3),
        (1.0, 512.0, 511.0, 1),
        (1000.0, 512.0, 1024.0, 63),
    ],
)
def test_chunks_by_hand(prompt: float, budget: float, sequences: float, chunks: int) -> None:
    """500 tokens of a budget of 512 are free beside 12 sequences, 499 beside 13; never fewer than a block of 16."""
    found = prefill_chunks(one_length(prompt), np.array([budget]), np.array([[sequences]]))
    assert found.shape == (1, 1, 1)
    assert found[0, 0, 0] == chunks


def test_the_smallest_chunk_is_a_block() -> None:
    assert SMALLEST_CHUNK_TOKENS == 16.0


@pytest.mark.parametrize("budget", [512.0, 2048.0, 32768.0])
def test_the_increment_of_a_linear_step_does_not_depend_on_chunks(budget: float) -> None:
    """Every new token costs its time and its pairs with all tokens before it: s·t + p·s·(cached + s/2)."""
    new, cached = 3000.0, 1000.0
    steps = linear_steps(**STEPS, per_pair_s=2e-9)
    bins = one_length(new + cached, hit=cached / (new + cached))
    expected = 5e-6 * new + 2e-9 * new * (cached + new / 2.0)
    np.testing.assert_allclose(increments(steps, bins, budget), expected, rtol=1e-9)


@dataclass(frozen=True)
class ChunkLaunch(LinearSteps):
    """A step that carries any prompt takes a fixed time more."""

    def step_seconds(self, *arguments: object) -> np.ndarray:  # type: ignore[override]
        tokens = np.asarray(arguments[0], dtype=np.float64)
        return super().step_seconds(*arguments) + 1e-3 * (tokens > 0.0)  # type: ignore[arg-type]


def test_every_chunk_pays_its_launch() -> None:
    smooth = linear_steps(**STEPS)
    steps = ChunkLaunch(**{name: getattr(smooth, name) for name in smooth.__dataclass_fields__})
    found = increments(steps, one_length(4000.0), 2048.0)[0, :, 0]
    chunks = [2] * 12 + [3] * 7 + [4] * 2  # 4000/(2048 − N), N = 1, 1, 2 … 32, 48 … 384, 512 … 1024
    np.testing.assert_allclose(found, 5e-6 * 4000.0 + 1e-3 * np.array(chunks))


def test_a_prefix_cache_hit_shortens_the_prefill() -> None:
    steps = linear_steps(**STEPS, per_pair_s=1e-9)
    costs = [increments(steps, one_length(4000.0, hit=hit), 2048.0)[0, 0, 0] for hit in (0.0, 0.25, 0.5, 0.9)]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > costs[-1]
    # the cached part is still attended to: half of the pairs of the last half of a prompt are with the first half
    half = linear_steps(fixed_s=1e-3, per_pair_s=1e-9)
    np.testing.assert_allclose(increments(half, one_length(4000.0, hit=0.5), 8192.0), 1e-9 * 2000.0 * 3000.0)


@dataclass(frozen=True)
class SlowLargeChunks(LinearSteps):
    """A chunk above 1,000 tokens takes a fixed time more."""

    def step_seconds(self, *arguments: object) -> np.ndarray:  # type: ignore[override]
        tokens = np.asarray(arguments[0], dtype=np.float64)
        return super().step_seconds(*arguments) + 9e-3 * (tokens > 1000.0)  # type: ignore[arg-type]


def test_longer_prompts_never_take_less() -> None:
    """1,600 tokens add 8 + 9 ms in one slow chunk; 1,700 would add 8.5 ms and one more step in two fast ones."""
    bins = WorkloadBins(
        np.array([[100.0, 1600.0, 1700.0, 9000.0]]), np.full(4, 0.25), np.zeros((1, 1)), np.array([[100.0]]), np.ones(1)
    )
    smooth = linear_steps(**STEPS)
    steps = SlowLargeChunks(**{name: getattr(smooth, name) for name in smooth.__dataclass_fields__})
    found = holds(steps, bins, 1620.0)
    decode = key_tables(steps, bins).decode_s[0, 0]
    assert 2.0 * decode + 8.5e-3 < decode + 17e-3
    expected = [decode + 5e-4, decode + 17e-3, decode + 17e-3, 6.0 * (decode + 7.5e-3 + 9e-3)]
    np.testing.assert_allclose(found[0, 0], expected)
    assert (np.diff(found, axis=2) >= 0.0).all()
    assert (np.diff(found, axis=1) >= 0.0).all()


@given(st.floats(0.0, 2000.0))
def test_tables_are_read_linearly_and_end_flat(sequences: float) -> None:
    table = np.stack([3.0 + 2.0 * SEQUENCES, SEQUENCES**2])
    found = at_sequences(table, np.full(2, sequences))
    np.testing.assert_allclose(found, [np.interp(sequences, SEQUENCES, row) for row in table], rtol=1e-12)
