"""The requests of a trace on the design of an answer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from catalog.read import Snapshot, load
from optimizer.additions import read_question
from optimizer.answers import Answer
from optimizer.errors import QuestionError
from optimizer.replay import replay_trace
from optimizer.simulation import Recording, Runs, Simulation, simulate
from optimizer.solve import answer
from optimizer.traffic.simulate import Router, draw_requests
from requirements_specs.requirement import Metric, Statistic
from requirements_specs.serving import ServingSpec
from requirements_specs.traces.facts import busiest_window_of, whole
from requirements_specs.traces.trace import PrefixBlocks, Trace

EXAMPLE = Path(__file__).parents[2] / "examples" / "chat_70b.yaml"


@pytest.fixture(scope="module")
def asked() -> tuple[ServingSpec, Snapshot, Answer]:
    spec, snapshot = read_question(EXAMPLE, load())
    found = answer(spec, snapshot)
    assert isinstance(found, Answer)
    return spec, snapshot, found


def drawn(spec: ServingSpec, rate: float, count: int = 6000, burstiness: float = 1.0) -> Trace:
    requests = draw_requests(spec.workload, rate, count, 9, burstiness)
    return Trace(requests.arrival_s, requests.prompt_tokens.astype(np.int32), requests.output_tokens.astype(np.int32))


def replayed(
    asked: tuple[ServingSpec, Snapshot, Answer],
    trace: Trace,
    window_s: float | None = None,
    router: Router = Router.ROUND_ROBIN,
) -> Simulation:
    spec, snapshot, found = asked
    window = whole(trace) if window_s is None else busiest_window_of(trace, window_s)
    return replay_trace(spec, snapshot.models[spec.model], found, Recording("requests.csv", trace, window), router)


def test_a_trace_of_poisson_requests_is_a_random_run(asked: tuple[ServingSpec, Snapshot, Answer]) -> None:
    spec, _, found = asked
    rate = found.problem.demand.rate_per_s
    again, random = (
        replayed(asked, drawn(spec, rate)),
        simulate(spec, found, Runs(3, 6000, Router.ROUND_ROBIN, 1.0)),
    )
    assert again.rate_per_s == pytest.approx(rate, rel=0.05)
    assert again.runs.burstiness == pytest.approx(1.0, abs=0.1)
    for each, other in zip(again.scenarios, random.scenarios, strict=True):
        for which in ((Metric.TTFT, Statistic.MEAN), (Metric.TPOT, Statistic.MEAN), (Metric.E2E, Statistic.MEAN)):
            ours, theirs = each.statistics[which], other.statistics[which]
            assert ours.simulated.value == pytest.approx(theirs.simulated.value, rel=0.08)
            assert ours.predicted_s == pytest.approx(theirs.predicted_s, rel=0.08)


def test_time_that_runs_faster_or_in_bursts_is_slower(asked: tuple[ServingSpec, Snapshot, Answer]) -> None:
    spec, _, found = asked
    rate = found.problem.demand.rate_per_s
    slow, fast, bursty = (
        replayed(asked, trace).scenarios[-1].statistics[Metric.TTFT, Statistic.P99].simulated.value
        for trace in (drawn(spec, 0.5 * rate), drawn(spec, rate), drawn(spec, 0.5 * rate, burstiness=20.0))
    )
    assert slow < fast
    assert slow < bursty


def test_what_the_design_does_not_carry_has_no_law_and_is_not_finished(
    asked: tuple[ServingSpec, Snapshot, Answer],
) -> None:
    spec, _, found = asked
    flood = replayed(asked, drawn(spec, 20.0 * found.problem.demand.rate_per_s, 20_000))
    for scenario in flood.scenarios:
        assert scenario.statistics[Metric.TTFT, Statistic.MEAN].predicted_s == np.inf
        assert scenario.unfinished_share > 0.0


def test_longer_requests_take_longer_steps(asked: tuple[ServingSpec, Snapshot, Answer]) -> None:
    """Steps are those of the trace's own lengths, not of the specification's."""
    spec, _, found = asked
    trace = drawn(spec, 0.2 * found.problem.demand.rate_per_s, 3000)
    long = replace(trace, prompt_tokens=trace.prompt_tokens * 4)
    for statistic in (Metric.TTFT, Metric.TPOT):
        one, four = (replayed(asked, each).scenarios[0].statistics[statistic, Statistic.MEAN] for each in (trace, long))
        assert one.simulated.value < four.simulated.value
        assert four.predicted_s == pytest.approx(four.simulated.value, rel=0.15)


def test_the_busiest_window_is_loaded_by_what_comes_before(asked: tuple[ServingSpec, Snapshot, Answer]) -> None:
    spec, _, found = asked
    trace = drawn(spec, found.problem.demand.rate_per_s)
    late_s = trace.arrival_s - 300.0
    inner = replace(trace, arrival_s=np.where(late_s > 0.0, 300.0 + late_s / 1.3, trace.arrival_s))
    window = busiest_window_of(inner, 60.0)
    assert window.start_s > 300
    part = replayed(asked, inner, 60.0)
    assert part.runs.requests == window.requests  # nothing of it is needed to load the fleet
    everything = replayed(asked, inner)
    assert 0.4 * inner.requests < everything.runs.requests < inner.requests


def test_two_replays_are_the_same_and_prefixes_are_found(asked: tuple[ServingSpec, Snapshot, Answer]) -> None:
    spec, _, found = asked
    trace = drawn(spec, 0.5 * found.problem.demand.rate_per_s, 2000)
    ends = np.cumsum(-(-trace.prompt_tokens.astype(np.int64) // 512))
    starts = np.concatenate([[0], ends[:-1]])
    ids = np.arange(ends[-1], dtype=np.int32)
    ids[starts] = 10**6 + np.arange(len(starts)) % 5  # one of five first blocks
    hashed = replace(trace, prefix_blocks=PrefixBlocks(ids, ends, 512))
    first, second = (replayed(asked, hashed, router=Router.PREFIX_AWARE) for _ in range(2))
    assert first.scenarios == second.scenarios
    plain = replayed(asked, trace).scenarios[0]
    hit = first.scenarios[0].prefix_hit
    assert plain.prefix_hit is None
    assert hit is not None
    assert 0.0 < hit < 0.6
    faster = first.scenarios[0].statistics[Metric.TTFT, Statistic.MEAN].simulated.value
    assert faster < plain.statistics[Metric.TTFT, Statistic.MEAN].simulated.value


def test_too_few_requests_and_too_long_ones_are_refused(asked: tuple[ServingSpec, Snapshot, Answer]) -> None:
    spec, snapshot, _ = asked
    trace = drawn(spec, 1.0, 80)
    with pytest.raises(QuestionError, match=r"requests count, a 99th percentile needs 100"):
        replayed(asked, trace)
    context = snapshot.models[spec.model].max_context
    long = replace(trace, prompt_tokens=np.full(80, context, dtype=np.int32))
    with pytest.raises(QuestionError, match=rf"context of {spec.model} holds {context:,}; leave such requests out"):
        replayed(asked, long)
