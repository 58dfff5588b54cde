"""A design under simulated requests, beside what its evaluation predicts."""

from pathlib import Path

import pytest

from catalog.read import load
from optimizer.additions import read_question
from optimizer.answers import Answer
from optimizer.outcome import Verdict
from optimizer.report.simulated_part import verdict_of
from optimizer.simulation import Runs, Simulation, simulate
from optimizer.solve import answer
from optimizer.traffic.simulate import Estimate, Router
from requirements_specs.requirement import Metric, Statistic

EXAMPLES = Path(__file__).parents[2] / "examples"


def simulated(name: str, burstiness: float = 1.0) -> Simulation:
    spec, snapshot = read_question(EXAMPLES / name, load())
    found = answer(spec, snapshot)
    assert isinstance(found, Answer)
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
