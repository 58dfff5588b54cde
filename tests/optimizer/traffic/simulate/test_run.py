"""Seeds, margins, statistics."""

import numpy as np
import pytest

from optimizer.traffic.simulate import Estimate, Plan, draw_requests, estimate, run
from requirements_specs.requirement import Metric
from tests.optimizer.traffic.simulate.made import chat, fleet


def test_the_same_seed_gives_the_same_requests_whatever_the_rate() -> None:
    slow, fast = (draw_requests(chat(), rate, 500, seed=3) for rate in (1.0, 10.0))
    np.testing.assert_allclose(slow.arrival_s, 10.0 * fast.arrival_s)
    np.testing.assert_array_equal(slow.prompt_tokens, fast.prompt_tokens)
    np.testing.assert_array_equal(slow.output_tokens, fast.output_tokens)
    assert (draw_requests(chat(), 1.0, 500, seed=4).prompt_tokens != slow.prompt_tokens).any()


@pytest.mark.parametrize("burstiness", [1.0, 4.0, 16.0])
def test_gaps_have_the_stated_mean_and_variation(burstiness: float) -> None:
    gaps = np.diff(draw_requests(chat(), 5.0, 200_000, seed=1, burstiness=burstiness).arrival_s)
    assert gaps.mean() == pytest.approx(0.2, rel=0.02)
    assert gaps.var() / gaps.mean() ** 2 == pytest.approx(burstiness, rel=0.03)


def test_two_runs_are_the_same_to_the_last_bit() -> None:
    plan = Plan((1, 2), 500, 50)
    first, second = (run(fleet(chat()), chat(), 8.0, plan) for _ in range(2))
    for metric in Metric:
        np.testing.assert_array_equal(first.of(metric), second.of(metric))


def test_a_request_is_its_first_token_and_the_others() -> None:
    sample = run(fleet(chat()), chat(), 8.0, Plan((1,), 400, 40))
    output = draw_requests(chat(), 8.0, 480, 1).output_tokens[40:440]
    decoding = np.where(output > 1, sample.tpot_s[0] * (output - 1), 0.0)
    np.testing.assert_allclose(sample.e2e_s[0], sample.ttft_s[0] + decoding)


def test_what_is_not_finished_is_beyond_every_limit() -> None:
    sample = run(fleet(chat()), chat(), 500.0, Plan((1, 2, 3), 2000, 200))
    assert sample.unfinished > 60
    assert estimate(sample.e2e_s, 0.99) == Estimate(np.inf, np.inf, np.inf)


def test_an_interval_that_a_batch_leaves_open_has_no_upper_end() -> None:
    samples = np.ones((3, 1000))
    samples[0, -5:] = np.inf
    assert estimate(samples, 0.99) == Estimate(1.0, 1.0, np.inf)
    assert estimate(samples, None).value == np.inf


def test_more_load_is_never_faster_in_the_mean() -> None:
    means = [
        estimate(run(fleet(chat()), chat(), rate, Plan((1, 2), 1500, 150)).ttft_s, None) for rate in (2.0, 8.0, 16.0)
    ]
    assert means[0].value < means[1].value < means[2].value


def test_a_percentile_is_the_sample_that_so_many_exceed() -> None:
    assert estimate(np.arange(1.0, 101.0)[None, :], 0.99).value == 99.0
    with_absent = np.where(np.arange(200) % 2, np.nan, np.arange(200) / 2 + 1)
    assert estimate(with_absent[None, :], 0.5).value == 50.0


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    random = np.random.default_rng(2)
    truth = np.log(100.0)  # of the 99th percentile of an exponential law
    held = [
        found.low <= truth <= found.high
        for found in (estimate(random.exponential(size=(3, 10_000)), 0.99) for _ in range(300))
    ]
    assert 0.90 <= np.mean(held) <= 0.99


def test_samples_without_spread_have_no_interval() -> None:
    assert estimate(np.full((3, 100), 2.0), 0.9) == Estimate(2.0, 2.0, 2.0)


def test_samples_of_one_batch_or_none() -> None:
    samples = np.full((3, 100), np.nan)
    assert estimate(samples, 0.99) == estimate(samples, None) == Estimate(0.0, 0.0, 0.0)
    samples[1, 7] = 3.0
    assert estimate(samples, 0.99) == Estimate(3.0, 0.0, np.inf)
