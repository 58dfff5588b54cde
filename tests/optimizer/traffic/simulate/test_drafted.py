"""Steps that keep several tokens of an answer: what they keep, and what the engine makes of it."""

from dataclasses import replace

import numpy as np
import pytest

from optimizer.arithmetic.speculative import Speculation
from optimizer.traffic.simulate import Pipeline, Requests, Router, Served, draw_requests, serve
from optimizer.traffic.simulate.drafted import DraftedAnswers
from optimizer.traffic.simulate.work import Work
from requirements_specs.traces.trace import PrefixBlocks
from tests.optimizer.traffic.simulate.made import (
    BLOCK,
    chat,
    check_blocks_until_all_end,
    limits,
    requests_of,
    steps_for,
)
from tests.optimizer.traffic.simulate.test_pipeline import CASES

SPECULATION = Speculation(drafted=4, acceptance=0.7, draft_cost=0.1)


def accepting(acceptance: float) -> Speculation:
    return replace(SPECULATION, acceptance=acceptance)


def kept(answers: DraftedAnswers, request: int) -> list[int]:
    """Tokens of each step of a request, in their order."""
    left = [answers.tokens_left(request, steps) for steps in range(answers.steps[request] + 1)]
    return np.diff(left)[::-1].tolist()


def test_steps_keep_at_least_one_token_at_most_all_and_end_with_the_answer() -> None:
    outputs = np.random.default_rng(1).integers(1, 400, 10_000)  # more than are drawn at once
    answers = DraftedAnswers(outputs, SPECULATION, seed=2)
    for request in range(0, len(outputs), 7):
        tokens = kept(answers, request)
        assert sum(tokens) == outputs[request] - 1
        assert all(1 <= each <= 5 for each in tokens)
        assert answers.tokens_left(request, 0) == 0


@pytest.mark.parametrize("acceptance", [0.0, 0.3, 0.7, 0.95, 1.0])
def test_as_many_are_kept_on_average_as_the_law_says(acceptance: float) -> None:
    speculation = accepting(acceptance)
    outputs = np.full(40, 20_001)
    steps = DraftedAnswers(outputs, speculation, seed=3).steps
    assert 20_000 / steps.mean() == pytest.approx(speculation.kept, rel=5e-3)


def test_how_often_a_step_keeps_how_many_tokens() -> None:
    answers = DraftedAnswers(np.array([200_001]), SPECULATION, seed=4)
    share = np.bincount(kept(answers, 0)[:-1], minlength=6) / answers.steps[0]
    np.testing.assert_allclose(share, [0.0, 0.3, 0.7 * 0.3, 0.49 * 0.3, 0.343 * 0.3, 0.2401], atol=0.01)


def test_a_higher_acceptance_never_takes_more_steps() -> None:
    outputs = np.random.default_rng(5).integers(1, 400, 500)
    steps = [DraftedAnswers(outputs, accepting(each), seed=6).steps for each in (0.2, 0.5, 0.8)]
    assert (steps[0] >= steps[1]).all()
    assert (steps[1] >= steps[2]).all()
    assert (DraftedAnswers(outputs, accepting(0.2), seed=7).steps != steps[0]).any()


def test_a_request_that_computes_its_prompt_again_goes_on_with_its_draws() -> None:
    outputs = np.full(50, 300)
    untouched, answers = (DraftedAnswers(outputs, SPECULATION, seed=8) for _ in range(2))
    for request in range(50):
        before = kept(untouched, request)
        for at in (20, 3):  # twice
            steps_left = int(answers.steps[request]) - at
            tokens_left = answers.tokens_left(request, steps_left)
            assert answers.resume(request, steps_left) == answers.steps[request] + 1
            after = kept(answers, request)
            assert sum(after) == tokens_left - 1  # the step that ends the prompt gives one
        assert after[:-1] == before[23 : 22 + len(after)]
    last = DraftedAnswers(np.array([2]), SPECULATION, seed=9)
    assert last.resume(0, 1) == 1


def served(requests: Requests, speculation: Speculation | None, slots: int = 64, **options: bool) -> Served:
    return serve(
        steps_for(chat(), slots=slots),
        limits(slots=slots),
        1,
        requests,
        Router.ROUND_ROBIN,
        np.inf,
        speculation=speculation,
        **options,
    )


def test_without_an_accepted_draft_a_step_keeps_one_token() -> None:
    requests = draw_requests(chat(), 8.0, 2000, seed=5)
    plain, drafted = served(requests, None), served(requests, accepting(0.0))
    np.testing.assert_array_equal(plain.first_s, drafted.first_s)
    np.testing.assert_array_equal(plain.end_s, drafted.end_s)


def test_where_every_draft_is_accepted_a_step_keeps_all_and_one() -> None:
    requests = draw_requests(chat(), 8.0, 2000, seed=5)
    fifth = replace(requests, output_tokens=1 - (1 - requests.output_tokens) // 5)
    np.testing.assert_array_equal(served(requests, accepting(1.0)).end_s, served(fifth, None).end_s)


@pytest.mark.parametrize(("rate", "slots", "budget", "blocks"), CASES)
@pytest.mark.parametrize("router", list(Router))
def test_skipping_changes_nothing(rate: float, slots: int, budget: int, blocks: int, router: Router) -> None:
    workload = chat(rate)
    requests = draw_requests(workload, 4.0 * rate, 2000, seed=5)
    steps, engine = steps_for(workload, budget, slots), limits(budget, slots, blocks)
    horizon_s = 0.9 * requests.arrival_s[-1]
    skipped, walked = (
        serve(steps, engine, 2, requests, router, horizon_s, speculation=SPECULATION, skipping=skipping)
        for skipping in (True, False)
    )
    np.testing.assert_allclose(skipped.end_s, walked.end_s, rtol=1e-10)
    np.testing.assert_allclose(skipped.first_s, walked.first_s, rtol=1e-10)
    assert skipped.preemptions == walked.preemptions
    assert (skipped.preemptions > 0) == (blocks < 10**6)
    assert skipped.slots_filled == walked.slots_filled


def test_skipping_changes_nothing_beside_a_prefix_cache() -> None:
    requests = draw_requests(chat(), 16.0, 1500, seed=5)
    counts = requests.prompt_tokens // BLOCK
    numbers = np.concatenate([np.arange(count) + 10_000 * (i % 40) for i, count in enumerate(counts)])
    blocks = PrefixBlocks(numbers.astype(np.int32), np.cumsum(counts), BLOCK)
    requests = replace(requests, prefix_blocks=blocks)
    steps, engine = steps_for(chat()), limits(kv_blocks=700)
    skipped, walked = (
        serve(steps, engine, 1, requests, Router.PREFIX_AWARE, np.inf, speculation=SPECULATION, skipping=skipping)
        for skipping in (True, False)
    )
    np.testing.assert_allclose(skipped.end_s, walked.end_s, rtol=1e-10)
    np.testing.assert_array_equal(skipped.found_tokens, walked.found_tokens)
    assert skipped.found_tokens is not None
    assert skipped.found_tokens.sum() > 0


@pytest.mark.parametrize(("rate", "slots", "budget", "blocks"), CASES)
def test_the_cache_never_overflows_and_every_request_ends(rate: float, slots: int, budget: int, blocks: int) -> None:
    workload = chat(rate)
    requests = draw_requests(workload, 2.0 * rate, 1000, seed=6)
    engine, steps = limits(budget, slots, blocks), steps_for(workload, budget, slots)
    work = Work(steps, requests, SPECULATION)
    pipeline = Pipeline(steps, engine, work)
    pipeline.submit(range(len(requests)))
    check_blocks_until_all_end(pipeline, blocks)
    longest = requests.prompt_tokens + requests.output_tokens - 1
    assert np.isfinite(work.end_s).sum() == (np.ceil(longest / BLOCK) <= blocks).sum()


def test_the_cache_grows_by_what_is_kept() -> None:
    """A lone request holds the blocks of the tokens that it has at every time."""
    requests = replace(requests_of((0.0, 100, 200)), seed=3)
    steps = steps_for(chat())
    work = Work(steps, requests, SPECULATION)
    pipeline = Pipeline(steps, limits(), work)
    pipeline.submit([0])
    answers = DraftedAnswers(requests.output_tokens, SPECULATION, seed=3)
    pipeline.advance(1e-3)
    assert pipeline.kv_blocks_in_use == 7
    for step, tokens in enumerate(np.cumsum(kept(answers, 0))[:-1], start=1):
        pipeline.advance(work.first_s[0] + (step - 0.5) * steps.decode_s[1])
        assert pipeline.kv_blocks_in_use == -(-(100 + tokens) // BLOCK)


def test_one_that_is_preempted_comes_back() -> None:
    two = replace(requests_of((0.0, 64, 60), (0.0, 64, 60)), seed=1)
    steps = steps_for(chat())
    tight, ample = (
        serve(steps, limits(kv_blocks=blocks), 1, two, Router.ROUND_ROBIN, np.inf, speculation=SPECULATION)
        for blocks in (12, 100)
    )
    assert (tight.preemptions, ample.preemptions) == (1, 0)
    assert tight.first_s[1] == ample.first_s[1]
    assert tight.end_s[0] <= ample.end_s[0]
    assert tight.end_s[1] > ample.end_s[1]
