import pytest

from optimizer.deliver.console import render
from optimizer.deliver.page import PAGE_WIDTH
from optimizer.outcome import (
    Alternative,
    Choice,
    FrontierOut,
    FrontierStep,
    NearOptimum,
    Objective,
    Outcome,
)
from requirements_specs.serving import Budget, ServingSpec
from requirements_specs.serving import Objective as Sought
from tests.deliver.reports import assert_fits, section


def test_tables_of_choices_stand_below_the_page(solved: Outcome, chat: ServingSpec) -> None:
    one, other = solved.alternatives
    figures = {"ttft_p99_s": 0.1712, "tpot_p99_s": 0.0312, "binding_wall": "memory-bandwidth"}
    asked = solved.model_copy(
        update={
            "alternatives": (one.model_copy(update=figures), other.model_copy(update=figures)),
            "near_optimum": NearOptimum(share=0.05, count=1, designs=(_short(one),)),
            "frontier": _stairs(solved, complete=False),
        }
    )
    first, page_two = render(asked, chat, "x").plain.split("\n\nInstead ")
    assert first == render(solved, chat, "x").plain
    head, *rows = page_two.split("\n\n")[0].splitlines()
    assert head.split() == ["cost/h", "design", "w/a/KV", "ttft", "p99", "tpot", "p99", "binds"]
    assert rows[0].split() == [
        "$56.00", "4", "×", "TP4", "h200-sxm-141gb", "bf16/bf16/bf16", "171", "ms", "31.2", "ms", "memory", "bandwidth"
    ]  # fmt: skip
    assert "Near best no other design within 5 % of the optimum" in page_two
    stairs = page_two.split("\nFrontier  ")[1]
    assert stairs.startswith("least cost for ttft p99 within each limit, at risk 0.1")
    (marked,) = [line for line in stairs.splitlines() if line.endswith("◄ asked")]
    assert marked.split()[:3] == ["187", "ms", "$47.84"]
    assert stairs.splitlines()[-1].endswith("40 steps are shown")
    assert max(map(len, page_two.splitlines())) <= PAGE_WIDTH


def test_designs_near_the_optimum_are_counted(solved: Outcome, chat: ServingSpec) -> None:
    near = NearOptimum(share=0.05, count=40, designs=tuple(_short(solved.alternatives[0]) for _ in range(40)))
    text = section(render(solved.model_copy(update={"near_optimum": near}), chat, "x").plain, "Near best")
    assert text.startswith("40 designs within 5 % of the optimum; 4 × TP4 h200-sxm-141gb bf16/bf16/bf16 $56.00/h;")
    assert text.endswith("(all with --json)")


def test_a_frontier_without_steps_says_so(solved: Outcome, chat: ServingSpec) -> None:
    empty = _stairs(solved, complete=True).model_copy(update={"steps": ()})
    text = render(solved.model_copy(update={"frontier": empty}), chat, "x").plain
    assert text.endswith("nothing meets the other requirements")


@pytest.mark.parametrize(
    ("objective", "sought", "verdict", "claim"),
    [
        (
            Objective(metric="e2e_mean_s", value=1.2345, bound=1.2345, analytic_bound=1.2345),
            Sought.FASTEST,
            " · $47.84/h · mean e2e 1.23 s · proved fastest within $60/h",
            "objective = bound = mean e2e 1.2345 s",
        ),
        (
            Objective(metric="requests_per_s", value=13.123456, bound=13.2, analytic_bound=13.123456),
            Sought.MOST_REQUESTS,
            " · $47.84/h · 13.1 req/s · proved the most within $60/h",
            "objective 13.123456 req/s < bound 13.2 req/s",
        ),
    ],
)
def test_the_best_within_a_budget_is_told_in_its_unit(
    solved: Outcome, chat: ServingSpec, objective: Objective, sought: Sought, verdict: str, claim: str
) -> None:
    report = render(
        solved.model_copy(update={"objective": objective}), chat.model_copy(update={"objective": sought}), "x"
    ).plain
    assert report.splitlines()[0].endswith(verdict)
    assert claim in section(report, "Proof")
    assert ("mean 1.23 s, least" in section(report, "Predicted")) == (sought is Sought.FASTEST)
    assert ("% speed" in section(report, "Walls")) == (sought is Sought.FASTEST)
    assert_fits(report)


def test_a_long_verdict_leaves_the_caps_to_the_question(solved: Outcome, chat: ServingSpec) -> None:
    budget = Budget(usd_per_hour=123456.0, usd_per_month=98765432.0)
    spec = chat.model_copy(update={"objective": Sought.FASTEST, "budget": budget})
    objective = Objective(metric="e2e_mean_s", value=1.2, bound=1.2, analytic_bound=1.2)
    report = render(solved.model_copy(update={"objective": objective}), spec, "x").plain
    assert report.splitlines()[0].endswith(" · proved fastest")


def _short(alternative: Alternative) -> Choice:
    return Choice(**{name: getattr(alternative, name) for name in Choice.model_fields})


def _stairs(solved: Outcome, *, complete: bool) -> FrontierOut:
    steps = [
        FrontierStep(**{**dict(_short(solved.alternatives[0])), "usd_per_hour": cost, "limit_s": limit_s})
        for limit_s, cost in ((0.12, 812.5), (0.187, 47.84), (0.3, 12.0))
    ]
    return FrontierOut(requirement="slo.ttft.p99", digits=3, most_steps=40, complete=complete, steps=tuple(steps))
