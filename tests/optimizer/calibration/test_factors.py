import math
from dataclasses import replace

import numpy as np
import pytest

from catalog.corrections import MULTIPLES, FirstTokenFactors
from catalog.read import Snapshot, load
from optimizer.calibration.factors import NO_FACTORS, Factors, Observation, Stack, fit, predicted_logs
from optimizer.calibration.observe import Stated, observe
from optimizer.predict.cases import Clients
from tests.optimizer.calibration.writers import run

SPREAD = math.log(1.5) / 1.645
# First tokens that move with the steps, and no further.
SCALED = FirstTokenFactors.alike(1.0)
BF16, FP8 = Stack("bf16", ""), Stack("fp8", "")


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return load()


def factors(step: float, prefill: float, first_token: FirstTokenFactors | None) -> Factors:
    """Of bf16 weights under no stated version."""
    return Factors({BF16: step}, prefill, {BF16: first_token})


def observation(
    snapshot: Snapshot, clients: float, *, prompt: float = 1000.0, weights: str = "bf16", version: str | None = None
) -> Observation:
    engine = None if version is None else "vllm"
    result = run(
        prompt=prompt,
        output=200.0,
        concurrency=clients,
        requests=round(10 * clients),
        engine=engine,
        engine_version=version,
    )
    assert result.tpot is not None
    stated = Stated(gpu="h100-sxm-80gb", engine="vllm", tp=1, weights=weights)
    return observe(result, result.tpot, stated, snapshot)


def measured_under(
    runs: list[Observation], factors: Factors, snapshot: Snapshot, noise: float = 0.0
) -> list[Observation]:
    """The runs as a system with these factors would have done them, with seeded noise of this size."""
    tpot, ttft = predicted_logs([each.case for each in runs], factors, snapshot)
    rng = np.random.default_rng(7)
    off = noise * rng.standard_normal((2, len(runs)))
    return [
        replace(each, tpot_s=math.exp(a), ttft_s=math.exp(b))
        for each, a, b in zip(runs, tpot + off[0], ttft + off[1], strict=True)
    ]


@pytest.fixture(scope="module")
def runs(snapshot: Snapshot) -> list[Observation]:
    """Sixteen loads, from those that barely prefill to those that do little else."""
    return [
        observation(snapshot, clients, prompt=prompt)
        for clients in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 48.0, 64.0)
        for prompt in (100.0, 4000.0)
    ]


@pytest.mark.parametrize(
    ("step", "prefill", "fixed", "own", "burst"),
    [(1.3, 0.6, 1.5, 1.5, 1.5), (0.8, 2.0, 0.6, 0.6, 0.6), (1.2, 1.0, 3.0, 1.0, 0.4), (1.0, 1.0, 0.7, 0.7, 4.0)],
)
def test_the_factors_of_a_system_are_found(
    snapshot: Snapshot, runs: list[Observation], step: float, prefill: float, fixed: float, own: float, burst: float
) -> None:
    first_token = FirstTokenFactors(fixed=fixed, own_prefill=own, burst=burst)
    found = fit(measured_under(runs, factors(step, prefill, first_token), snapshot), snapshot, SPREAD)
    assert found.factors.step[BF16] == pytest.approx(step, rel=0.03)
    assert found.factors.prefill == pytest.approx(prefill, rel=0.1)
    mine = found.factors.first_token[BF16]
    assert mine is not None
    for name, value in first_token:
        assert getattr(mine, name) == pytest.approx(value, rel=0.15, abs=0.1), name
    assert found.step_deviation < 0.6 * SPREAD


def test_one_odd_run_moves_nothing(snapshot: Snapshot, runs: list[Observation]) -> None:
    measured = measured_under(runs, factors(1.2, 1.0, SCALED), snapshot)
    odd = [replace(measured[0], tpot_s=20.0 * measured[0].tpot_s), *measured[1:]]
    assert fit(odd, snapshot, SPREAD).factors.step[BF16] == pytest.approx(1.2, rel=0.03)


def test_steps_of_two_stacks_that_no_factor_brings_together_stay_as_predicted(
    snapshot: Snapshot, runs: list[Observation]
) -> None:
    """Every other number of clients half as slow again as predicted: a factor between would be off for all."""
    slower = factors(1.5, 1.0, SCALED)
    one, other = [[run for at, run in enumerate(runs) if at // 2 % 2 == half] for half in (0, 1)]
    torn = [*measured_under(one, NO_FACTORS, snapshot), *measured_under(other, slower, snapshot)]
    found = fit(torn, snapshot, SPREAD)
    assert found.factors.step == {BF16: 1.0}
    assert found.factors.prefill == 1.0
    left = [0.0] * 8 + [math.log(1.5)] * 8
    assert found.step_deviation == pytest.approx(
        math.sqrt((4.0 * SPREAD**2 + sum(each**2 for each in left)) / (4.0 + 16.0)), rel=1e-6
    )


def test_every_format_has_its_own_step(snapshot: Snapshot) -> None:
    clients = (1.0, 4.0, 16.0, 32.0, 48.0, 64.0)
    runs = [observation(snapshot, each, weights=weights) for each in clients for weights in ("bf16", "fp8")]
    measured = measured_under(runs, Factors({BF16: 1.5, FP8: 1.1}, 1.0, {BF16: SCALED, FP8: SCALED}), snapshot)
    step = fit(measured, snapshot, SPREAD).factors.step
    assert step[BF16] == pytest.approx(1.5, rel=0.05)
    assert step[FP8] == pytest.approx(1.1, rel=0.05)


def test_every_version_has_its_own_step_and_first_token(snapshot: Snapshot) -> None:
    runs = [
        observation(snapshot, clients, prompt=prompt, version=version)
        for clients in (1.0, 4.0, 16.0, 32.0, 64.0)
        for prompt in (200.0, 4000.0)
        for version in ("0.11", "0.12")
    ]
    old, new = Stack("bf16", "0.11"), Stack("bf16", "0.12")
    slow, quick = FirstTokenFactors.alike(2.0), FirstTokenFactors.alike(0.8)
    measured = measured_under(runs, Factors({old: 1.5, new: 1.1}, 1.0, {old: slow, new: quick}), snapshot)
    found = fit(measured, snapshot, SPREAD).factors
    assert (found.step[old], found.step[new]) == pytest.approx((1.5, 1.1), rel=0.05)
    for stack, first_token in ((old, 2.0), (new, 0.8)):
        mine = found.first_token[stack]
        assert mine is not None
        assert mine.fixed == pytest.approx(first_token, rel=0.2)
        assert mine.own_prefill == pytest.approx(first_token, rel=0.2)


def test_few_runs_move_little_and_narrow_nothing(snapshot: Snapshot, runs: list[Observation]) -> None:
    measured = measured_under(runs[:2], factors(5.0, 1.0, FirstTokenFactors.alike(4.0)), snapshot)
    one = fit(measured[:1], snapshot, SPREAD)
    # the slope of the objective cannot exceed one run's, 1/RUN_ERROR, so ln a ≤ τ²/RUN_ERROR
    assert 1.0 < one.factors.step[BF16] <= math.exp(SPREAD**2 / 0.2) * 1.001
    # the one run is met, and half of that is believed
    mine = one.factors.first_token[BF16]
    assert mine is not None
    assert all(1.0 <= getattr(mine, name) < math.sqrt(4.0) * 1.6 for name in MULTIPLES)
    for count in (1, 2):
        assert fit(measured[:count], snapshot, SPREAD).step_deviation >= SPREAD


def test_noise_alone_moves_little_and_the_interval_covers_it(snapshot: Snapshot, runs: list[Observation]) -> None:
    found = fit(measured_under(runs, NO_FACTORS, snapshot, noise=0.1), snapshot, SPREAD)
    assert abs(math.log(found.factors.step[BF16])) < 0.06
    assert found.factors.first_token == {BF16: None}
    assert 0.1 < found.step_deviation < 0.2


def test_a_spread_beyond_the_law_widens_the_interval(snapshot: Snapshot, runs: list[Observation]) -> None:
    assert fit(measured_under(runs, NO_FACTORS, snapshot, noise=0.8), snapshot, SPREAD).step_deviation > SPREAD


def test_the_order_of_the_runs_does_not_matter(snapshot: Snapshot, runs: list[Observation]) -> None:
    measured = measured_under(runs, factors(1.2, 0.8, FirstTokenFactors.alike(1.5)), snapshot, noise=0.1)
    forward, backward = fit(measured, snapshot, SPREAD), fit(measured[::-1], snapshot, SPREAD)
    assert forward.factors.step[BF16] == pytest.approx(backward.factors.step[BF16], rel=1e-3)
    assert forward == fit(measured, snapshot, SPREAD)


def test_the_whole_closed_loop_scales_with_its_factors(snapshot: Snapshot, runs: list[Observation]) -> None:
    alone = [each.case for each in runs if isinstance(each.case.load, Clients) and each.case.load.concurrency == 1.0]
    plain_tpot, plain_ttft = predicted_logs(alone, NO_FACTORS, snapshot)
    tpot, ttft = predicted_logs(alone, factors(1.25, 3.0, SCALED), snapshot)
    assert tpot - plain_tpot == pytest.approx(np.full(len(alone), math.log(1.25)))  # nobody else prefills
    _, slower = predicted_logs(alone, factors(1.25, 3.0, FirstTokenFactors.alike(2.0)), snapshot)
    assert slower - ttft == pytest.approx(np.full(len(alone), math.log(2.0)))
    assert np.all(ttft > plain_ttft)


def test_a_first_token_that_is_left_alone_does_not_move_with_the_steps(
    snapshot: Snapshot, runs: list[Observation]
) -> None:
    cases = [each.case for each in runs]
    _, before = predicted_logs(cases, NO_FACTORS, snapshot)
    _, after = predicted_logs(cases, factors(1.25, 3.0, None), snapshot)
    assert after == pytest.approx(before)
