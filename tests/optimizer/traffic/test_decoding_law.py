from math import erfc, exp, sqrt

import numpy as np
import pytest

from optimizer.evaluate import Question, mean_state, prepare, tabulate
from optimizer.traffic.decoding_law import DecodingLaw, _normal_tail, _shifted_gamma_tail, decoding_law
from optimizer.traffic.workload_bins import WorkloadBins, constant_lengths
from tests.optimizer.traffic.linear_steps import linear_steps

FREE = Question((), 1.0, 0.0)


def law_of(bins: WorkloadBins, rate_per_s: float, per_token_s: float = 2e-5) -> tuple[DecodingLaw, float]:
    """The law of one candidate of linear steps, and its mean step."""
    steps = linear_steps(1, fixed_s=5e-3, per_sequence_s=4e-5, per_token_s=per_token_s)
    physics = prepare(steps, bins, np.zeros(1))
    candidates = tabulate(physics, np.zeros(1, dtype=np.int64), np.array([2048.0]), np.array([1024.0]))
    state = mean_state(candidates, np.array([rate_per_s]), FREE)
    law = decoding_law(state.point, state.tables, bins, candidates.token_budget)
    return law, float(state.point.step_s[0])


def constant(prompt: float, output: float) -> WorkloadBins:
    return constant_lengths(np.array([prompt]), np.array([output]), np.zeros(1))


def test_the_normal_tail_is_that_of_the_error_function() -> None:
    z = np.linspace(-6.0, 6.0, 201)
    np.testing.assert_allclose(_normal_tail(z), [0.5 * erfc(each / sqrt(2.0)) for each in z], atol=1e-7)
    assert _normal_tail(np.zeros(1))[0] == pytest.approx(0.5, abs=1e-12)


@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.0, 4.0])
def test_a_gamma_law_of_shape_one_is_exponential(seconds: float) -> None:
    one = np.ones(1)
    tail = _shifted_gamma_tail(np.array([seconds]), one, one, 2.0 * one)
    assert tail[0] == pytest.approx(exp(-seconds), abs=0.01)


def test_without_prompts_to_compute_every_step_is_the_bare_one() -> None:
    law, step_s = law_of(constant(1.0, 100.0), 1e-3, per_token_s=1e-12)
    for probability in (0.5, 0.99):
        assert law.tpot_percentile(probability)[0] == pytest.approx(step_s, rel=1e-4)
    assert law.mean_duration_s[0] == pytest.approx(99.0 * step_s, rel=1e-4)


def test_short_answers_spread_more_than_long_ones() -> None:
    ratios = []
    for output in (5.0, 50.0, 500.0):
        law, step_s = law_of(constant(1000.0, output), 10.0)
        ratios.append(float(law.tpot_percentile(0.99)[0]) / step_s)
    assert ratios[0] > 1.5 * ratios[1] > 1.5 * ratios[2] > 1.5


def test_no_step_is_longer_than_one_full_of_prompts() -> None:
    law, _ = law_of(constant(1000.0, 3.0), 40.0)
    assert law.tpot_percentile(0.9999)[0] <= law.full_step_s[0]
    assert law.tpot_exceedance(law.full_step_s * 1.0001)[0] == 0.0


def test_percentiles_invert_the_exceedance() -> None:
    law, _ = law_of(constant(1000.0, 50.0), 10.0)
    for probability in (0.5, 0.9, 0.99):
        found = law.tpot_percentile(probability)
        assert law.tpot_exceedance(found)[0] <= 1.0 - probability
        assert law.tpot_exceedance(found * 0.999)[0] > 1.0 - probability
        found = law.duration_percentile(probability)
        assert law.duration_exceedance(found)[0] <= 1.0 - probability
        assert law.duration_exceedance(found * 0.999)[0] > 1.0 - probability


def test_a_request_of_one_token_has_no_gap() -> None:
    law, _ = law_of(constant(1000.0, 1.0), 1.0)
    assert not law.has_gaps.any()
    assert law.tpot_percentile(0.99)[0] == pytest.approx(0.0, abs=1e-9)
    assert law.mean_duration_s[0] == 0.0
