from dataclasses import replace

import numpy as np
import pytest

from optimizer.arithmetic import loads
from optimizer.arithmetic.loads import LoadShape, LoadTimes, Scenario, as_predicted
from optimizer.arithmetic.replicas import Replicas


def shape(prompt: float, output: float, hit: float = 0.0) -> LoadShape:
    return LoadShape(*(np.array([value]) for value in (prompt, output, hit)))


def one(value: float) -> np.ndarray:
    return np.array([value])


def closed_loop(replicas: Replicas, lengths: LoadShape, clients: np.ndarray, requests: np.ndarray) -> LoadTimes:
    return loads.closed_loop(replicas, lengths, clients, requests, as_predicted(replicas))


def offline(replicas: Replicas, lengths: LoadShape) -> LoadTimes:
    return loads.offline(replicas, lengths, as_predicted(replicas))


def static(replicas: Replicas, lengths: LoadShape, batch: np.ndarray) -> LoadTimes:
    return loads.static(replicas, lengths, batch, as_predicted(replicas))


def test_closed_loop_by_hand(make_replicas, snapshot) -> None:
    replicas = make_replicas("llama-3.1-8b", tp=1)
    engine = snapshot.engines["vllm"]
    clients, prompt, output = 32.0, 1024.0, 256.0
    step = replicas.step_seconds
    decode = step(0.0, 0.0, 0.0, clients, prompt + output / 2)[0, 0]
    prefill = step(prompt, 1.0, 0.0, clients, prompt + output / 2)[0, 0] - decode + engine.prefill_event_s
    batched = step(8 * prompt, 8.0, 0.0, 0.0, 0.0)[0, 0] / 8
    tpot = decode + engine.interference * (clients - 1) * prefill / output
    ttft = engine.host_s + engine.own_prefill_factor * prefill + engine.burst_share * clients * batched / 2
    got = closed_loop(replicas, shape(prompt, output), one(clients), one(10 * clients))
    assert got.tpot_mean_s[0] == pytest.approx(tpot, rel=1e-12)
    assert got.ttft_mean_s[0] == pytest.approx(ttft, rel=1e-12)
    assert got.e2e_mean_s[0] == pytest.approx(ttft + 255 * tpot, rel=1e-12)
    assert got.output_tokens_per_s[0] == pytest.approx(clients * output / (ttft + output * tpot), rel=1e-12)


def test_one_client_waits_for_nobody(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-8b")
    got = closed_loop(replicas, shape(512.0, 100.0), one(1.0), one(10.0))
    assert got.tpot_mean_s[0] == replicas.step_seconds(0.0, 0.0, 0.0, 1.0, 562.0)[0, 0]


def test_clients_beyond_the_cache_wait(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-70b", tp=2)
    got = closed_loop(replicas, shape(2000.0, 500.0), one(64.0), one(640.0))
    admitted = replicas.kv_capacity_tokens[0] / (2000 + 0.6 * 500)
    assert got.resident[0] == pytest.approx(admitted)
    assert got.ttft_mean_s[0] > (64 / admitted - 1) * 500 * got.tpot_mean_s[0]


def test_longer_runs_dilute_the_burst(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-8b", engine="sglang")
    short, long = (
        closed_loop(replicas, shape(1024.0, 128.0), one(64.0), one(requests)).ttft_mean_s[0]
        for requests in (640.0, 6400.0)
    )
    everyone = closed_loop(replicas, shape(1024.0, 128.0), one(64.0), one(64.0)).ttft_mean_s[0]
    assert long < short < everyone


def test_a_run_as_short_as_its_burst_is_all_burst_and_a_measured_share_above_one_is_a_slower_burst(
    make_replicas,
) -> None:
    replicas = make_replicas("llama-3.1-8b", engine="sglang")

    def burst_s(share: float, requests: float) -> float:
        with_burst, without = (
            closed_loop(replace(replicas, burst_share=one(each)), shape(1024.0, 128.0), one(64.0), one(requests))
            for each in (share, 0.0)
        )
        return float(with_burst.ttft_mean_s[0] - without.ttft_mean_s[0])

    whole = burst_s(1.0, 640.0)
    assert burst_s(0.5, 64.0) == pytest.approx(whole)
    assert burst_s(3.0, 640.0) == pytest.approx(3.0 * whole)
    assert burst_s(3.0, 64.0) == pytest.approx(3.0 * whole)
    assert burst_s(3.0, 6400.0) == pytest.approx(0.3 * whole)


def test_cached_prefixes_shorten_prefill_only(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-8b")
    cold, warm = (closed_loop(replicas, shape(4096.0, 128.0, hit), one(16.0), one(160.0)) for hit in (0.0, 0.75))
    assert warm.ttft_mean_s[0] < cold.ttft_mean_s[0]
    assert warm.tpot_mean_s[0] < cold.tpot_mean_s[0]
    whole = closed_loop(replicas, shape(4096.0, 128.0, 1.0), one(16.0), one(160.0))
    assert whole.ttft_mean_s[0] < warm.ttft_mean_s[0]


def test_prompts_beyond_a_chunk_go_in_equal_chunks(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-8b")
    decode = replicas.step_seconds(0.0, 0.0, 0.0, 1.0, 20_000.0 + 50)[0, 0]
    chunk = 20_000 / 3
    pieces = [replicas.step_seconds(chunk, 1.0, index * chunk, 1.0, 20_050.0)[0, 0] - decode for index in range(3)]
    got = closed_loop(replicas, shape(20_000.0, 100.0), one(1.0), one(10.0)).ttft_mean_s[0]
    burst = 0.14 * sum(pieces) / 2
    own = replicas.own_prefill_factor[0] * (sum(pieces) + replicas.prefill_event_s[0])
    assert got == pytest.approx(replicas.host_s[0] + own + burst, rel=0.02)


def test_slots_bound_the_requests_that_run_and_the_others_wait(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-8b")
    usual = as_predicted(replicas)
    slotted = loads.closed_loop(replicas, shape(500.0, 200.0), one(64.0), one(640.0), usual, one(16.0))
    free, few = (closed_loop(replicas, shape(500.0, 200.0), one(clients), one(640.0)) for clients in (64.0, 16.0))
    assert slotted.resident[0] == 16.0
    assert slotted.tpot_mean_s[0] == few.tpot_mean_s[0] < free.tpot_mean_s[0]
    assert slotted.ttft_mean_s[0] > 3 * 200 * slotted.tpot_mean_s[0]


def test_offline_is_no_slower_than_any_closed_loop(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-8b", "h100-sxm-80gb")
    best = offline(replicas, shape(512.0, 512.0)).output_tokens_per_s[0]
    for clients in (1.0, 16.0, 256.0):
        assert closed_loop(replicas, shape(512.0, 512.0), one(clients), one(10 * clients)).output_tokens_per_s[0] < best


def test_offline_by_hand_and_per_attention_rank_cap(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-8b", "h200-sxm-141gb")
    got = offline(replicas, shape(16.0, 16.0))
    assert got.resident[0] == 2048.0
    decode = replicas.step_seconds(0.0, 0.0, 0.0, 2048.0, 24.0)[0, 0]
    mixed = replicas.step_seconds(8192.0, 512.0, 0.0, 2048.0, 24.0)[0, 0]
    cycle = 16 * decode + 2048 * (mixed - decode) / 512
    assert got.output_tokens_per_s[0] == pytest.approx(2048 * 16 / cycle, rel=1e-12)


def test_static_batch(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-8b")
    got = static(replicas, shape(1000.0, 200.0), one(16.0))
    decode = replicas.step_seconds(0.0, 0.0, 0.0, 16.0, 1100.0)[0, 0]
    prefill = 16 * replicas.step_seconds(8000.0, 8.0, 0.0, 0.0, 0.0)[0, 0] / 8
    assert got.tpot_mean_s[0] == pytest.approx(decode)
    assert got.ttft_mean_s[0] == pytest.approx(replicas.host_s[0] + prefill)
    assert got.output_tokens_per_s[0] == pytest.approx(3200 / (got.ttft_mean_s[0] + 200 * decode))


def test_pipeline_stages_share_the_clients(make_replicas) -> None:
    staged = make_replicas("llama-3.1-70b", tp=2, pp=2)
    got = closed_loop(staged, shape(512.0, 4096.0), one(64.0), one(640.0))
    assert got.tpot_mean_s[0] > staged.step_seconds(0.0, 0.0, 0.0, 32.0, 512.0 + 2048)[0, 0]
    assert got.tpot_mean_s[0] < staged.step_seconds(0.0, 0.0, 0.0, 64.0, 512.0 + 2048)[0, 0] * 1.3


def test_rows_have_their_own_lengths(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-8b", "h100-sxm-80gb", "h200-sxm-141gb")
    both = LoadShape(np.array([500.0, 3000.0]), np.array([100.0, 800.0]), np.zeros(2))
    got = closed_loop(replicas, both, np.array([8.0, 64.0]), np.array([80.0, 640.0]))
    alone = closed_loop(replicas.take(np.array([1])), shape(3000.0, 800.0), one(64.0), one(640.0))
    assert got.tpot_mean_s[1] == alone.tpot_mean_s[0]
    assert got.ttft_mean_s[1] == alone.ttft_mean_s[0]


def test_a_request_that_does_not_fit_is_an_error(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-70b")
    for law in (
        lambda: closed_loop(replicas, shape(10.0, 10.0), one(1.0), one(10.0)),
        lambda: offline(replicas, shape(10.0, 10.0)),
        lambda: static(replicas, shape(10.0, 10.0), one(1.0)),
    ):
        with pytest.raises(ValueError, match="row 0: the KV cache holds"):
            law()


def test_slower_steps_and_a_smaller_cache_are_worse(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-8b")
    usual = as_predicted(replicas)
    slow = Scenario(usual.slowdown * 1.5, usual.kv_tokens * 0.9)
    lengths = shape(1000.0, 200.0)
    for law in (
        lambda scenario: loads.closed_loop(replicas, lengths, one(64.0), one(640.0), scenario),
        lambda scenario: loads.offline(replicas, lengths, scenario),
        lambda scenario: loads.static(replicas, lengths, one(16.0), scenario),
    ):
        expected, pessimistic = law(usual), law(slow)
        assert pessimistic.e2e_mean_s[0] > expected.e2e_mean_s[0]
        assert pessimistic.output_tokens_per_s[0] < expected.output_tokens_per_s[0]
