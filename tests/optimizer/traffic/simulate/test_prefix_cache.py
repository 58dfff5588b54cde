"""The prefix cache of a pipeline against one that is searched block by block, and what it changes."""

from dataclasses import replace

import numpy as np
import pytest

from optimizer.traffic.simulate import Fleet, Pipeline, Requests, Router, Stream, draw_requests, replay, serve
from optimizer.traffic.simulate.prefix_cache import PrefixCache
from optimizer.traffic.simulate.work import Work
from requirements_specs.traces.trace import PrefixBlocks
from tests.optimizer.traffic.simulate.made import chat, limits, steps_for

BLOCK = 64


def blocks_of(*prompts: list[int], block_tokens: int = BLOCK) -> PrefixBlocks:
    ids = np.array([block for prompt in prompts for block in prompt], dtype=np.int32)
    return PrefixBlocks(ids, np.cumsum([len(prompt) for prompt in prompts]), block_tokens)


def cache_of(*prompts: list[int]) -> PrefixCache:
    return PrefixCache(prompts, BLOCK)


def conversations(count: int, rate: float, seed: int, turns: int = 4) -> Requests:
    """Requests of a chat in which each goes on with one of the last prompts, or opens another."""
    random = np.random.default_rng(seed)
    drawn = draw_requests(chat(rate), rate, count, seed)
    prompts: list[list[int]] = []
    number = 0
    for request in range(count):
        known = (
            prompts[-int(random.integers(1, min(len(prompts), 20) + 1))] if request and random.random() < 0.7 else []
        )
        fresh = int(random.integers(1, turns + 1))
        prompts.append([*known[:12], *range(number, number + fresh)])
        number += fresh
    tokens = np.array([len(prompt) * BLOCK - int(random.integers(0, BLOCK)) for prompt in prompts])
    return replace(drawn, prompt_tokens=tokens, new_tokens=tokens, prefix_blocks=blocks_of(*prompts))


def test_a_prompt_finds_the_whole_blocks_before_its_last_token() -> None:
    cache = cache_of([1, 2, 3], [1, 2, 3], [1, 2, 9], [7, 2, 3])
    assert cache.tokens(0, 3 * BLOCK) == 0
    cache.hold(0, 3 * BLOCK)
    assert cache.tokens(1, 3 * BLOCK) == 0  # nothing is computed yet
    cache.keep(0, 3 * BLOCK - 1)  # the last block is not whole
    assert [cache.tokens(1, prompt) for prompt in (3 * BLOCK, 2 * BLOCK + 1, 2 * BLOCK)] == [128, 128, 64]
    assert cache.tokens(2, 3 * BLOCK) == 128
    assert cache.tokens(3, 3 * BLOCK) == 0  # a chain begins at its first block


def test_the_block_released_first_goes_first_and_the_last_of_a_prompt_before_the_first() -> None:
    cache = cache_of([1, 2], [3, 4], [1, 2, 9], [3, 4, 9])
    for request in (0, 1):
        cache.hold(request, 2 * BLOCK)
        cache.keep(request, 2 * BLOCK)
    cache.trim(0)  # held blocks stay
    assert [cache.tokens(request, 3 * BLOCK) for request in (2, 3)] == [128, 128]
    cache.release(0)
    cache.release(1)
    found = []
    for room in (4, 3, 2, 1, 0):
        cache.trim(room * BLOCK + BLOCK - 1)
        found.append([cache.tokens(request, 3 * BLOCK) // BLOCK for request in (2, 3)])
    assert found == [[2, 2], [1, 2], [0, 2], [0, 1], [0, 0]]


def test_what_two_requests_hold_stays_until_both_release_it() -> None:
    cache = cache_of([1], [1, 2], [1, 3])
    cache.hold(0, BLOCK)
    cache.keep(0, BLOCK)
    cache.hold(1, 2 * BLOCK)
    cache.release(0)
    cache.trim(0)
    assert cache.tokens(2, 2 * BLOCK) == BLOCK
    cache.release(1)
    cache.trim(0)
    assert cache.tokens(2, 2 * BLOCK) == 0


def test_without_an_end_and_without_haste_the_cache_finds_what_was_ever_there() -> None:
    requests = conversations(400, rate=0.01, seed=1)
    served = serve(steps_for(chat()), limits(), 1, requests, Router.ROUND_ROBIN, np.inf)
    assert requests.prefix_blocks is not None
    assert served.found_tokens is not None
    seen: set[int] = set()
    for request, (ids, prompt) in enumerate(
        zip(requests.prefix_blocks.of_each(), requests.prompt_tokens.tolist(), strict=True)
    ):
        known = 0
        while known < (prompt - 1) // BLOCK and ids[known] in seen:
            known += 1
        assert served.found_tokens[request] == known * BLOCK
        seen.update(ids[: prompt // BLOCK])
    assert served.found_tokens.sum() > 0.3 * requests.prompt_tokens.sum()


@pytest.mark.parametrize("kv_blocks", [10**6, 400])
@pytest.mark.parametrize("router", list(Router))
def test_skipping_changes_nothing_with_a_cache(kv_blocks: int, router: Router) -> None:
    requests = conversations(1500, rate=20.0, seed=2)
    steps, engine = steps_for(chat()), limits(kv_blocks=kv_blocks)
    skipped, walked = (
        serve(steps, engine, 2, requests, router, np.inf, skipping=skipping) for skipping in (True, False)
    )
    np.testing.assert_allclose(skipped.end_s, walked.end_s, rtol=1e-9)
    np.testing.assert_array_equal(skipped.found_tokens, walked.found_tokens)
    assert (skipped.preemptions > 0) == (kv_blocks < 10**6)


def test_the_cache_takes_only_what_running_requests_leave() -> None:
    found = [
        serve(steps_for(chat()), limits(kv_blocks=blocks), 1, conversations(1500, 8.0, 3), Router.ROUND_ROBIN, np.inf)
        for blocks in (10**6, 1000, 500, 150)
    ]
    shares = [each.found_tokens.sum() for each in found if each.found_tokens is not None]
    assert len(shares) == 4
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < 0.7 * shares[0]


def test_blocks_are_conserved() -> None:
    requests = conversations(800, 20.0, 4)
    assert requests.prefix_blocks is not None
    work, steps, engine = Work(steps_for(chat()), requests), steps_for(chat()), limits(kv_blocks=400)
    cache = PrefixCache(requests.prefix_blocks.of_each(), requests.prefix_blocks.block_tokens)
    pipeline = Pipeline(steps, engine, work, cache)
    for request in range(len(requests)):
        pipeline.submit([request])
    time_s = 0.0
    while pipeline.load:
        time_s += 0.05
        pipeline.advance(time_s)
        assert pipeline.kv_blocks_in_use <= engine.kv_blocks
    assert pipeline.preemptions > 0
    assert np.isfinite(work.end_s).all()
    assert pipeline.kv_blocks_in_use == 0


def test_a_prefix_that_is_found_shortens_the_first_token() -> None:
    requests = conversations(800, 6.0, 5)
    cached, computed = (
        replay(Fleet(steps_for(chat()), limits(), 1, Router.ROUND_ROBIN, 0.0, 1.0), Stream(each, slice(50, 750)))
        for each in (requests, replace(requests, prefix_blocks=None))
    )
    assert cached.prefix_hit is not None
    assert cached.prefix_hit > 0.3
    assert computed.prefix_hit is None
    assert cached.ttft_s.mean() < 0.9 * computed.ttft_s.mean()


def test_the_prefix_aware_router_finds_more_than_the_others() -> None:
    requests = conversations(3000, 30.0, 6)
    found = {
        router: served.found_tokens.sum()
        for router in Router
        for served in [serve(steps_for(chat()), limits(), 4, requests, router, np.inf)]
        if served.found_tokens is not None
    }
    assert found[Router.PREFIX_AWARE] > 1.2 * max(found[Router.ROUND_ROBIN], found[Router.LEAST_LOADED])


def test_a_prefix_that_all_ask_for_does_not_fill_one_replica() -> None:
    """With one first block in every prompt nobody but the first replica would ever get a request."""
    requests = draw_requests(chat(), 40.0, 400, seed=7)
    prompts = [
        [0, *range(1 + 100 * i, 100 * i + -(-tokens // BLOCK))] for i, tokens in enumerate(requests.prompt_tokens)
    ]
    shared = replace(requests, new_tokens=requests.prompt_tokens, prefix_blocks=blocks_of(*prompts))
    waits_s = {
        router: (serve(steps_for(chat()), limits(), 4, shared, router, np.inf).first_s - shared.arrival_s).mean()
        for router in Router
    }
    assert waits_s[Router.PREFIX_AWARE] < 1.1 * waits_s[Router.LEAST_LOADED]


def test_the_rest_of_a_prompt_takes_what_the_whole_takes_beyond_its_prefix() -> None:
    steps = steps_for(chat())
    for prompt, computed in ((1500, 700), (2500, 64), (800, 800)):
        alike = np.array([steps.alike(prompt, computed)])
        beyond_s = steps.beside(np.array([prompt]))[0] - (
            steps.beside(np.array([prompt - computed]))[0] if computed < prompt else 0.0
        )
        assert alike[0] >= computed
        assert steps.beside(alike)[0] == pytest.approx(max(beyond_s, steps.beside(np.array([computed]))[0]))
