"""Speculative decoding at a design: it gains alone, and is a null move in a large batch."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from optimizer.arithmetic.speculative import Speculation, speculating
from optimizer.evaluate import prepare
from optimizer.mechanisms.chosen import Chosen
from optimizer.mechanisms.effect import Effect, Figures
from optimizer.mechanisms.speculation import BreakEven, Drafts, break_even, speculative_decoding
from optimizer.outcome import Worth
from optimizer.traffic.speculative_bins import in_steps
from tests.optimizer.mechanisms.conftest import Design

CHAT = Drafts(4, 0.6, 0.1)


def tried(chosen: Chosen, drafts: Drafts) -> tuple[BreakEven, Effect]:
    found = break_even(chosen, drafts)
    return found, speculative_decoding(chosen, found)


def figures(chosen: Chosen, speculation: Speculation) -> Figures:
    replicas = speculating(chosen.replicas, speculation)
    physics = prepare(replicas, in_steps(chosen.bins, speculation.kept), chosen.physics.spread)
    return chosen.figures(chosen.candidates(physics), speculation.kept)[0]


def test_a_small_batch_gains(design: Design) -> None:
    chosen = design(rate=0.2, slo="tpot: {p99: 20 ms}")
    found, effect = tried(chosen, CHAT)
    assert found.running.sequences < 8
    assert found.running.speed_up is not None
    assert found.running.speed_up > 1.5
    assert effect.worth is Worth.GAINS
    assert effect.using.figures is not None
    assert effect.without.figures is not None
    assert effect.using.figures.tpot_p99_s is not None
    assert effect.without.figures.tpot_p99_s is not None
    assert effect.using.figures.tpot_p99_s < effect.without.figures.tpot_p99_s / 1.4
    assert "times as fast" in effect.reason


def test_a_large_batch_is_a_null_move(design: Design) -> None:
    """The same drafts on many short replies: they lose rate and time, and the answer says so."""
    found, effect = tried(
        design(rate=300, prompt=60, output=100, slo="tpot: {p99: 100 ms}", part="l40s-48gb", more="risk: 0.5"), CHAT
    )
    assert found.running.speed_up is not None
    assert found.running.speed_up <= 1.0
    assert found.null_from is not None
    assert found.null_from <= found.running.sequences
    assert (effect.worth, effect.reason.split(":")[0]) == (Worth.LOSES, "a null move")


def test_beyond_the_break_even_nothing_is_gained(design: Design) -> None:
    found, _ = tried(
        design(rate=300, prompt=60, output=100, slo="tpot: {p99: 100 ms}", part="l40s-48gb", more="risk: 0.5"), CHAT
    )
    assert found.null_from is not None
    for each in found.curve:
        assert each.speed_up is not None
        assert each.acceptance_needed is not None
        assert (each.speed_up > 1.0) == (each.acceptance_needed < CHAT.acceptance)  # type: ignore[operator]
        if each.sequences >= found.null_from:
            assert each.speed_up <= 1.0
    assert found.curve[0].speed_up is not None
    assert found.curve[0].speed_up > 1.5


def test_without_an_acceptance_only_what_is_needed_is_said(design: Design) -> None:
    found, effect = tried(design(), Drafts(4))
    assert (found.kept, found.null_from, found.running.speed_up) == (None, None, None)
    assert (effect.worth, effect.gain) == (Worth.NOT_STATED, 0.0)
    assert "must be accepted" in effect.reason
    needed = [each.acceptance_needed for each in found.curve]
    assert None not in needed
    assert needed == sorted(needed)  # type: ignore[type-var]


def test_no_batch_is_larger_than_the_cache(design: Design) -> None:
    found, effect = tried(design(prompt=30000, output=500, rate=0.1, slo="", part="l40s-48gb"), Drafts(4, 0.8, 0.0))
    assert found.most_sequences < 64
    assert [each.sequences for each in found.curve] == [each for each in (1, 4, 16) if each <= found.most_sequences]
    assert found.null_from is None
    assert f"up to the {found.most_sequences} that fit" in effect.reason


def test_drafts_that_cannot_pay_are_told(design: Design) -> None:
    found = break_even(design(), Drafts(1, 0.5, 1.0))
    assert found.running.acceptance_needed is None
    assert found.null_from == 1


def test_no_draft_is_the_design(design: Design) -> None:
    chosen = design()
    same = figures(chosen, Speculation(0, 0.5, 0.5))
    assert same.highest_rate_per_s == pytest.approx(chosen.now.highest_rate_per_s, rel=1e-6)
    assert same.ttft_p99_s == pytest.approx(chosen.now.ttft_p99_s)
    assert same.tpot_p99_s == pytest.approx(chosen.now.tpot_p99_s)


def test_at_no_load_a_token_takes_a_step_over_the_tokens_that_it_keeps(design: Design) -> None:
    chosen = design(rate=0.001, slo="")
    speculation = Speculation(4, 0.8, 0.1)
    step_s = speculating(chosen.replicas, speculation).step_seconds(
        0.0, 0.0, 0.0, 1.0, float(chosen.bins.mean_context[0])
    )
    assert figures(chosen, speculation).tpot_p99_s == pytest.approx(step_s[0, 0] / speculation.kept, rel=0.01)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 8), st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.0, 0.5))
def test_more_acceptance_never_loses(design: Design, drafted: int, one: float, other: float, cost: float) -> None:
    chosen = design()
    low, high = (figures(chosen, Speculation(drafted, each, cost)) for each in sorted((one, other)))
    assert high.highest_rate_per_s >= low.highest_rate_per_s * (1.0 - 1e-3)
    assert low.tpot_p99_s is None or high.tpot_p99_s is not None
    if low.tpot_p99_s is not None and high.tpot_p99_s is not None:
        assert high.tpot_p99_s <= low.tpot_p99_s * (1.0 + 1e-3)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 8), st.floats(0.0, 0.5))
def test_drafts_that_are_never_accepted_never_gain(design: Design, drafted: int, cost: float) -> None:
    chosen = design()
    found = figures(chosen, Speculation(drafted, 0.0, cost))
    assert found.highest_rate_per_s <= chosen.now.highest_rate_per_s * (1.0 + 1e-3)
    assert np.isfinite(found.highest_rate_per_s)
