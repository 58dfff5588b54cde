"""A design under simulated requests, beside what its evaluation predicts."""

from math import inf
from pathlib import Path

import pytest

from catalog.read import load
from optimizer.additions import read_question
from optimizer.answers import Answer
from optimizer.arithmetic.speculative import Speculation
from optimizer.outcome import Verdict
from optimizer.report.simulated_part import verdict_of
from optimizer.simulation import Runs, Simulation, simulate, with_drafts
from optimizer.solve import answer
from optimizer.traffic.simulate import Estimate, Router
from requirements_specs.requirement import Metric, Statistic

EXAMPLES = Path(__file__).parents[2] / "examples"


def simulated(name: str, burstiness: float = 1.0, speculation: Speculation | None = None) -> Simulation:
    spec, snapshot = read_question(EXAMPLES / name, load())
    found = answer(spec, snapshot)
    assert isinstance(found, Answer)
    if speculation is not None:
        found = with_drafts(spec, found, snapshot, speculation)
    return simulate(spec, found, Runs(3, 3000, Router.ROUND_ROBIN, burstiness))


@pytest.fixture(scope="module")
def chat() -> Simulation:
    return simulated("chat_70b.yaml")


def test_the_laws_are_near_the_simulation(chat: Simulation) -> None:
    """Means tell whether both read the same tables: they hardly depend on the laws of waiting."""
    point, risky = chat.scenarios
    assert (point.risk, risky.risk) == (0.5, 0.1)
    for scenario in chat.scenarios:
        for metric in Metric:
            mean = scenario.statistics[metric, Statistic.MEAN]
            assert mean.predicted_s == pytest.approx(mean.simulated.value, rel=0.05)
        ttft = scenario.statistics[Metric.TTFT, Statistic.P99]
        assert ttft.predicted_s == pytest.approx(ttft.simulated.value, rel=0.15)
        assert scenario.unfinished_share == 0.0


def test_a_slower_scenario_is_slower(chat: Simulation) -> None:
    point, risky = chat.scenarios
    for which, compared in point.statistics.items():
        assert compared.simulated.value < risky.statistics[which].simulated.value


def test_bursts_lengthen_the_tail(chat: Simulation) -> None:
    bursty = simulated("chat_70b.yaml", burstiness=6.0)
    which = (Metric.TTFT, Statistic.P99)
    assert bursty.scenarios[0].statistics[which].simulated.low > chat.scenarios[0].statistics[which].simulated.high


def mean_s(simulation: Simulation, metric: Metric) -> tuple[float, float]:
    """By the law and in the simulation, at the point prediction."""
    compared = simulation.scenarios[0].statistics[metric, Statistic.MEAN]
    return compared.predicted_s, compared.simulated.value


def test_drafts_are_alike_in_the_law_and_in_the_simulation(chat: Simulation) -> None:
    drafted = simulated("chat_70b.yaml", speculation=Speculation(4, 0.6, 0.1))
    for metric in Metric:
        law_s, simulated_s = mean_s(drafted, metric)
        assert law_s == pytest.approx(simulated_s, rel=0.05)
    assert mean_s(drafted, Metric.TPOT)[1] < 0.75 * mean_s(chat, Metric.TPOT)[1]
    assert mean_s(drafted, Metric.TTFT)[1] > mean_s(chat, Metric.TTFT)[1]  # prompts wait for longer steps


def test_drafts_that_are_never_accepted_cost_their_time(chat: Simulation) -> None:
    drafted = simulated("chat_70b.yaml", speculation=Speculation(4, 0.0, 0.1))
    law_s, simulated_s = mean_s(drafted, Metric.TPOT)
    assert law_s == pytest.approx(simulated_s, rel=0.03)
    assert simulated_s > 1.4 * mean_s(chat, Metric.TPOT)[1]


def test_drafts_are_a_null_move_in_large_batches() -> None:
    """The page of `mechanisms` says so of this design; most drafts are accepted and nothing is gained."""
    plain, drafted = (
        mean_s(simulated("large_batch.yaml", speculation=drafts), Metric.TPOT)[1]
        for drafts in (None, Speculation(4, 0.6, 0.1))
    )
    assert drafted > plain


def test_what_drafts_overload_has_no_law() -> None:
    drafted = simulated("large_batch.yaml", speculation=Speculation(8, 0.1, 0.5))
    assert mean_s(drafted, Metric.TPOT) == (inf, inf)
    assert drafted.scenarios[0].unfinished_share > 0.1


@pytest.mark.parametrize(
    ("simulated_s", "verdict"),
    [
        (Estimate(0.9, 0.8, 1.0), Verdict.HOLDS),
        (Estimate(0.9, 0.8, 1.1), Verdict.UNDECIDED),
        (Estimate(float("inf"), 0.8, float("inf")), Verdict.UNDECIDED),
        (Estimate(1.2, 1.1, 1.3), Verdict.VIOLATED),
    ],
)
def test_verdicts(simulated_s: Estimate, verdict: Verdict) -> None:
    assert verdict_of(simulated_s, 1.0) is verdict
