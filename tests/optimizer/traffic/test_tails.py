import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from optimizer.traffic.tails import CROWDED_DEVIATIONS, CROWDED_SHARE, USUAL_SHARE, own_time
from tests.optimizer.traffic.request_simulation import first_tokens, law_at, refine_series, wait_exceedance

Floats = NDArray[np.float64]

RATE, BASE_S = 20.0, 10e-3
# Sixteen prompts, each a quarter longer than the one before it; long ones are rarer.
GEOMETRIC = np.geomspace(1.0, 28.0, 16)
GEOMETRIC_SHARE = np.arange(16, 0, -1) / np.arange(17).sum()
RARE, RARE_SHARE = np.array([1.0, 50.0]), np.array([0.995, 0.005])
CONSTANT, ONE = np.ones(1), np.ones(1)


def at_load(load: float, sizes: Floats, share: Floats) -> Floats:
    """Increments in the given proportion that load the replica to `load`."""
    return sizes * load / (RATE * (sizes * share).sum())


@pytest.mark.parametrize("load", [0.2, 0.5, 0.75])
@pytest.mark.parametrize(
    ("sizes", "share"), [(GEOMETRIC, GEOMETRIC_SHARE), (CONSTANT, ONE)], ids=["sixteen prompts", "one prompt"]
)
def test_percentiles_match_a_simulation(load: float, sizes: Floats, share: Floats) -> None:
    increments = at_load(load, sizes, share)
    _, times = first_tokens(RATE, np.full(60_000, BASE_S), increments, share, steps=25, warm_up=30)
    law = law_at(RATE, BASE_S, increments, share)
    assert law.mean_s[0] == pytest.approx(times.mean(), rel=0.015)
    for probability in (0.5, 0.9, 0.99):
        assert law.percentile(probability)[0] == pytest.approx(np.quantile(times, probability), rel=0.03)


@pytest.mark.parametrize(("load", "error"), [(0.2, 0.015), (0.5, 0.02)])
def test_rare_long_prompts_match_a_simulation(load: float, error: float) -> None:
    """Half a percent of the prompts is fifty times as long: at ρ = .5 one of them stalls everybody for a second."""
    increments = at_load(load, RARE, RARE_SHARE)
    _, times = first_tokens(RATE, np.full(400_000, BASE_S), increments, RARE_SHARE, steps=30, warm_up=25)
    law = law_at(RATE, BASE_S, increments, RARE_SHARE)
    assert law.mean_s[0] == pytest.approx(times.mean(), rel=error)
    for probability in (0.9, 0.99):
        assert law.percentile(probability)[0] == pytest.approx(np.quantile(times, probability), rel=0.03)


def test_a_crowded_sixth_of_the_steps_matches_a_simulation() -> None:
    """Requests meet long steps more often than the sixth of the steps that are long."""
    assert pytest.approx(1.0) == USUAL_SHARE + CROWDED_SHARE
    # two points with the mean of a normal law moved up: 1/6 at √3 is a node of the three-point Gauss–Hermite rule
    assert pytest.approx(1.0 / 6.0) == CROWDED_SHARE
    assert pytest.approx(3.0) == CROWDED_DEVIATIONS**2
    increments = at_load(0.5, GEOMETRIC, GEOMETRIC_SHARE)
    base = np.full(60_000, BASE_S)
    base[: len(base) // 6] *= 2.0
    waits, _ = first_tokens(RATE, base, increments, GEOMETRIC_SHARE, steps=25, warm_up=30)
    law = law_at(RATE, BASE_S, increments, GEOMETRIC_SHARE, crowded=2.0, own=False)
    assert law.mean_s[0] == pytest.approx(waits.mean(), rel=0.015)
    for probability in (0.5, 0.9, 0.99):
        assert law.percentile(probability)[0] == pytest.approx(np.quantile(waits, probability), rel=0.03)


@pytest.mark.parametrize("load", [0.3, 0.7])
def test_the_law_matches_another_inversion(monkeypatch: pytest.MonkeyPatch, load: float) -> None:
    """With many frequencies everywhere; with those that a search can afford, in the tail."""
    increments = at_load(load, GEOMETRIC, GEOMETRIC_SHARE)
    times = np.array([0.004, 0.012, 0.03, 0.08, 0.15, 0.3, 0.5, 0.8])
    exact = np.array([wait_exceedance(time, RATE, BASE_S, increments, GEOMETRIC_SHARE) for time in times])
    assert exact.max() > 0.75
    assert exact.min() < 0.03

    def beyond() -> Floats:
        law = law_at(RATE, BASE_S, increments, GEOMETRIC_SHARE, own=False)
        return np.array([law.exceedance(np.array([time]))[0] for time in times])

    tail = exact < 0.25
    np.testing.assert_allclose(beyond()[tail], exact[tail], atol=2e-3)
    refine_series(monkeypatch, 2048)
    np.testing.assert_allclose(beyond(), exact, atol=3e-3)  # linear between the parts of the support


@pytest.mark.parametrize("rate", [1e-6, 1e-2])
def test_a_request_that_meets_nobody_waits_for_the_rest_of_a_step(rate: float) -> None:
    """ρ → 0: W is uniform on [0, h], the first token comes h + Δ later."""
    law = law_at(rate, BASE_S, np.array([3e-3]), ONE)
    quantiles = np.array([0.1, 0.5, 0.9, 0.99])
    found = [law.percentile(p)[0] for p in quantiles]
    np.testing.assert_allclose(found, BASE_S * quantiles + BASE_S + 3e-3, atol=0.02 * BASE_S)
    assert law.mean_s[0] == pytest.approx(1.5 * BASE_S + 3e-3, rel=1e-3)


def test_prompts_that_cost_nothing_are_no_nan() -> None:
    law = law_at(RATE, BASE_S, np.zeros(2), np.array([0.5, 0.5]))
    assert law.mean_s[0] == pytest.approx(1.5 * BASE_S, rel=1e-9)
    assert law.percentile(0.99)[0] == pytest.approx(1.99 * BASE_S, rel=0.01)
    assert law.exceedance(np.array([1.5 * BASE_S]))[0] == pytest.approx(0.5, abs=0.01)


def test_no_request_is_faster_than_alone() -> None:
    increments = at_load(0.5, GEOMETRIC, GEOMETRIC_SHARE)
    law = law_at(RATE, BASE_S, increments, GEOMETRIC_SHARE)
    alone = BASE_S + increments.min()
    assert law.exceedance(np.array([alone * 0.999]))[0] == 1.0
    assert law.percentile(1e-6)[0] >= alone * 0.999
    far = law.own_s.max() + law.support_s[0]
    assert law.exceedance(np.array([far]))[0] == 0.0


def test_own_time_is_host_then_steps_then_the_rest_of_the_own_prefill() -> None:
    """The steps that carry the prompt hold its work once; the factor says how often it counts."""
    own = own_time(np.array([[11e-3, 44e-3]]), np.array([[1e-3, 4e-3]]), np.array([37e-3]), np.array([2.2]))
    np.testing.assert_allclose(own, [[37e-3 + 11e-3 + 1.2e-3, 37e-3 + 44e-3 + 4.8e-3]])


loads = st.floats(0.01, 0.8)
ratios = st.floats(0.05, 5.0)
spreads = st.floats(0.0, 1.0)


def chat(load: float, ratio: float, spread: float) -> tuple[float, Floats]:
    """Rate and increments of log-normal prompts whose mean takes `ratio` base steps."""
    sizes = np.exp(spread * np.linspace(-2.0, 2.5, 16))
    increments = sizes / (sizes * GEOMETRIC_SHARE).sum() * ratio * BASE_S
    return load / (ratio * BASE_S), increments


@given(loads, ratios, spreads)
@settings(max_examples=60)
def test_a_percentile_is_the_least_time_that_few_enough_exceed(load: float, ratio: float, spread: float) -> None:
    rate, increments = chat(load, ratio, spread)
    law = law_at(rate, BASE_S, increments, GEOMETRIC_SHARE)
    before = 0.0
    for probability in (0.5, 0.9, 0.95, 0.99):
        time = law.percentile(probability)
        assert time[0] > before
        assert law.exceedance(time)[0] <= 1.0 - probability + 1e-12
        assert law.exceedance(time * (1.0 - 1e-6))[0] > 1.0 - probability - 1e-9
        before = time[0]


@given(loads, ratios, spreads)
@settings(max_examples=60)
def test_more_time_is_exceeded_by_fewer(load: float, ratio: float, spread: float) -> None:
    rate, increments = chat(load, ratio, spread)
    law = law_at(rate, BASE_S, increments, GEOMETRIC_SHARE)
    limits = np.linspace(law.own_s.min(), law.own_s.max() + law.support_s[0], 150)
    beyond = np.array([law.exceedance(np.array([limit]))[0] for limit in limits])
    assert (beyond - np.minimum.accumulate(beyond)).max() <= 1e-12


def test_more_time_is_exceeded_by_fewer_with_long_prompts() -> None:
    """One prompt of thirty base steps at ρ = .15: a bare series would ring by several percent."""
    law = law_at(0.15 / (30.0 * BASE_S), BASE_S, np.array([30.0 * BASE_S]), ONE)
    limits = np.linspace(law.own_s.min(), law.own_s.max() + law.support_s[0], 400)
    beyond = np.array([law.exceedance(np.array([limit]))[0] for limit in limits])
    assert (beyond - np.minimum.accumulate(beyond)).max() <= 1e-12


@given(loads, ratios, spreads, st.sampled_from([0.5, 0.9, 0.99]))
@settings(max_examples=60)
def test_a_higher_rate_is_exceeded_by_more(load: float, ratio: float, spread: float, probability: float) -> None:
    """With the same step times; the share beyond the percentile of a middle load, for loads up to .8."""
    rate, increments = chat(load, ratio, spread)
    limit = law_at(rate, BASE_S, increments, GEOMETRIC_SHARE).percentile(probability)
    rates = np.linspace(0.02, 0.8, 40) / (ratio * BASE_S)
    law = law_at(rates, BASE_S, np.tile(increments, (40, 1)), GEOMETRIC_SHARE)
    beyond = law.exceedance(np.full(40, limit[0]))
    assert (np.maximum.accumulate(beyond) - beyond).max() <= 2e-3
    assert (np.diff(law.mean_s) > 0.0).all()
