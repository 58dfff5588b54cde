"""The verdict of simulated requests on a design, and the answer that comes of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from catalog.read import load
from optimizer.additions import read_question
from optimizer.answers import Answer, Judgement
from optimizer.arithmetic.arrays import Floats
from optimizer.errors import QuestionError
from optimizer.search.columns import Column
from optimizer.solve import answer
from optimizer.topology.layouts import MAX_NUM_SEQS
from optimizer.traffic.simulate import Estimate, Fleet, Plan, Sample, estimate
from optimizer.verification import Judge, judge, with_units
from optimizer.verification.judge import CLEAR_SHARE, MOST_PIPELINES, STAGES
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from requirements_specs.serving import IntegerChoice, Layout, ServingSpec
from requirements_specs.workload import Workload

EXAMPLES = Path(__file__).parents[3] / "examples"


def solved(name: str) -> tuple[ServingSpec, Answer]:
    spec, snapshot = read_question(EXAMPLES / name, load())
    found = answer(spec, snapshot)
    assert isinstance(found, Answer)
    return spec, found


@pytest.fixture(scope="module")
def code() -> tuple[ServingSpec, Answer]:
    return solved("code_8b.yaml")


def judged_at(code: tuple[ServingSpec, Answer], limit_s: float, design: Column | None = None) -> Judgement:
    spec, found = code
    limit = LatencyLimit(metric=Metric.TTFT, statistic=Statistic.P99, limit_s=limit_s)
    problem = replace(found.problem, question=replace(found.problem.question, limits=(limit,)))
    return Judge(problem, spec.workload)(design or found.design)


def test_a_verdict_is_the_same_every_time(code: tuple[ServingSpec, Answer]) -> None:
    assert judged_at(code, 0.2) == judged_at(code, 0.2)


def test_a_limit_far_off_is_decided_by_the_first_stage(code: tuple[ServingSpec, Answer]) -> None:
    loose, tight = judged_at(code, 0.4), judged_at(code, 0.1)
    assert (loose.accepted, loose.requests) == (True, STAGES[0])
    assert (tight.accepted, tight.requests) == (False, STAGES[0])
    assert tight.limits[0].simulated.low > 0.1


def test_a_limit_within_the_noise_takes_more_requests_before_it_refuses(code: tuple[ServingSpec, Answer]) -> None:
    roomy = replace(code[1].design, max_num_seqs=1024)
    measured = judged_at(code, 0.4, roomy).limits[0].simulated
    between = 0.5 * (measured.value + measured.high)
    judged = judged_at(code, between, roomy)
    assert judged.requests > STAGES[0]
    assert judged.accepted == (judged.limits[0].simulated.high <= between)


def test_the_first_stage_accepts_only_what_is_clear_by_a_tenth(code: tuple[ServingSpec, Answer]) -> None:
    roomy = replace(code[1].design, max_num_seqs=1024)
    high = judged_at(code, 0.4, roomy).limits[0].simulated.high
    assert judged_at(code, high / (CLEAR_SHARE - 0.01), roomy).requests == STAGES[0]
    assert judged_at(code, high / (CLEAR_SHARE + 0.01), roomy).requests > STAGES[0]


def test_more_replicas_are_not_slower(code: tuple[ServingSpec, Answer]) -> None:
    _, found = code
    values = [
        judged_at(code, 0.4, with_units(found.problem, found.design, found.design.units + more))
        .limits[0]
        .simulated.value
        for more in (0, 1, 2)
    ]
    assert values[0] > values[1] > values[2]


def test_a_large_fleet_is_simulated_in_part_at_the_same_rate_each(code: tuple[ServingSpec, Answer]) -> None:
    _, found = code
    judged = judged_at(code, 0.4, with_units(found.problem, found.design, 40))
    assert judged.pipelines == MOST_PIPELINES
    assert judged.requests == 8_000  # a thousand each, where one pipeline serves three
    assert judged.rate_per_s / MOST_PIPELINES == pytest.approx(found.problem.demand.rate_per_s / 40)


def test_engine_slots_are_raised_before_a_design_is_refused() -> None:
    """32 slots hold what the laws expect; bursts fill them, and the first tokens wait."""
    spec, found = solved("chat_70b.yaml")
    judged = Judge(found.problem, spec.workload)(found.design)
    assert judged.accepted
    assert judged.column.max_num_seqs > found.design.max_num_seqs
    assert judged.column == replace(found.design, max_num_seqs=judged.column.max_num_seqs)


def test_a_refused_design_was_tried_with_all_slots_that_matter(
    code: tuple[ServingSpec, Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every run says that all slots were taken: each larger number is tried, up to the last."""
    _, found = code
    tried: list[int] = []
    whole = judge.run

    def filled(fleet: Fleet, workload: Workload, rate: float, plan: Plan) -> Sample:
        tried.append(fleet.limits.max_num_seqs)
        return replace(whole(fleet, workload, rate, plan), slots_filled=True)

    monkeypatch.setattr(judge, "run", filled)
    assert not judged_at(code, 0.1).accepted
    assert tried == [slots for slots in MAX_NUM_SEQS.astype(int).tolist() if slots >= found.design.max_num_seqs]


def test_equal_replicas_are_simulated_once(code: tuple[ServingSpec, Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    spec, found = code
    verdict = Judge(found.problem, spec.workload)
    first = verdict(found.design)
    monkeypatch.setattr(judge, "run", None)
    elsewhere = replace(found.design, offer=found.design.offer + 1)
    assert verdict(elsewhere) == replace(first, column=replace(elsewhere, max_num_seqs=first.column.max_num_seqs))


def test_unfinished_requests_violate(code: tuple[ServingSpec, Answer]) -> None:
    """At fifty times the rate nothing is in time."""
    spec, found = code
    problem = replace(found.problem, demand=replace(found.problem.demand, rate_per_s=1e3))
    judged = Judge(problem, spec.workload)(replace(found.design, max_num_seqs=1024))
    assert judged.unfinished_share > 0.01
    assert not judged.accepted


@pytest.fixture(scope="module")
def refused_first() -> Answer:
    """An answer whose optimum by the laws is refused, by a simulation in which all takes 2.5 times as long.

    On one part and one rank in bf16 only more replicas help.
    """

    def slower(samples: Floats, probability: float | None) -> Estimate:
        return estimate(2.5 * samples, probability)

    spec, snapshot = read_question(EXAMPLES / "code_8b.yaml", load())
    update = {
        "slo": (LatencyLimit(metric=Metric.TTFT, statistic=Statistic.P99, limit_s=0.5),),
        "inventory": spec.inventory.model_copy(update={"accelerators": ("h100-sxm-80gb",), "max_accelerators": 64}),
        "formats": spec.formats.model_copy(update={"weights": ("bf16",)}),
        "layout": Layout(tp=IntegerChoice(values=(1,)), pp=IntegerChoice(values=(1,))),
        "workload": spec.workload.model_copy(update={"request_rate_per_s": 4.0 * spec.workload.request_rate_per_s}),
    }
    spec = spec.model_copy(update=update)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge, "estimate", slower)
        found = answer(spec, snapshot, simulated=True)
    assert isinstance(found, Answer)
    return found


def test_the_answer_is_what_both_accept(refused_first: Answer) -> None:
    found = refused_first
    verification = found.verification
    assert verification is not None
    assert verification.judgement is not None
    assert verification.judgement.accepted
    assert verification.judgement.column == found.design
    assert found.solution.proved
    assert not any(refusal.accepted for refusal in verification.refusals)
    assert 1 < verification.rounds <= len(verification.refusals) + 1
    assert verification.analytic.usd_micro_per_hour <= found.design.usd_micro_per_hour


def test_no_answer_carries_what_its_refusals_did_not(refused_first: Answer) -> None:
    found, compared = refused_first, 0
    assert found.verification is not None
    for refusal in found.verification.refusals:
        if (refusal.column.key, refusal.column.token_budget) == (found.design.key, found.design.token_budget):
            compared += 1
            carried = found.problem.demand.rate_per_s / refusal.column.replicas
            assert found.binding.highest_rate_per_s <= carried
    assert compared


def test_nothing_is_simulated_without_limits_or_for_another_objective() -> None:
    for name in ("fastest_within_budget.yaml", "offline_batch.yaml"):
        spec, snapshot = read_question(EXAMPLES / name, load())
        found = answer(spec, snapshot, simulated=True)
        assert isinstance(found, Answer)
        assert found.verification is None


BURSTS = """kind: serving
model: llama-3.1-8b
workload: {{trace: requests.csv, peak_factor: {peak}}}
slo: {{ttft: {{p99: {limit}}}}}
inventory: {{accelerators: [h100-sxm-80gb]}}
"""


def traced(path: Path, limit: str = "600 ms", peak: float = 1.0) -> tuple[ServingSpec, Answer]:
    """Forty prompts at once every 20 s, but for one second in which 40 more come: no law of waiting knows of it."""
    times = np.sort(np.concatenate([np.repeat(np.arange(0.0, 600.0, 20.0), 40), np.linspace(300.2, 301.0, 40)]))
    rows = "\n".join(f"{time:.3f},1000,20" for time in times.tolist())
    (path / "requests.csv").write_text(f"time,prompt_tokens,output_tokens\n{rows}\n", encoding="utf-8")
    (path / "spec.yaml").write_text(BURSTS.format(limit=limit, peak=peak), encoding="utf-8")
    spec, snapshot = read_question(path / "spec.yaml", load())
    found = answer(spec, snapshot, simulated=True)
    assert isinstance(found, Answer)
    return spec, found


def test_a_trace_is_put_to_the_design_as_it_came(tmp_path: Path) -> None:
    spec, found = traced(tmp_path)
    assert found.verification is not None
    judged = found.verification.judgement
    assert judged is not None
    assert judged.seeds == ()
    assert judged.rate_per_s == pytest.approx(spec.workload.request_rate_per_s)
    assert judged.limits[0].simulated.value <= 0.6
    alone = replace(found.design, units=1, replicas=1)
    refused = Judge(found.problem, spec.workload)(alone)
    assert not refused.accepted
    assert refused.limits[0].simulated.value > 0.6


def test_a_trace_is_sped_up_to_the_peak(tmp_path: Path) -> None:
    spec, found = traced(tmp_path)
    there = found.problem.carrying(4.0 * found.problem.demand.rate_per_s)
    usual, fast = (Judge(each, spec.workload)(found.design) for each in (found.problem, there))
    assert fast.rate_per_s == pytest.approx(4.0 * usual.rate_per_s)
    assert fast.limits[0].simulated.value > usual.limits[0].simulated.value


def test_a_trace_that_changes_under_way_is_refused(tmp_path: Path) -> None:
    spec, found = traced(tmp_path)
    with (tmp_path / "requests.csv").open("a", encoding="utf-8") as file:
        file.write("700,1000,20\n")
    with pytest.raises(QuestionError, match=r"requests\.csv was changed"):
        Judge(found.problem, spec.workload)


def test_bursts_are_simulated_as_the_specification_says(code: tuple[ServingSpec, Answer]) -> None:
    spec, found = code
    bursty = spec.workload.model_copy(update={"index_of_dispersion": 20.0})
    usual, in_bursts = (Judge(found.problem, each)(found.design) for each in (spec.workload, bursty))
    assert in_bursts.limits[0].simulated.value > usual.limits[0].simulated.value
