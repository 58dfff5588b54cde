"""The engine: event skipping, conservation of requests and of the cache, and its schedule in small cases."""

import numpy as np
import pytest

from optimizer.traffic.simulate import EngineLimits, Pipeline, Requests, Router, draw_requests, serve
from optimizer.traffic.simulate.work import Work
from tests.optimizer.traffic.simulate.made import chat, limits, requests_of, steps_for

# (rate, slots, token budget, KV blocks): light, many chunks, few slots, a full cache, a full cache with chunks.
CASES = [
    (8.0, 64, 2048, 10**6),
    (8.0, 64, 256, 10**6),
    (8.0, 6, 2048, 10**6),
    (14.0, 64, 2048, 600),
    (12.0, 32, 128, 500),
]


@pytest.mark.parametrize(("rate", "slots", "budget", "blocks"), CASES)
@pytest.mark.parametrize("router", list(Router))
def test_skipping_changes_nothing(rate: float, slots: int, budget: int, blocks: int, router: Router) -> None:
    workload = chat(rate)
    requests = draw_requests(workload, 2.0 * rate, 2000, seed=5)
    steps, engine = steps_for(workload, budget, slots), limits(budget, slots, blocks)
    horizon_s = 0.9 * requests.arrival_s[-1]  # some are not finished
    skipped, walked = (
        serve(steps, engine, 2, requests, router, horizon_s, skipping=skipping) for skipping in (True, False)
    )
    np.testing.assert_allclose(skipped.end_s, walked.end_s, rtol=1e-9)
    np.testing.assert_allclose(skipped.first_s, walked.first_s, rtol=1e-9)
    assert skipped.preemptions == walked.preemptions
    assert (skipped.preemptions > 0) == (blocks < 10**6)
    assert skipped.slots_filled == walked.slots_filled == (slots == 6)


@pytest.mark.parametrize(("rate", "slots", "budget", "blocks"), CASES)
def test_the_cache_never_overflows_and_every_request_ends(rate: float, slots: int, budget: int, blocks: int) -> None:
    workload = chat(rate)
    requests = draw_requests(workload, rate, 1000, seed=6)
    engine = limits(budget, slots, blocks)
    work = Work(steps_for(workload, budget, slots), requests)
    pipeline = Pipeline(steps_for(workload, budget, slots), engine, work)
    refused = 0
    for request in range(len(requests)):
        before = pipeline.load
        pipeline.submit([request])
        refused += pipeline.load == before
    longest = requests.prompt_tokens + requests.output_tokens - 1
    assert refused == (np.ceil(longest / engine.kv_block_tokens) > blocks).sum()
    time_s, most = 0.0, 0
    while pipeline.load:
        time_s += 0.031
        pipeline.advance(time_s)
        assert pipeline.kv_blocks_in_use <= blocks
        most = max(most, pipeline.kv_blocks_in_use)
        # Whoever has ended is gone, whoever has not is still there.
        assert pipeline.load + np.isfinite(work.end_s).sum() + refused == len(requests)
    assert pipeline.kv_blocks_in_use == 0
    assert most > (0.9 * blocks if blocks < 10**6 else 0)


def test_littles_law() -> None:
    workload = chat(10.0)
    requests = draw_requests(workload, 10.0, 8000, seed=7)
    work = Work(steps_for(workload), requests)
    pipeline = Pipeline(steps_for(workload), limits(), work)
    present = []
    for request, arrival_s in enumerate(work.arrival_s):
        # Poisson arrivals see time averages: each counts those that it finds.
        pipeline.advance(arrival_s)
        present.append(pipeline.load)
        pipeline.submit([request])
    pipeline.advance(np.inf)
    stays_s = np.array(work.end_s) - requests.arrival_s
    rate = len(requests) / requests.arrival_s[-1]
    assert np.mean(present[500:]) == pytest.approx(rate * stays_s[500:].mean(), rel=0.03)


def test_a_lone_request_takes_its_prompt_and_its_steps() -> None:
    steps = steps_for(chat())
    served = serve(steps, limits(), 1, requests_of((1.0, 500, 11)), Router.ROUND_ROBIN, np.inf)
    place, share = steps.between_nodes(np.array([500]))
    alone = steps.alone_s[0, place] * (1.0 - share) + steps.alone_s[0, place + 1] * share
    assert served.first_s[0] == pytest.approx(1.0 + steps.decode_s[0] + alone[0])
    assert served.end_s[0] - served.first_s[0] == pytest.approx(10 * steps.decode_s[1])


def test_a_prompt_beyond_the_budget_takes_a_step_a_chunk_and_lets_nobody_past() -> None:
    steps = steps_for(chat(), token_budget=256)
    both = requests_of((0.0, 1000, 1), (0.0, 100, 1))
    served = serve(steps, limits(token_budget=256), 1, both, Router.ROUND_ROBIN, np.inf)
    # The fourth chunk leaves 24 tokens to the second prompt, which is whole with the fifth step.
    assert served.first_s[0] >= 4 * steps.decode_s[0]
    assert served.first_s[1] > served.first_s[0]


def test_the_last_admitted_is_preempted_and_comes_back() -> None:
    steps = steps_for(chat())
    # Both prompts fill the cache but for a block each; 40 answers need two more each.
    two = requests_of((0.0, 64, 40), (0.0, 64, 40))
    served = serve(steps, limits(kv_blocks=10), 1, two, Router.ROUND_ROBIN, np.inf)
    alone = serve(steps, limits(), 1, two, Router.ROUND_ROBIN, np.inf)
    assert (served.preemptions, alone.preemptions) == (1, 0)
    assert served.first_s[1] == alone.first_s[1]  # it had its first token before
    assert served.end_s[0] <= alone.end_s[0]
    assert served.end_s[1] > alone.end_s[1]


def test_what_the_cache_can_never_hold_is_not_served_and_blocks_nobody() -> None:
    three = requests_of((0.0, 64, 10), (0.1, 1000, 10), (0.2, 64, 10))
    served = serve(steps_for(chat()), limits(kv_blocks=10), 1, three, Router.ROUND_ROBIN, np.inf)
    np.testing.assert_array_equal(np.isfinite(served.end_s), [True, False, True])


def test_replicas_that_share_nothing_are_alike() -> None:
    """Round robin over two replicas is each half of the requests on one replica."""
    workload = chat()
    requests = draw_requests(workload, 16.0, 600, seed=8)
    steps = steps_for(workload)
    both = serve(steps, limits(), 2, requests, Router.ROUND_ROBIN, np.inf)
    for half in (0, 1):
        own = Requests(
            requests.arrival_s[half::2],
            requests.prompt_tokens[half::2],
            requests.new_tokens[half::2],
            requests.output_tokens[half::2],
        )
        np.testing.assert_array_equal(
            serve(steps, limits(), 1, own, Router.ROUND_ROBIN, np.inf).end_s, both.end_s[half::2]
        )


def test_the_least_loaded_replica_shortens_waits() -> None:
    workload = chat()
    requests = draw_requests(workload, 40.0, 4000, seed=9)
    engine = EngineLimits(2048, 12, 10**6, 16)
    mean_s = {
        router: float(
            (
                serve(steps_for(workload, slots=12), engine, 4, requests, router, np.inf).first_s - requests.arrival_s
            ).mean()
        )
        for router in Router
    }
    assert mean_s[Router.LEAST_LOADED] < mean_s[Router.ROUND_ROBIN]
