import numpy as np
import pytest

from optimizer.evaluate import Candidates, Laws, Question, StepSpread, mean_state, prepare, tabulate
from optimizer.traffic.decoding_law import DecodingLaw
from optimizer.traffic.fluid import TrafficTables
from optimizer.traffic.simulate import EngineLimits, Fleet, Plan, Router, estimate, pipeline_steps, run
from optimizer.traffic.workload_bins import WorkloadBins, constant_lengths
from requirements_specs.lengths import LengthDistribution
from requirements_specs.requirement import Statistic
from requirements_specs.workload import Workload
from tests.optimizer.traffic.linear_steps import linear_steps

FREE = Question((), 1.0, 0.0)
TOKEN_BUDGET, SLOTS = 2048.0, 1024.0


def candidate_of(bins: WorkloadBins, per_token_s: float) -> Candidates:
    steps = linear_steps(1, fixed_s=5e-3, per_sequence_s=4e-5, per_token_s=per_token_s)
    physics = prepare(steps, bins, StepSpread.none(1))
    return tabulate(physics, np.zeros(1, dtype=np.int64), np.array([TOKEN_BUDGET]), np.array([SLOTS]))


def law_of(prompt: float, output: float, rate_per_s: float, per_token_s: float = 2e-5) -> tuple[DecodingLaw, float]:
    """The law of one candidate of linear steps, and its mean step."""
    bins = constant_lengths(np.array([prompt]), np.array([output]), np.zeros(1))
    candidate = candidate_of(bins, per_token_s)
    state = mean_state(candidate, np.array([rate_per_s]), FREE)
    return Laws(candidate, state).decoding, float(state.point.step_s[0])


def simulated_p99(prompt: int, output: int, rate_per_s: float, tables: TrafficTables, bins: WorkloadBins) -> float:
    """p99 of TPOT of requests on one pipeline, on the tables that the law reads."""
    fleet = Fleet(
        steps=pipeline_steps(tables, bins, TOKEN_BUDGET, int(SLOTS)),
        limits=EngineLimits(int(TOKEN_BUDGET), int(SLOTS), kv_blocks=10**7, kv_block_tokens=16),
        pipelines=1,
        router=Router.ROUND_ROBIN,
        host_s=0.0,
        own_prefill_factor=1.0,
    )
    workload = Workload(
        request_rate_per_s=rate_per_s,
        prompt_tokens=LengthDistribution.constant(prompt),
        output_tokens=LengthDistribution.constant(output),
    )
    sample = run(fleet, workload, rate_per_s, Plan((1, 2, 3), 5_000, 1_000))
    return estimate(sample.tpot_s, 0.99).value


@pytest.mark.parametrize(("output", "rate_per_s"), [(10, 10.0), (10, 20.0), (100, 10.0), (100, 20.0), (400, 15.0)])
def test_the_tail_is_that_of_simulated_requests(output: int, rate_per_s: float) -> None:
    bins = constant_lengths(np.array([1000.0]), np.array([float(output)]), np.zeros(1))
    candidate = candidate_of(bins, 2e-5)
    state = mean_state(candidate, np.array([rate_per_s]), FREE)
    predicted = float(Laws(candidate, state).decoding.tpot(Statistic.P99)[0])
    assert predicted == pytest.approx(simulated_p99(1000, output, rate_per_s, state.tables, bins), rel=0.15)
    assert predicted > 1.2 * state.point.step_s[0]


def test_without_prompts_to_compute_every_step_is_the_bare_one() -> None:
    law, step_s = law_of(1.0, 100.0, 1e-3, per_token_s=1e-12)
    for statistic in (Statistic.MEAN, Statistic.P50, Statistic.P99):
        assert law.tpot(statistic)[0] == pytest.approx(step_s, rel=1e-4)
        assert law.duration(statistic)[0] == pytest.approx(99.0 * step_s, rel=1e-4)


def test_short_answers_spread_more_than_long_ones() -> None:
    ratios = []
    for output in (5.0, 50.0, 500.0):
        law, step_s = law_of(1000.0, output, 10.0)
        ratios.append(float(law.tpot(Statistic.P99)[0]) / step_s)
    assert ratios[0] > 1.5 * ratios[1] > 1.5 * ratios[2] > 1.5


def test_no_step_is_longer_than_one_full_of_prompts() -> None:
    law, _ = law_of(1000.0, 3.0, 40.0)
    assert law.tpot(Statistic.P99)[0] <= law.full_step_s[0]
    assert law.tpot_exceedance(law.full_step_s * 0.999)[0] > 0.0
    assert law.tpot_exceedance(law.full_step_s * 1.001)[0] == 0.0


@pytest.mark.parametrize("statistic", [Statistic.P50, Statistic.P90, Statistic.P99])
def test_percentiles_invert_the_exceedance(statistic: Statistic) -> None:
    law, _ = law_of(1000.0, 50.0, 10.0)
    probability = statistic.probability
    assert probability is not None
    for found, exceedance in (
        (law.tpot(statistic), law.tpot_exceedance),
        (law.duration(statistic), law.duration_exceedance),
    ):
        assert exceedance(found)[0] <= 1.0 - probability
        assert exceedance(found * 0.999)[0] > 1.0 - probability


def test_a_limit_holds_exactly_from_the_statistic_on() -> None:
    law, _ = law_of(1000.0, 50.0, 10.0)
    for statistic in Statistic:
        seconds = float(law.tpot(statistic)[0])
        assert law.tpot_holds(statistic, 1.0001 * seconds)[0]
        assert not law.tpot_holds(statistic, 0.9999 * seconds)[0]


def test_requests_of_one_token_have_the_mean_step_for_a_gap_and_no_duration() -> None:
    law, step_s = law_of(1000.0, 1.0, 1.0)
    for statistic in Statistic:
        assert law.tpot(statistic)[0] == step_s
        assert law.duration(statistic)[0] == pytest.approx(0.0, abs=1e-9)
    assert law.tpot_holds(Statistic.P99, 1.001 * step_s)[0]
    assert not law.tpot_holds(Statistic.P99, 0.999 * step_s)[0]


def test_the_median_of_requests_that_meet_nobody_is_the_bare_step() -> None:
    """However unlike the prompts are that the others may bring: few requests feel any of them."""
    medians = []
    for rate in (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1):
        law, _ = law_of(1000.0, 20.0, rate)
        assert law.felt[0, 0] < 0.5
        medians.append(float(law.tpot(Statistic.P50)[0]))
        assert medians[-1] == law.decode_s[0]
    assert medians == sorted(medians)
    busy, step_s = law_of(1000.0, 20.0, 20.0)
    assert busy.decode_s[0] < busy.tpot(Statistic.P50)[0] < 1.5 * step_s
