"""Speculative decoding as laws: what is kept, what verifying costs, and where it stops paying."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.arithmetic.replicas import Replicas
from optimizer.arithmetic.speculative import (
    Speculation,
    acceptance_for,
    kept_tokens,
    needed_tokens,
    speculating,
    verify_seconds,
)
from tests.optimizer.arithmetic.conftest import MakeReplicas

CHANCES = st.floats(0.0, 1.0)
DRAFTED = st.integers(0, 16)
BATCHES = np.array([[1.0, 4.0, 16.0, 64.0, 256.0, 1024.0]])


def gain(speculation: Speculation, decode_s: np.ndarray, verify_s: np.ndarray) -> np.ndarray:
    needed = needed_tokens(verify_s / decode_s, speculation.drafted, speculation.draft_cost)
    return speculation.kept / needed - 1.0


@pytest.fixture(scope="module")
def llama(make_replicas: MakeReplicas) -> Replicas:
    return make_replicas("llama-3.1-8b")


def test_the_field_s_example() -> None:
    """Four drafts at 0.8 keep 3.36 tokens; at 0.15 of a step each a lone sequence is 2.1 times as fast."""
    speculation = Speculation(4, 0.8, 0.15)
    assert speculation.kept == pytest.approx(1 + 0.8 + 0.64 + 0.512 + 0.4096)
    assert float(gain(speculation, np.ones(1), np.ones(1))[0]) == pytest.approx(1.10, abs=0.005)


@given(CHANCES, CHANCES, DRAFTED)
def test_more_acceptance_and_more_drafts_never_keep_less(one: float, other: float, drafted: int) -> None:
    low, high = sorted((one, other))
    assert 1.0 <= kept_tokens(low, drafted) <= kept_tokens(high, drafted) <= drafted + 1
    assert kept_tokens(low, drafted) <= kept_tokens(low, drafted + 1)


@given(CHANCES, st.integers(1, 16))
def test_the_acceptance_that_is_needed_keeps_what_is_needed(chance: float, drafted: int) -> None:
    needed = kept_tokens(chance, drafted)
    found = acceptance_for(needed, drafted)
    assert found is not None
    assert kept_tokens(found, drafted) == pytest.approx(needed, abs=1e-9)
    assert acceptance_for(drafted + 1.001, drafted) is None
    assert acceptance_for(1.0, drafted) == 0.0


@given(DRAFTED, st.floats(0.0, 1.0), st.floats(1.0, 20.0))
def test_without_acceptance_nothing_is_ever_gained(drafted: int, cost: float, verify_steps: float) -> None:
    """A step that verifies is no shorter than one that decodes."""
    assert gain(Speculation(drafted, 0.0, cost), np.ones(1), np.array([verify_steps])) <= 0.0


@given(
    st.integers(1, 8), CHANCES, st.floats(0.0, 0.5), st.floats(1e-3, 1e-1), st.floats(1e-6, 1e-3),
    st.lists(st.integers(1, 2048), min_size=2, max_size=8),
)  # fmt: skip
def test_the_gain_falls_with_the_batch_between_reading_and_multiplying(
    drafted: int, acceptance: float, cost: float, read_s: float, token_s: float, batches: list[int]
) -> None:
    """Where a step takes the longer of reading weights and multiplying tokens, and nothing else."""
    sequences = np.array(sorted(batches), dtype=np.float64)
    decode_s, verify_s = (np.maximum(read_s, token_s * sequences * tokens) for tokens in (1, drafted + 1))
    assert np.all(np.diff(gain(Speculation(drafted, acceptance, cost), decode_s, verify_s)) <= 1e-12)


def test_no_draft_is_decoding(llama: Replicas) -> None:
    decode_s = llama.step_seconds(0.0, 0.0, 0.0, BATCHES, 300.0)
    assert verify_seconds(llama, 0, BATCHES, 300.0) == pytest.approx(decode_s)
    for cost in (0.0, 0.5):
        still = speculating(llama, Speculation(0, 0.8, cost))
        assert still.step_seconds(64.0, 1.0, 0.0, BATCHES, 300.0) == pytest.approx(
            llama.step_seconds(64.0, 1.0, 0.0, BATCHES, 300.0)
        )
        assert still.floor_seconds(9.0, 0.1, 0.0, BATCHES, 300.0) == pytest.approx(
            llama.floor_seconds(9.0, 0.1, 0.0, BATCHES, 300.0)
        )


@pytest.mark.parametrize(("model", "layout"), [("llama-3.1-8b", {}), ("deepseek-v3", {"tp": 8, "weights": "fp8"})])
def test_verifying_takes_at_least_a_decode_step_and_no_more_than_one_for_each_token(
    make_replicas: MakeReplicas, model: str, layout: dict[str, object]
) -> None:
    replicas = make_replicas(model, **layout)
    before = replicas.step_seconds(0.0, 0.0, 0.0, BATCHES, 1000.0)
    alone = before
    for drafted in (1, 2, 4, 8):
        found = verify_seconds(replicas, drafted, BATCHES, 1000.0)
        assert np.all(found >= before - 1e-12)
        assert np.all(found <= (drafted + 1) * alone)
        before = found


@pytest.mark.parametrize(("model", "layout"), [("llama-3.1-8b", {}), ("deepseek-v3", {"tp": 8, "weights": "fp8"})])
@pytest.mark.parametrize("context", [300.0, 1000.0])
def test_verifying_is_decoding_and_what_the_drafts_add_as_prompt_tokens(
    make_replicas: MakeReplicas, model: str, layout: dict[str, object], context: float
) -> None:
    """Within 4 %, as the architecture page says."""
    replicas = make_replicas(model, **layout)

    def as_prompts(tokens: int) -> np.ndarray:
        return replicas.step_seconds(tokens * BATCHES, BATCHES, context, 0.0, 0.0)

    other_s = replicas.step_seconds(0.0, 0.0, 0.0, BATCHES, context) + as_prompts(5) - as_prompts(1)
    assert verify_seconds(replicas, 4, BATCHES, context) == pytest.approx(other_s, rel=0.04)


def test_the_cache_is_read_once_for_all_drafts(llama: Replicas) -> None:
    """What a longer context adds to a step that verifies is what it adds to one that decodes."""
    short, long = 4000.0, 16000.0
    added = [
        verify_seconds(llama, drafted, BATCHES, long) - verify_seconds(llama, drafted, BATCHES, short)
        for drafted in (0, 4)
    ]
    assert added[0] == pytest.approx(added[1], rel=1e-6)


def test_a_speculative_step_drafts_and_verifies(llama: Replicas) -> None:
    speculative = speculating(llama, Speculation(4, 0.8, 0.1))
    decode_s = llama.step_seconds(0.0, 0.0, 0.0, BATCHES, 300.0)
    expected = verify_seconds(llama, 4, BATCHES, 300.0) + 0.4 * decode_s
    assert speculative.step_seconds(0.0, 0.0, 0.0, BATCHES, 300.0) == pytest.approx(expected)
    assert np.all(speculative.floor_seconds(0.0, 0.0, 0.0, BATCHES, 300.0) <= expected + 1e-12)
    assert np.all(speculative.take(np.array([0])).step_seconds(0.0, 0.0, 0.0, BATCHES, 300.0) == expected)


def test_it_gains_alone_and_is_a_null_move_in_a_large_batch_of_short_contexts(llama: Replicas) -> None:
    decode_s = llama.step_seconds(0.0, 0.0, 0.0, BATCHES, 200.0)
    found = gain(Speculation(4, 0.7, 0.1), decode_s, verify_seconds(llama, 4, BATCHES, 200.0))[0]
    assert found[0] > 0.9
    assert found[-1] < 0.0
    assert np.all(np.diff(found) < 0.0)


def test_long_contexts_keep_the_gain_in_a_large_batch(llama: Replicas) -> None:
    """Reading the cache grows with the batch and is shared by the drafts, so the rule of the large batch ends here."""
    decode_s = llama.step_seconds(0.0, 0.0, 0.0, BATCHES, 16000.0)
    found = gain(Speculation(4, 0.7, 0.1), decode_s, verify_seconds(llama, 4, BATCHES, 16000.0))[0]
    assert found[-1] > 0.5
