"""Prefill and decode pools: what a transfer adds, who waits for what, and queues in a row with a known law."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from optimizer.arithmetic.speculative import Speculation
from optimizer.traffic.simulate import (
    EngineLimits,
    Fleet,
    PipelineSteps,
    PooledFleet,
    PooledSample,
    Requests,
    Router,
    Stream,
    draw_requests,
    replay,
    replay_pooled,
)
from optimizer.traffic.simulate.receiving import ReceivingPipeline
from optimizer.traffic.simulate.work import Work
from requirements_specs.workload import Workload
from tests.optimizer.traffic.simulate.made import (
    BLOCK,
    chat,
    check_blocks_until_all_end,
    fleet,
    limits,
    requests_of,
    steps_for,
)
from tests.optimizer.traffic.simulate.queues import AMPLE, SERVICE_TOKENS, wait_law

KV_BYTES = 1e5  # per token
SPECULATION = Speculation(drafted=4, acceptance=0.7, draft_cost=0.1)


def pooled(
    workload: Workload, gigabytes_per_s: float, prefill: int = 2, decode: int = 2, **of_decode: int
) -> PooledFleet:
    return PooledFleet(fleet(workload, prefill), fleet(workload, decode, **of_decode), KV_BYTES, gigabytes_per_s * 1e9)


def all_of(requests: Requests) -> Stream:
    return Stream(requests, slice(0, len(requests)))


def held_by(requests: Requests) -> NDArray[np.int64]:
    """KV blocks of each request at its end."""
    return -(-(requests.prompt_tokens + requests.output_tokens - 1) // BLOCK)


def test_a_lone_request_takes_its_prompt_its_transfer_and_its_steps() -> None:
    pools = pooled(chat(), 0.2)
    one = all_of(requests_of((1.0, 500, 11)))
    found, alone = replay_pooled(pools, one), replay(pools.prefill, one)
    transfer_s = 500 * KV_BYTES / 0.2e9
    assert found.transfer_s[0, 0] == pytest.approx(transfer_s)
    assert found.sample.ttft_s[0, 0] == alone.ttft_s[0, 0]
    # The host of the decode pool has the request, too.
    assert found.sample.e2e_s[0, 0] == pytest.approx(alone.e2e_s[0, 0] + transfer_s + pools.decode.host_s)
    steps_s = 10 * pools.decode.steps.decode_s[1]
    assert found.sample.tpot_s[0, 0] == pytest.approx((transfer_s + pools.decode.host_s + steps_s) / 10)


def test_links_send_one_cache_after_the_other() -> None:
    """Two prompts end with one step; on one link the second waits for the first, on two they do not."""
    two = all_of(requests_of((1.0, 500, 5), (1.0, 300, 5)))
    for pipelines, second_s in ((1, 0.4), (2, 0.15)):
        transfer_s = replay_pooled(pooled(chat(), 0.2, pipelines), two).transfer_s[0]
        np.testing.assert_allclose(transfer_s, [0.25, second_s])


def test_with_a_fast_link_the_first_token_is_that_of_prompts_alone() -> None:
    workload = chat()
    stream = all_of(draw_requests(workload, 16.0, 1500, seed=3))
    pools = pooled(workload, np.inf, decode=20)
    requests = stream.requests
    prompts = replace(requests, output_tokens=np.ones_like(requests.output_tokens))
    found, alone = replay_pooled(pools, stream), replay(pools.prefill, all_of(prompts))
    np.testing.assert_array_equal(found.sample.ttft_s, alone.ttft_s)
    assert np.nanmax(found.transfer_s) == 0.0


def test_prompts_interrupt_nobody_in_a_decode_pool() -> None:
    workload = chat()
    stream = all_of(draw_requests(workload, 20.0, 1500, seed=3))
    pools = pooled(workload, np.inf)
    found, mixed = replay_pooled(pools, stream).sample, replay(replace(pools.prefill, pipelines=4), stream)
    assert np.nanquantile(found.tpot_s, 0.9) < 0.9 * np.nanquantile(mixed.tpot_s, 0.9)


@pytest.mark.parametrize("router", list(Router))
@pytest.mark.parametrize("kv_blocks", [10**6, 220])
@pytest.mark.parametrize("speculation", [None, SPECULATION], ids=["plain", "drafted"])
def test_every_request_ends_once(router: Router, kv_blocks: int, speculation: Speculation | None) -> None:
    workload = chat()
    requests = draw_requests(workload, 14.0, 1500, seed=4)
    requests.arrival_s[-1] *= 3.0  # so that all find their end
    requests = replace(requests, output_tokens=np.where(np.arange(1500) % 5, requests.output_tokens, 1))
    decode = Fleet(steps_for(workload), limits(kv_blocks=kv_blocks), 2, router, 5e-3, 1.0, speculation)
    found = replay_pooled(PooledFleet(fleet(workload, 2), decode, KV_BYTES, 1e9), all_of(requests))
    sends = requests.output_tokens > 1
    fits = held_by(requests) <= kv_blocks
    np.testing.assert_array_equal(np.isfinite(found.sample.e2e_s[0]), fits | ~sends)
    np.testing.assert_array_equal(np.isfinite(found.transfer_s[0]), sends)
    np.testing.assert_array_equal(found.sample.e2e_s[0, ~sends], found.sample.ttft_s[0, ~sends])
    assert (found.sample.preemptions > 0) == (kv_blocks < 10**6)
    # Nothing is faster than the transfer and the steps of a lone request.
    kept = 1.0 if speculation is None else speculation.drafted + 1.0
    least_s = (requests.output_tokens - 1) / kept * decode.steps.decode_s[1] + found.transfer_s[0]
    decoding_s = found.sample.e2e_s[0] - found.sample.ttft_s[0]
    assert (decoding_s[sends] >= least_s[sends] - 1e-9).all()


def test_what_is_not_sent_in_time_is_not_finished() -> None:
    workload = chat()
    stream = all_of(draw_requests(workload, 8.0, 500, seed=4))
    found = replay_pooled(pooled(workload, 1e-3), stream)
    assert found.sample.unfinished > 400
    assert np.isfinite(found.sample.ttft_s).all()


class Walking(ReceivingPipeline):
    """Takes every step by itself."""

    def _take_plain_steps(self, until_s: float) -> None:
        pass


# (rate, slots, KV blocks): light, few slots, a full cache.
@pytest.mark.parametrize(("rate", "slots", "blocks"), [(8.0, 64, 10**6), (8.0, 6, 10**6), (14.0, 64, 600)])
@pytest.mark.parametrize("speculation", [None, SPECULATION], ids=["plain", "drafted"])
def test_skipping_changes_nothing_and_the_cache_never_overflows(
    rate: float, slots: int, blocks: int, speculation: Speculation | None
) -> None:
    requests = draw_requests(chat(), rate if speculation is None else 2.0 * rate, 1000, seed=6)
    requests = replace(requests, output_tokens=requests.output_tokens + 1)
    steps, engine = steps_for(chat(), slots=slots), limits(slots=slots, kv_blocks=blocks)
    ends = []
    for pipeline_of in (ReceivingPipeline, Walking):
        work = Work(steps, requests, speculation)
        pipeline = pipeline_of(steps, engine, work)
        pipeline.submit(range(len(requests)))
        check_blocks_until_all_end(pipeline, blocks)
        assert (pipeline.preemptions > 0) == (blocks < 10**6)
        assert pipeline.slots_filled == (slots == 6)
        ends.append(work.end_s)
    np.testing.assert_array_equal(np.isfinite(ends[0]), held_by(requests) <= blocks)
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-10)


def flat_steps(slots: int, step_s: float) -> PipelineSteps:
    """A step takes as long whatever is in it, a prompt its tokens beside it."""
    longest_s = np.array([0.0, 100.0])
    return PipelineSteps(
        np.full(slots + 1, step_s), longest_s * SERVICE_TOKENS, np.tile(longest_s, (slots + 1, 1)), longest_s, 0.0
    )


def in_a_row(requests: Requests, service_s: float, transfer_s: float, step_s: float, slots: int) -> PooledSample:
    """Prompts of one length on one slot, one link, and a decode pool of `slots`."""
    prefill = Fleet(flat_steps(1, 0.0), EngineLimits(AMPLE, 1, AMPLE, 16), 1, Router.ROUND_ROBIN, 0.0, 1.0)
    decode = Fleet(flat_steps(slots, step_s), EngineLimits(AMPLE, slots, AMPLE, 16), 1, Router.ROUND_ROBIN, 0.0, 1.0)
    tokens = service_s * SERVICE_TOKENS
    return replay_pooled(PooledFleet(prefill, decode, 1.0, tokens / transfer_s), all_of(requests))


@pytest.mark.parametrize(("transfer_s", "slowest_s"), [(0.5, 1.0), (1.4, 1.4)])
def test_a_prefill_server_and_a_link_wait_as_the_slower_of_them_alone(transfer_s: float, slowest_s: float) -> None:
    """Two deterministic servers in a row: all waiting is that of M/D/1 at the slower (Friedman, 1965)."""
    rate, count = 0.5, 60_000
    random = np.random.default_rng(14)
    tokens = np.full(count, SERVICE_TOKENS)
    arrival_s = np.cumsum(random.exponential(1.0 / rate, count))
    found = in_a_row(Requests(arrival_s, tokens, tokens, np.full(count, 2)), 1.0, transfer_s, 1e-9, AMPLE // 10**6)
    waits = (found.sample.ttft_s + found.transfer_s)[0] - 1.0 - transfer_s
    mean, p99 = wait_law(rate, np.array([slowest_s]), np.ones(1), 0.99)
    assert waits.mean() == pytest.approx(mean, rel=0.05)
    assert np.quantile(waits, 0.99) == pytest.approx(p99, rel=0.08)
    # Behind a slower server, equal caches never wait for the link.
    if transfer_s < 1.0:
        np.testing.assert_allclose(found.transfer_s, transfer_s)


def test_a_decode_pool_with_enough_slots_lets_nobody_wait() -> None:
    """·/G/∞ behind M/D/1: each stays as long as its own steps take, and Little's law counts those that are there."""
    rate, count, step_s = 0.5, 20_000, 1e-3
    random = np.random.default_rng(15)
    tokens, outputs = np.full(count, SERVICE_TOKENS), 1 + random.geometric(1.0 / 5000.0, count)
    arrival_s = np.cumsum(random.exponential(1.0 / rate, count))
    found = in_a_row(Requests(arrival_s, tokens, tokens, outputs), 1.0, 1e-9, step_s, slots=200)
    stays = (found.sample.e2e_s - found.sample.ttft_s)[0]
    own_s = (outputs - 1) * step_s
    # The step that is under way when a cache arrives is not its own.
    assert (stays >= own_s - 1e-6).all()
    assert (stays <= own_s + step_s + 1e-6).all()
    arrived_s = arrival_s + found.sample.ttft_s[0]
    at_s = np.linspace(0.2, 0.9, 2000) * arrival_s[-1]
    present = [int(((arrived_s <= each) & (each < arrived_s + stays)).sum()) for each in at_s]
    assert np.mean(present) == pytest.approx(rate * 5.0, rel=0.05)


def test_a_slower_link_ends_nothing_earlier() -> None:
    """Where a step takes as long with many as with few; otherwise those that come later let the others be faster."""
    requests = draw_requests(chat(), 4.0, 1500, seed=7)
    step_s, before = 1e-4, None
    for gigabytes_per_s in (np.inf, 10.0, 1.0, 0.5):
        prefill = fleet(chat(), 2)
        decode = replace(prefill, steps=flat_steps(500, step_s), limits=limits(slots=500), pipelines=1)
        found = replay_pooled(PooledFleet(prefill, decode, KV_BYTES, gigabytes_per_s * 1e9), all_of(requests))
        if before is not None:
            sends = requests.output_tokens > 1
            assert (found.transfer_s[0, sends] > before.transfer_s[0, sends]).all()
            # Up to the step that was under way.
            assert (found.sample.e2e_s >= before.sample.e2e_s - step_s).all()
            np.testing.assert_array_equal(found.sample.ttft_s, before.sample.ttft_s)
        before = found


def test_answers_of_one_token_send_nothing() -> None:
    requests = requests_of((0.0, 100, 1), (0.5, 100, 1))
    found = replay_pooled(pooled(chat(), 1.0), all_of(requests))
    assert np.isnan(found.transfer_s).all()
    np.testing.assert_array_equal(found.sample.e2e_s, found.sample.ttft_s)
