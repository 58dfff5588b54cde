"""Each mechanism is what the search would have evaluated, and its zero has a reason."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from optimizer.evaluate import highest_rate
from optimizer.mechanisms.choices import chunked_prefill, dp_attention, fp8_kv, prefix_cache
from optimizer.mechanisms.chosen import Chosen
from optimizer.mechanisms.effect import Effect, Figures, Setting
from optimizer.outcome import Mechanism, Worth
from optimizer.search.columns import candidates_of
from optimizer.topology.layouts import MAX_NUM_SEQS
from tests.optimizer.mechanisms.conftest import Design

DEEPSEEK = {
    "model": "deepseek-v3",
    "part": "h200-sxm-141gb",
    "prompt": 2000,
    "output": 600,
    "slo": "tpot: {p99: 100 ms}",
}


def rate(setting: Setting) -> float:
    assert setting.figures is not None
    return setting.figures.highest_rate_per_s


def test_the_design_carries_what_the_search_says(design: Design) -> None:
    chosen = design()
    problem, column = chosen.problem, chosen.column
    candidate = candidates_of(problem.physics, column)
    free = candidate.max_num_seqs[0] == MAX_NUM_SEQS[-1]
    alone = highest_rate(candidate, problem.question, chosen.rate_per_s)[0] * chosen.working_replicas
    assert chosen.now.highest_rate_per_s == pytest.approx(alone) if free else chosen.now.highest_rate_per_s >= alone
    assert chosen.now.highest_rate_per_s >= problem.demand.rate_per_s


@pytest.mark.parametrize("mechanism", [chunked_prefill, prefix_cache, fp8_kv, dp_attention])
def test_one_side_of_every_mechanism_is_the_design(design: Design, mechanism: Callable[[Chosen], Effect]) -> None:
    for chosen in (design(), design(hit=0.3), design(more="formats: {kv: [fp8]}"), design(**DEEPSEEK)):
        effect = mechanism(chosen)
        side = effect.using if effect.in_use else effect.without
        assert side.figures == chosen.now


def test_nothing_is_gained_by_prefixes_that_nobody_stated(design: Design) -> None:
    effect = prefix_cache(design())
    assert (effect.worth, effect.gain, effect.resolved) == (Worth.NOT_STATED, 0.0, None)
    assert "no shared prefixes are stated" in effect.reason


def test_prefixes_gain_and_cost_what_is_solved_without_them(design: Design) -> None:
    effect = prefix_cache(design(hit=0.5))
    assert effect.worth is Worth.GAINS
    assert effect.resolved is not None
    assert effect.resolved.usd_micro_per_hour == design().column.usd_micro_per_hour


def test_chunks_gain_where_long_prompts_meet_a_limit_of_tpot(design: Design) -> None:
    effect = chunked_prefill(design(prompt=16000, output=100, rate=0.5, slo="tpot: {p99: 40 ms}"))
    assert effect.in_use
    assert effect.worth is Worth.GAINS
    assert "take several steps" in effect.reason


def test_chunks_are_worth_little_to_prompts_that_fit_a_step(design: Design) -> None:
    effect = chunked_prefill(design())
    assert effect.gain is not None
    assert abs(effect.gain) < 0.02
    assert "no prompt is cut" in effect.reason


def test_fp8_cache_gains_where_its_room_binds(design: Design) -> None:
    effect = fp8_kv(design(prompt=30000, output=500, rate=0.1, slo="", part="l40s-48gb"))
    assert effect.worth is Worth.GAINS
    assert effect.gain is not None
    assert effect.gain > 0.3
    assert "room does not bind" in fp8_kv(design()).reason


def test_fp8_cache_is_turned_off_where_the_design_has_it(design: Design) -> None:
    effect = fp8_kv(design(more="formats: {kv: [fp8]}"))
    assert effect.in_use
    assert effect.resolved is not None
    assert (effect.resolved.value, effect.resolved.usd_micro_per_hour) == ("[bf16]", design().column.usd_micro_per_hour)


def test_a_part_without_fp8_has_no_fp8_cache(design: Design) -> None:
    effect = fp8_kv(design(part="a100-sxm-80gb"))
    assert (effect.worth, effect.gain) == (Worth.NOT_OFFERED, 0.0)
    assert "fp8" in effect.reason


def test_attention_of_a_dense_model_is_not_divided(design: Design) -> None:
    effect = dp_attention(design())
    assert (effect.worth, effect.gain) == (Worth.NOT_OFFERED, 0.0)
    assert "experts only" in effect.reason


def test_divided_attention_keeps_a_latent_cache_once(design: Design) -> None:
    chosen = design(**DEEPSEEK)
    effect = dp_attention(chosen)
    assert effect.worth in (Worth.GAINS, Worth.NEEDED)
    before, after = (
        chosen.physics_of([replace(chosen.row, dp_attention=dp)]).step_times for dp in (1, chosen.layout.tp)
    )
    assert before.kv_bytes_per_token[0] == pytest.approx(chosen.layout.tp * after.kv_bytes_per_token[0])


def test_what_is_needed_has_no_gain_in_numbers() -> None:
    nothing, something = Setting("off", Figures(0.0, None, None)), Setting("on", Figures(1.0, 0.1, 0.01))
    needed = Effect(Mechanism.FP8_KV, nothing, something, in_use=True, reason="")
    assert (needed.gain, needed.worth) == (None, Worth.NEEDED)
    harmful = Effect(Mechanism.FP8_KV, something, nothing, in_use=False, reason="")
    assert (harmful.gain, harmful.worth) == (-1.0, Worth.LOSES)


def test_what_is_overloaded_has_no_percentiles(design: Design) -> None:
    chosen = design()
    slow = chosen.candidates(chosen.physics_of([chosen.row]), np.array([512.0]))
    flooded = replace(chosen.problem, demand=replace(chosen.problem.demand, rate_per_s=1000.0))
    (figures,) = Chosen(chosen.spec, chosen.snapshot, flooded, chosen.column).figures(slow)
    assert (figures.ttft_p99_s, figures.tpot_p99_s) == (None, None)
    assert figures.highest_rate_per_s > 0.0
