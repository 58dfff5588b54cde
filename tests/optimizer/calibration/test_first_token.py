import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.corrections import FirstTokenFactors
from optimizer.arithmetic.arrays import Floats
from optimizer.calibration.first_token import FirstTokens, fit_first_token

# Seconds of host time and steps, own prefill, burst and queue of ten runs: few clients to many, short prompts and long.
PARTS = np.array(
    [
        [0.08, own, burst * clients, 0.0 if clients < 64 else 0.3]
        for own, burst in ((0.02, 0.002), (0.3, 0.02))
        for clients in (1, 4, 16, 64, 128)
    ]
)
# What one client that waits adds: an answer of 4 s over the clients.
WAITING_S = np.tile(4.0 / np.array([1.0, 4.0, 16.0, 64.0, 128.0]), 2)
factor = st.floats(0.4, 2.5)


def fitted(
    measured: Floats, uncorrected: Floats, parts: Floats, waiting_s: Floats | None = None
) -> FirstTokenFactors | None:
    """Factors of runs of one stack; without a word about it no client can wait."""
    waiting = np.zeros(len(measured)) if waiting_s is None else waiting_s
    tokens = FirstTokens(measured, uncorrected, parts, waiting, np.zeros(len(measured), dtype=np.int64))
    (found,) = fit_first_token(tokens, 1)
    return found


def ttft(*factors: float) -> Floats:
    """Logarithms of TTFT under factors, (10,)."""
    found: Floats = np.log(PARTS @ np.array([*factors, 1.0]))
    return found


@settings(deadline=None, max_examples=40)
@given(factor, factor, factor)
def test_factors_that_hold_lower_the_error_of_every_kind_of_run(fixed: float, own: float, burst: float) -> None:
    measured = ttft(fixed, own, burst)
    found = fitted(measured, ttft(1.0, 1.0, 1.0), PARTS)
    before = np.abs(measured - ttft(1.0, 1.0, 1.0))
    if found is not None:
        after = np.abs(measured - ttft(found.fixed, found.own_prefill, found.burst))
        assert np.median(after) < np.median(before)
    else:  # what is hardly off needs no factor
        assert np.median(before) < 0.25


def test_few_clients_and_many_may_be_off_in_opposite_directions() -> None:
    found = fitted(ttft(0.5, 1.0, 2.0), ttft(1.0, 1.0, 1.0), PARTS)
    assert found is not None
    assert found.fixed < 0.7
    assert found.burst > 1.6


def test_runs_as_predicted_have_no_factors() -> None:
    assert fitted(ttft(1.0, 1.0, 1.0), ttft(1.0, 1.0, 1.0), PARTS) is None


def test_what_does_not_hold_for_runs_left_out_is_not_kept() -> None:
    # every other run at twice, the others at half the prediction
    torn = ttft(1.0, 1.0, 1.0) + np.log(np.tile([2.0, 0.5], 5))
    assert fitted(torn, ttft(1.0, 1.0, 1.0), PARTS) is None


def test_the_error_of_left_out_runs_is_held_against_no_correction_not_against_scaled_steps() -> None:
    # steps that were corrected by 3 took the first token with them; measured is what was predicted before
    scaled = PARTS * np.array([1.0, 3.0, 3.0, 1.0])
    assert fitted(ttft(1.0, 1.0, 1.0), ttft(1.0, 1.0, 1.0), scaled) is None
    assert fitted(ttft(1.0, 1.0, 1.0), np.log(scaled.sum(axis=1)), scaled) is not None


def test_one_run_moves_by_half() -> None:
    one = np.array([[0.1, 0.1, 0.1, 0.0]])
    found = fitted(np.log(one.sum(axis=1)) + np.log(2.25), np.log(one.sum(axis=1)), one)
    assert found is not None
    assert list(dict(found).values()) == pytest.approx([1.5, 1.5, 1.5, 0.0], rel=0.02)
    assert isinstance(found, FirstTokenFactors)


def test_the_order_of_the_runs_does_not_matter() -> None:
    measured = ttft(0.5, 1.3, 2.0)
    forward = fitted(measured, ttft(1.0, 1.0, 1.0), PARTS)
    backward = fitted(measured[::-1], ttft(1.0, 1.0, 1.0)[::-1], PARTS[::-1])
    assert forward is not None
    assert backward is not None
    assert list(dict(forward).values()) == pytest.approx(list(dict(backward).values()), rel=1e-6)


def test_a_client_that_waits_for_anothers_answer_is_told_from_factors() -> None:
    measured = np.log(np.exp(ttft(1.2, 0.8, 1.0)) + 0.8 * WAITING_S)
    found = fitted(measured, ttft(1.0, 1.0, 1.0), PARTS, WAITING_S)
    assert found is not None
    assert found.waiting_clients == pytest.approx(0.8, rel=0.2)
    alone = fitted(ttft(0.5, 1.3, 2.0), ttft(1.0, 1.0, 1.0), PARTS, WAITING_S)
    assert alone is not None
    assert alone.waiting_clients == 0.0


def test_every_stack_has_its_own_factors_near_those_of_all() -> None:
    parts = np.vstack([PARTS, PARTS])
    measured = np.concatenate([ttft(2.0, 1.0, 1.0), ttft(0.6, 1.0, 1.0)])
    stack = np.repeat([0, 1], len(PARTS))
    nobody = np.zeros(len(stack))
    tokens = FirstTokens(measured, np.log(parts.sum(axis=1)), parts, nobody, stack)
    slow, quick = fit_first_token(tokens, 2)
    assert slow is not None
    assert quick is not None
    assert slow.fixed > 1.5
    assert quick.fixed < 0.8
