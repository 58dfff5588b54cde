import pytest
from rich.text import Text

from optimizer.deliver.console import render, terminal_text
from optimizer.outcome import (
    Allowance,
    EngineOut,
    LayoutOut,
    Outcome,
    SearchOut,
    WallOut,
)
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from requirements_specs.serving import Availability, Budget, Formats, IntegerChoice, Inventory, Layout, ServingSpec
from tests.deliver.reports import assert_fits, section


@pytest.fixture
def report(solved: Outcome, chat: ServingSpec) -> str:
    """The report of the proved design."""
    return render(solved, chat, "chat.yaml").plain


@pytest.fixture
def refusal(infeasible: Outcome, tight: ServingSpec) -> str:
    """The report of the specification that nothing meets."""
    return render(infeasible, tight, "tight.yaml").plain


def test_reports_fit_a_page(report: str, refusal: str) -> None:
    assert_fits(report)
    assert_fits(refusal)


def test_the_verdict_comes_first(report: str) -> None:
    assert report.split("\n")[0] == "2 × 8 h100-sxm-80gb as 4 replicas of TP4 · $47.84/h · proved cheapest"


def test_requirements_and_assumptions_are_restated(report: str, solved: Outcome, chat: ServingSpec) -> None:
    asked = section(report, "Asked")
    for fact in ("chat 70B", "llama-3.1-70b", "10 req/s Poisson", "ttft p99 ≤ 200 ms", "tpot p99 ≤ 50 ms", "$60/h"):
        assert fact in asked
    assert "prompt mean 512" in asked
    assert "output mean 200" in asked
    assert section(report, "Assumed").startswith("not simulated; load_cap 0.8")
    roomy = render(solved.model_copy(update={"warnings": ()}), chat, "x").plain
    assumed = section(roomy, "Assumed")
    for fact in ("load_cap 0.8", "spare_replicas 0", "kv bf16", "no estimated_parts", "tiers on_demand"):
        assert fact in assumed


def test_the_design_can_be_built_from_the_report(report: str) -> None:
    text = section(report, "Design")
    for fact in (
        "2 × lambda/gpu_8x_h100_sxm5/us-east-1/on_demand",
        "16 accelerators",
        "fp8 weights and activations",
        "bf16 KV",
        "vllm max_num_seqs 256",
        "max_num_batched_tokens 8192",
    ):
        assert fact in text


def test_every_degree_of_the_layout_is_named(solved: Outcome, chat: ServingSpec) -> None:
    assert solved.design is not None
    pool = solved.design.pools[0].model_copy(update={"layout": LayoutOut(tp=8, pp=2, ep=8, dp_attention=4)})
    other = solved.model_copy(update={"design": solved.design.model_copy(update={"pools": (pool,)})})
    assert "TP8 PP2 EP8 DP4" in render(other, chat, "x").plain.split("\n")[0]


def test_cost_has_its_idle_share_and_the_date_of_its_price(report: str) -> None:
    text = section(report, "Cost")
    for fact in ("$47.84/h", "$34,923.20/month", "$2.60 per M input", "$6.64 per M output", "24 % idle", "13.1 req/s"):
        assert fact in text
    assert "2 × $23.92/h, availability unknown; list price of 2026-05-20 from anycloud-lambda-62ff0a9" in text


@pytest.mark.parametrize(
    ("update", "line"),
    [
        (
            {"price_kind": "override", "price_source": "own.csv:3"},
            "2 × $23.92/h, availability unknown; override price of 2026-05-20 from own.csv:3",
        ),
        (
            {"price_kind": "owned", "price_date": None, "price_source": "chat.yaml:14", "available_instances": 1},
            "2 × $23.92/h, 1 machine owned; owned price from chat.yaml:14",
        ),
        ({"price_date": None}, "list price without a date from anycloud-lambda-62ff0a9"),
    ],
)
def test_the_price_says_its_kind_its_day_and_its_source(
    solved: Outcome, chat: ServingSpec, update: dict[str, object], line: str
) -> None:
    assert solved.design is not None
    pool = solved.design.pools[0].model_copy(update=update)
    other = solved.model_copy(update={"design": solved.design.model_copy(update={"pools": (pool,)})})
    assert line in section(render(other, chat, "x").plain, "Cost")


def test_percentiles_stand_beside_intervals_and_limits(report: str) -> None:
    rows = {line.split()[0]: line for line in report.split("\n") if line.startswith(" " * 10)}
    assert rows["ttft"].split()[1:9] == ["84.1", "ms", "76.3", "ms", "110", "ms", "141", "ms"]
    assert "96.2 ms to 215 ms" in rows["ttft"]
    assert "p99 187 ms ≤ 200 ms" in rows["ttft"]
    assert "p99 24.7 ms ≤ 50 ms" in rows["tpot"]
    assert "8.9 s to overload" in rows["e2e"]
    assert "limit at risk 0.1" in report


def test_of_several_limits_on_a_metric_the_tightest_is_shown(solved: Outcome, chat: ServingSpec) -> None:
    limits = (*chat.slo, LatencyLimit(metric=Metric.TTFT, statistic=Statistic.P50, limit_s=0.1))
    assert solved.predicted is not None
    risky = solved.predicted.at_risk_s | {"slo.ttft.p50": 0.0999}
    other = solved.model_copy(update={"predicted": solved.predicted.model_copy(update={"at_risk_s": risky})})
    text = render(other, chat.model_copy(update={"slo": limits}), "x").plain
    assert "p50 99.9 ms ≤ 100 ms (+1)" in text
    assert "p99 187 ms" not in text


def test_without_limits_none_is_claimed(solved: Outcome, chat: ServingSpec) -> None:
    assert "limit at risk" not in render(solved, chat.model_copy(update={"slo": ()}), "x").plain


def test_the_five_families_have_bars_and_gains_and_the_binding_ones_are_marked(report: str) -> None:
    lines = [line[10:] for line in report.split("\n") if "█" in line]
    names = [line[:17].strip() for line in lines]
    assert names == ["memory capacity", "memory bandwidth", "network", "compute", "dollars"]
    assert "93 % of memory     10 % more: +0.0 % req/s" in lines[0]
    assert "72 % of the step   10 % more: +6.1 % req/s" in lines[1]
    assert "80 % of the budget" in lines[4]
    assert [line.endswith("◄ binds") for line in lines] == [False, True, False, True, False]


def test_without_a_budget_the_dollar_wall_has_no_share(solved: Outcome, chat: ServingSpec) -> None:
    walls = tuple(
        wall.model_copy(update={"utilization": None}) if wall.id == "economic-cost" else wall for wall in solved.walls
    )
    text = render(solved.model_copy(update={"walls": walls, "binding_wall": "dollars"}), chat, "x").plain
    line = next(line for line in text.split("\n") if "no budget" in line)
    assert "█" not in line
    assert line.endswith("◄ binds")
    assert_fits(text)


def test_what_binds_is_said_in_words(report: str, solved: Outcome, chat: ServingSpec) -> None:
    text = section(report, "Binds")
    assert text.startswith("memory bandwidth: each decode step reads")
    assert text.endswith("together with compute")
    dollars = solved.model_copy(update={"binding_wall": "dollars", "also_binding": ("latency-floor",)})
    text = section(render(dollars, chat, "x").plain, "Binds")
    assert text.startswith("dollars: the smallest design on sale")
    assert text.endswith("then latency floor")


def test_alternatives_say_why_they_lose(report: str) -> None:
    text = section(report, "Next best")
    assert "$56.00/h h200-sxm-141gb bf16 TP4: +$8.16/h: needs 2 × $28.00/h for 4 replicas" in text
    assert "$64.00/h a100-sxm-80gb bf16 TP4: +$16.16/h" in text


def test_the_proof_line_closes_the_ledger(report: str) -> None:
    text = section(report, "Proof")
    assert (
        "1,312,768 candidates = 1,021,952 illegal + 284,672 bounded + 4,608 refused + 1,529 dominated "
        "+ 1 optimal + 6 tied"
    ) in text
    assert "objective = bound = $47.84/h (cp-sat 9.15.6755)" in text
    assert "scope: vllm, bf16 or fp8 weights, mixed pools, no estimated parts, no undated prices" in text


def test_a_gap_is_printed_not_hidden(stalled: Outcome, chat: ServingSpec) -> None:
    text = render(stalled, chat, "x").plain
    assert text.split("\n")[0].endswith("best found, not proved")
    assert "objective $47.84/h > bound $40.00/h" in section(text, "Proof")


def test_other_terms_are_priced_beside_the_answer(report: str) -> None:
    text = section(report, "Otherwise")
    assert "risk: 0.5 (point prediction) instead of 0.1: $23.92/h (−50 %)" in text
    assert "$31.20/h (−35 %)" in text


def test_warnings_and_the_next_command_end_the_report(report: str) -> None:
    assert "188 days old" in section(report, "Warning")
    assert report.split("\n")[-1] == "Next      roofplan solve chat.yaml --json"


def test_a_path_with_blanks_is_quoted(solved: Outcome, chat: ServingSpec) -> None:
    assert render(solved, chat, "my chat.yaml").plain.endswith("roofplan solve 'my chat.yaml' --json")


def test_a_refusal_names_wall_floor_and_remedies(refusal: str) -> None:
    assert refusal.split("\n")[0] == "No design meets this specification · proved infeasible"
    wall = section(refusal, "Wall")
    assert wall.startswith("memory bandwidth: one request alone takes 7.9 ms")
    remedies = section(refusal, "Try")
    for fact in (
        "slo.tpot.p99 above 7.92 ms, now 5 ms",
        "risk: 0.5",
        "a wider inventory.accelerators",
        "inventory.estimated_parts: true, for at most 421,952 more candidates",
    ):
        assert fact in remedies
    assert "still no design" in section(refusal, "Otherwise")
    assert "+ 290,816 refused" in section(refusal, "Proof")


@pytest.mark.parametrize(
    ("requirement", "limit", "least", "remedy"),
    [
        ("budget.usd_per_month", 2000.0, 4365.4, "budget.usd_per_month: $4,365.40/month or more, now $2,000.00/month"),
        ("inventory.max_accelerators", 8.0, 16.0, "inventory.max_accelerators: 16 or more, now 8"),
        ("memory_bytes_per_accelerator", 85.9e9, 154.2e9, "a part with 154 GB of memory"),
    ],
)
def test_the_remedy_fits_the_floor(
    infeasible: Outcome, tight: ServingSpec, requirement: str, limit: float, least: float, remedy: str
) -> None:
    assert infeasible.floor is not None
    floor = infeasible.floor.model_copy(update={"requirement": requirement, "limit": limit, "least": least})
    text = render(infeasible.model_copy(update={"floor": floor}), tight, "x").plain
    assert remedy in section(text, "Try")


def test_conflicts_and_ways_out_take_the_place_of_hints(with_ways_out: Outcome, tight: ServingSpec) -> None:
    text = render(with_ways_out, tight, "x").plain
    assert_fits(text)
    assert "\nTry" not in text
    conflict = section(text, "Conflict")
    assert conflict.startswith("slo.tpot.p99 ≤ 5 ms + inventory.accelerators h100-sxm-80gb")
    assert "budget.usd_per_hour ≤ $60.00" in conflict
    lines = [line[10:] for line in text.split("\n") if "/h  " in line]
    assert lines == [
        "  $9.50/h  slo.tpot.p99 8.1 ms, now 5 ms",
        " $11.96/h  inventory.accelerators + b200-sxm-180gb; formats.weights + fp8",
        " $13.00/h  inventory.exclude_offers without lambda/gpu/x/on_demand; layout.tp 2 to 8",
        "$100.00/h  budget.usd_per_hour $100.00, now $60.00; inventory.max_accelerators 16, now 8",
        "$120.00/h  inventory.undated: true",
        "$130.00/h  risk 0.5, now 0.1 … (+1 with --json)",
    ]


def test_an_empty_conflict_says_that_nothing_stated_is_in_the_way(infeasible: Outcome, tight: ServingSpec) -> None:
    text = render(infeasible.model_copy(update={"conflicts": ((),), "relaxations": ()}), tight, "x").plain
    assert section(text, "Conflict") == (
        "nothing that is stated: no candidate that the assumptions admit carries this load"
    )
    assert "slo.tpot.p99 above" in section(text, "Try")


def test_where_nothing_is_legal_the_reasons_are_given(infeasible: Outcome, tight: ServingSpec) -> None:
    search = infeasible.search.model_copy(update={"illegal": infeasible.search.candidates, "refused": 0})
    outcome = infeasible.model_copy(update={"binding_wall": None, "floor": None, "search": search})
    text = render(outcome, tight, "x").plain
    assert section(text, "Wall") == "no candidate is legal"
    assert "600,000 candidates: the tensor-parallel group would leave its scale-up domain" in section(text, "Illegal")


def test_the_fullest_report_still_fits(solved: Outcome, chat: ServingSpec) -> None:
    """Every section at its longest: all limits, pins and filters, long names, large numbers."""
    spec = chat.model_copy(
        update={
            "name": "a service with a name of some length, for everybody",
            "slo": tuple(
                LatencyLimit(metric=metric, statistic=statistic, limit_s=1.2345)
                for metric in Metric
                for statistic in Statistic
            ),
            "budget": Budget(usd_per_hour=60.0, usd_per_month=40_000.0, usd_per_million_output_tokens=12.0),
            "inventory": Inventory(
                providers=("aws", "azure", "gcp", "lambda", "nebius", "oci", "verda"),
                regions=tuple(f"region-{index}" for index in range(12)),
                max_accelerators=1024,
                undated=True,
            ),
            "formats": Formats(weights=("bf16", "fp8", "int4"), kv=("bf16", "fp8")),
            "layout": Layout(tp=IntegerChoice(least=1, greatest=8), pp=IntegerChoice(values=(1, 2))),
            "engines": ("vllm", "sglang", "trtllm"),
            "availability": Availability(spare_replicas=1),
        }
    )
    assert solved.design is not None
    assert solved.predicted is not None
    pool = solved.design.pools[0].model_copy(
        update={
            "accelerator": "rtx-pro-6000-96gb",
            "offer": "coreweave/gd-8xrtx-pro-6000-i128-with-a-long-name/us-central-07b/on_demand",
            "price_kind": "discount",
            "price_source": "anycloud-coreweave-62ff0a9 less 12.5 % of a_specification_with_a_long_name.yaml:14",
            "accelerators": 8192,
            "instances": 1024,
            "replicas": 512,
            "layout": LayoutOut(tp=16, pp=8, ep=16, dp_attention=16),
            "engine": EngineOut(name="trtllm-2024", max_num_seqs=1024, max_num_batched_tokens=32768),
        }
    )
    search = SearchOut(**dict.fromkeys(SEARCH_ROWS, 123456789), illegal_by_reason={}, solver="cp-sat 9.15.6755")
    alternative = solved.alternatives[0].model_copy(
        update={"why_not": "+$123,456.78/h: needs 1,024 × $4,567.89/h for 4,096 replicas of this very long reason"}
    )
    ratios = {limit.id: 1.2 for limit in spec.slo}
    outcome = solved.model_copy(
        update={
            "design": solved.design.model_copy(update={"pools": (pool,)}),
            "predicted": solved.predicted.model_copy(update={"at_risk_s": ratios}),
            "search": search,
            "scope": solved.scope.model_copy(
                update={"engines": spec.engines, "formats": ("bf16", "fp8", "int4", "int8", "nvfp4", "mxfp4")}
            ),
            "binding_wall": "latency-floor",
            "also_binding": ("memory-capacity", "memory-bandwidth", "network", "compute"),
            "walls": tuple(_full(wall) for wall in solved.walls),
            "alternatives": (alternative, alternative),
            "allowances": tuple(Allowance(change="something else " * 4, usd_per_hour=1e5) for _ in range(4)),
            "warnings": ("something to doubt " * 8,) * 5,
        }
    )
    assert_fits(render(outcome, spec, "spec.yaml").plain)


SEARCH_ROWS = (
    "candidates",
    "illegal",
    "bounded",
    "refused",
    "dominated",
    "optimal",
    "tied",
    "refined",
    "columns",
)


def _full(wall: WallOut) -> WallOut:
    return wall.model_copy(update={"utilization": 1.0, "gain_of_10_percent": 0.0999})


def test_a_report_is_the_same_every_time(solved: Outcome, chat: ServingSpec) -> None:
    assert render(solved, chat, "x").markup == render(solved, chat, "x").markup


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment in which every stream is taken for a colour terminal."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return monkeypatch


@pytest.mark.usefixtures("terminal")
def test_a_terminal_gets_colours(solved: Outcome, chat: ServingSpec) -> None:
    report = render(solved, chat, "x")
    assert "\x1b[" in terminal_text(report)
    assert Text.from_ansi(terminal_text(report)).plain == report.plain


def test_no_color_is_honoured(terminal: pytest.MonkeyPatch, solved: Outcome, chat: ServingSpec) -> None:
    terminal.setenv("NO_COLOR", "1")
    report = render(solved, chat, "x")
    assert terminal_text(report) == report.plain


def test_what_is_no_terminal_gets_plain_text(
    monkeypatch: pytest.MonkeyPatch, solved: Outcome, chat: ServingSpec
) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    report = render(solved, chat, "x" * 300)
    assert terminal_text(report) == report.plain
