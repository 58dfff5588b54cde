import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from requirements_specs.errors import InvalidSpecError, SpecError
from requirements_specs.known import KnownNames
from requirements_specs.lengths import LengthDistribution
from requirements_specs.read import read_spec, spec_from_text
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from requirements_specs.serving import IntegerChoice, Objective, ServingSpec
from requirements_specs.workload import LEAST_REQUEST_RATE_PER_S

Read = Callable[[str], ServingSpec]
Refused = Callable[[str], str]


def test_every_key_is_read(read: Read, full: str) -> None:
    spec = read(full)
    assert spec.name == "chat"
    assert spec.model == "llama-3.1-70b"
    assert spec.risk == 0.2
    assert spec.workload.request_rate_per_s == 10.0
    assert spec.workload.peak_request_rate_per_s == 15.0
    assert spec.workload.prompt_tokens == LengthDistribution.from_statistics(mean=512.0, p99=1500.0)
    assert spec.workload.output_tokens.mean == pytest.approx(160.0)
    assert spec.workload.prefix_cache_hit == 0.3
    assert spec.slo == (
        LatencyLimit(metric=Metric.TTFT, statistic=Statistic.P50, limit_s=0.1),
        LatencyLimit(metric=Metric.TTFT, statistic=Statistic.P99, limit_s=0.2),
        LatencyLimit(metric=Metric.E2E, statistic=Statistic.MEAN, limit_s=5.0),
    )
    assert spec.budget.usd_per_hour == 60.0
    assert spec.budget.usd_per_month == 40000.0
    assert spec.budget.usd_per_million_output_tokens == 0.6
    assert spec.inventory.providers == ("aws", "lambda")
    assert spec.inventory.regions == ("us-east-1",)
    assert spec.inventory.tiers == ("on_demand", "spot")
    assert spec.inventory.accelerators == ("h100-sxm-80gb", "h100-pcie-80gb")
    assert spec.inventory.exclude_offers == ("lambda/gpu_8x_h100_sxm5/global/on_demand",)
    assert spec.inventory.max_accelerators == 64
    assert spec.inventory.estimated_parts
    assert spec.inventory.undated
    assert spec.formats.weights == ("bf16", "fp8")
    assert spec.formats.activations == ("bf16",)
    assert spec.formats.kv == ("fp8",)
    assert spec.layout.tp == IntegerChoice(values=(4,))
    assert spec.layout.pp == IntegerChoice(values=(1, 2))
    assert spec.layout.ep == IntegerChoice(greatest=8)
    assert spec.layout.dp_attention == IntegerChoice(least=2)
    assert spec.layout.accelerators_per_replica == IntegerChoice(least=2, greatest=8)
    assert spec.availability.spare_replicas == 1
    assert spec.availability.load_cap == 0.7
    assert [(assumption.key, assumption.value) for assumption in spec.assumed] == [
        ("workload.arrivals", "Poisson"),
        ("workload.lengths", "prompt and output independent"),
        ("inventory.accelerators", "h100-sxm-80gb"),
    ]


def test_what_was_not_stated_is_listed(read: Read, minimal: str) -> None:
    spec = read(minimal)
    assert spec.name == "chat"
    assert spec.slo == ()
    assert {assumption.key: assumption.value for assumption in spec.assumed} == {
        "objective": "cheapest",
        "risk": "0.1",
        "pools": "mixed",
        "engines": "vllm",
        "workload.prefix_cache_hit": "0",
        "workload.peak_factor": "1",
        "workload.arrivals": "Poisson",
        "workload.lengths": "prompt and output independent",
        "slo": "none",
        "inventory.tiers": "on_demand",
        "inventory.estimated_parts": "false",
        "inventory.undated": "false",
        "formats.weights": "the checkpoint's own, and fp8 where native",
        "formats.activations": "those that the weights' kernels take",
        "formats.kv": "bf16",
        "availability.spare_replicas": "0",
        "availability.load_cap": "0.8",
    }
    assert all(assumption.why for assumption in spec.assumed)


def test_a_bare_percentile_is_ttft_and_assumed(read: Read, minimal: str) -> None:
    spec = read(minimal + "slo: {p99: 200 ms}\n")
    assert [limit.id for limit in spec.slo] == ["slo.ttft.p99"]
    assert ("slo.p99", "slo.ttft.p99") in [(assumption.key, assumption.value) for assumption in spec.assumed]


def test_empty_slo_budget_and_exclusions_limit_nothing(read: Read, minimal: str) -> None:
    spec = read(minimal + "slo: {}\nbudget: {}\ninventory: {exclude_offers: []}\n")
    assert spec.requirements == ()
    assert spec.inventory.exclude_offers == ()


@pytest.mark.parametrize(
    ("objective", "caps"),
    [
        ("fastest", "budget: {usd_per_month: $40k/month}"),
        ("fastest", "budget: {usd_per_million_output_tokens: $1/M tokens}"),
        ("most_requests", "budget: {usd_per_hour: $60/h}"),
        ("most_requests", "inventory: {max_accelerators: 8}"),
    ],
)
def test_objectives_with_something_that_caps_them(read: Read, minimal: str, objective: str, caps: str) -> None:
    spec = read(f"{minimal}objective: {objective}\n{caps}\n")
    assert spec.objective is Objective(objective)
    assert spec.workload.request_rate_per_s == 10.0


def test_the_most_requests_need_no_rate(read: Read, minimal: str, refused: Refused) -> None:
    without = minimal.replace("  request_rate: 10 req/s\n", "")
    spec = read(without + "objective: most_requests\nbudget: {usd_per_hour: $60/h}\n")
    assert spec.workload.request_rate_per_s == LEAST_REQUEST_RATE_PER_S
    assert "workload.request_rate" in {assumption.key for assumption in spec.assumed}
    message = refused(without + "objective: fastest\nbudget: {usd_per_hour: $60/h}\n")
    assert "workload.request_rate: this key is missing" in message


def test_json_reads_as_yaml_does(read: Read, names: KnownNames, minimal: str) -> None:
    import yaml

    data = yaml.safe_load(minimal)
    for indent in (None, 2, "\t"):
        spec = spec_from_text(json.dumps(data, indent=indent), "chat.json", names)
        assert spec == read(minimal)


def test_a_byte_order_mark_is_skipped(tmp_path: Path, names: KnownNames, minimal: str) -> None:
    path = tmp_path / "chat.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + minimal.encode())
    assert read_spec(path, names).model == "llama-3.1-70b"


BAD_VALUES = [
    # text appended to the minimal spec (its first line is 7), then line:column, key, what, and a word of the fix
    ("modle: x\n", "7:1: modle: unknown key", "did you mean: model"),
    ("request_rate: 1 rps\n", "7:1: request_rate: unknown key", "did you mean: workload.request_rate"),
    ("slo.ttft.p99: 1 s\n", "7:1: slo.ttft.p99: unknown key", "did you mean: slo: {ttft: {p99: …}}"),
    ("slo: {ttft: 200 GB}\n", "7:13: slo.ttft: wrong unit", "allowed: a time such as 200 ms"),
    ("slo: {ttft: 200 ms}\n", "7:13: slo.ttft: a mean or a percentile", "did you mean: ttft: {p99: 200 ms}"),
    ("slo:\n  ttft:\n    p99: 200\n", "9:10: slo.ttft.p99: a bare number", "did you mean: 200 ms"),
    ("slo: {tpot: {p99: 0 ms}}\n", "7:19: slo.tpot.p99: must be positive", "allowed: more than 0 s"),
    ("slo: {tpot: {p99: -5 ms}}\n", "7:19: slo.tpot.p99: must be positive", "allowed: more than 0 s"),
    ("slo: {tpot: {p999: 1 s}}\n", "7:14: slo.tpot.p999: unknown key", "did you mean: p99"),
    ("slo: {tpot: {p50: 2 s, p99: 1 s}}\n", "7:14: slo.tpot.p50: p50 is greater than p99", "read: p50 2 s and p99 1 s"),
    ("slo: {p50: 2 s, ttft: {p99: 1 s}}\n", "7:7: slo.p50: p50 is greater than p99", "read: p50 2 s and p99 1 s"),
    ("slo: {p99: 2 s, ttft: {p99: 1 s}}\n", "7:24: slo.ttft.p99: the limit of slo.p99, line 7", ""),
    ("slo: {itl: {p99: 1 s}}\n", "7:7: slo.itl: gaps between tokens", "did you mean: tpot"),
    ("slo:\n", "7:1: slo: nothing is given", "allowed: a value, or no key"),
    ("slo: [1]\n", "7:6: slo: keys are needed below this one", "read: a list"),
    ("budget: {usd_per_hour: 60}\n", "7:24: budget.usd_per_hour: a bare number", "did you mean: $60/h"),
    ("budget: {usd_per_month: $40k}\n", "7:25: budget.usd_per_month: no period", "did you mean: $40k/month"),
    ("budget: {usd_per_hour: $0/h}\n", "7:24: budget.usd_per_hour: must be positive", "allowed: more than $0/h"),
    ("inventory: {}\n", "7:1: inventory: an empty inventory", "did you mean: no key"),
    ("inventory:\n  providers: []\n", "8:3: inventory.providers: an empty list", "allowed: one value or more"),
    ("inventory: {providers: [asw]}\n", "7:25: inventory.providers[0]: unknown provider", "did you mean: aws"),
    ("inventory: {regions: us-east-9}\n", "7:22: inventory.regions: unknown region", "did you mean: us-east-1"),
    ("inventory: {accelerators: [h100]}\n", "7:28: inventory.accelerators[0]: unknown accelerator", "h100-nvl-94gb"),
    ("inventory: {accelerators: [a100-80gb, 'A100 80GB']}\n", "7:39: inventory.accelerators[1]: ambiguous", "sxm"),
    (
        "inventory: {exclude_offers: [lambda/x]}\n",
        "7:30: inventory.exclude_offers[0]: unknown offer",
        "allowed: lambda/gpu_8x",
    ),
    ("inventory: {max_accelerators: 0}\n", "7:31: inventory.max_accelerators: not a possible count", "at least 1"),
    ("inventory: {undated: yes}\n", "7:22: inventory.undated: neither true nor false", "did you mean: true"),
    ("inventory: {undated: [true]}\n", "7:22: inventory.undated: one value is needed", "read: a list"),
    ("formats: {kv: [fp9]}\n", "7:16: formats.kv[0]: unknown format", "did you mean: fp8"),
    ("engines: [vlm]\n", "7:11: engines[0]: unknown engine", "did you mean: vllm"),
    ("layout: {tp: 0}\n", "7:14: layout.tp: not a possible count", "at least 1"),
    ("layout: {tp: 4.0}\n", "7:14: layout.tp: not a possible count", "a whole number"),
    ("layout: {tp: {min: 4, max: 2}}\n", "7:10: layout.tp: min is greater than max", "read: min 4, max 2"),
    ("layout: {tp: {}}\n", "7:10: layout.tp: neither min nor max", "{min: 2, max: 8}"),
    ("risk: 0.9\n", "7:7: risk: out of range", "at most 50 %"),
    ("availability: {load_cap: 0}\n", "7:26: availability.load_cap: must be positive", "at most 100 %"),
    ("name: ''\n", "7:7: name: not a name", "read: nothing"),
    ("objective: greenest\n", "7:12: objective: this objective is not in this version", "cheapest, fastest, most"),
    ("objective: fastest\n", "7:1: objective: this objective needs a budget", "budget: {usd_per_hour: $60/h}"),
    ("objective: most_requests\n", "7:1: objective: this objective needs a budget", "max_accelerators: 8"),
    (
        "objective: most_requests\nbudget: {usd_per_hour: $60/h, usd_per_million_output_tokens: $1/M tokens}\n",
        "7:1: objective: a budget per token grows with the request rate",
        "budget: {usd_per_hour: $60/h}",
    ),
    ("pools: any\n", "7:8: pools: this use of pools is not in this version", "allowed: mixed"),
    ("availability: {zones: 2}\n", "7:16: availability.zones: planned, not in this version", "allowed: today:"),
    ("kind: serving\n", "7:1: kind: given twice, first in line 1", "allowed: each key once"),
]


@pytest.mark.parametrize(("text", "first", "detail"), BAD_VALUES)
def test_bad_values_name_their_place(refused: Refused, minimal: str, text: str, first: str, detail: str) -> None:
    message = refused(minimal + text)
    assert message.startswith(f"chat.yaml:{first}")
    assert detail in message
    assert message.count("chat.yaml:") == 1


WORKLOAD = "kind: serving\nmodel: llama-3.1-70b\nworkload:\n"
BAD_WORKLOADS = [
    ("request_rate: 0 req/s", "4:17: workload.request_rate: must be positive", "read: 0 req/s"),
    ("request_rate: -2 req/s", "4:17: workload.request_rate: must be positive", "allowed: more than 0 req/s"),
    ("request_rate: 10", "4:17: workload.request_rate: a bare number", "did you mean: 10 req/s"),
    ("request_rate: 10 GB", "4:17: workload.request_rate: wrong unit", "this is an amount of memory"),
    ("request_rate: nan req/s", "4:17: workload.request_rate: not a request rate", "such as 10 req/s"),
    ("prompt_tokens: 512", "4:18: workload.prompt_tokens: a bare number", "did you mean: 512 tokens"),
    ("prompt_tokens: 0 tokens", "4:18: workload.prompt_tokens: out of range", "at least 1 tokens"),
    ("prompt_tokens: azure-cone", "4:18: workload.prompt_tokens: unknown workload", "did you mean: azure-code"),
    ("prompt_tokens: {mean: 512}", "4:25: workload.prompt_tokens.mean: a bare number", "did you mean: 512 tokens"),
    ("prompt_tokens: {mean: 5 tokens}", "4:3: workload.prompt_tokens: these numbers do not", "two or more of mean"),
    ("prompt_tokens: {p50: 9 tokens, p99: 5 tokens}", "4:19: workload.prompt_tokens.p50: p50 is greater", "p50 ≤ p90"),
    (
        "prompt_tokens: {mean: 9000 tokens, p50: 400 tokens, p99: 500 tokens}",
        "4:19: workload.prompt_tokens.mean: no distribution",
        "allowed: a mean between",
    ),
    (
        "prompt_tokens: {p95: 9 tokens}",
        "4:19: workload.prompt_tokens.p95: unknown key",
        "did you mean: p50 or p90 or p99",
    ),
    ("prompt_tokens: {p50: 2,000 tokens}", "4:24: workload.prompt_tokens.p50: a bare number", "without a comma"),
    ("prompt_tokens: []", "4:3: workload.prompt_tokens: the shares do not sum to 1", "read: 0 rows"),
    ("prompt_tokens: [{tokens: 5, share: 0.9}]", "4:3: workload.prompt_tokens: the shares do not", "sum 0.9"),
    ("prompt_tokens: [{tokens: 5}]", "4:19: workload.prompt_tokens[0].share: this key is missing", "share: 20 %"),
    ("prompt_tokens: [5]", "4:19: workload.prompt_tokens[0]: a row of a histogram", "{tokens: 512, share: 20 %}"),
    ("prefix_cache_hit: 100 %", "4:21: workload.prefix_cache_hit: out of range", "less than 100 %"),
    ("peak_factor: 0.5", "4:16: workload.peak_factor: not a possible factor", "a number from 1"),
    ("trace: x.csv", "4:3: workload.trace: x.csv: cannot be read: No such file", "allowed: a trace: CSV with time"),
    ("arrivals: sharegpt", "4:13: workload.arrivals: sharegpt was published without times", "azure-code"),
    ("arrivals: 4", "4:13: workload.arrivals: a number needs its key", "{index_of_dispersion: 4}"),
    ("arrivals: azure-cod", "4:13: workload.arrivals: ", "azure-code"),
    ("arrivals: {index_of_dispersion: 0.5}", "4:35: workload.arrivals.index_of_dispersion: ", "a number from 1"),
    ("arrivals: {}", "4:3: workload.arrivals.index_of_dispersion: this key is missing", "4"),
]


@pytest.mark.parametrize(("line", "first", "detail"), BAD_WORKLOADS)
def test_bad_workloads_name_their_place(refused: Refused, line: str, first: str, detail: str) -> None:
    message = refused(f"{WORKLOAD}  {line}\n")
    assert f"chat.yaml:{first}" in message
    assert detail in message


@pytest.mark.parametrize(
    ("text", "first", "detail"),
    [
        ("kind: serving\nmodel: llama-3.1-7b\n", "2:8: model: unknown model", "did you mean: llama-3.1-70b"),
        ("kind: serving\nmodel: ./config.json\n", "2:8: model: unknown model", "read: ./config.json"),
        ("kind: training\n", "1:7: kind: kind training is planned, not in this version", "allowed: serving"),
        ("kind: servng\n", "1:7: kind: unknown kind", "did you mean: serving"),
        ("model: llama-3.1-8b\n", "1:1: kind: this key is missing", "allowed: kind: serving"),
        ("kind: serving\nworkload: {}\n", "2:1: workload.request_rate: this key is missing", "request_rate: 10 req/s"),
    ],
)
def test_bad_tops_name_their_place(refused: Refused, text: str, first: str, detail: str) -> None:
    message = refused(text)
    assert f"chat.yaml:{first}" in message
    assert detail in message


def test_all_problems_come_in_one_go_in_the_files_order(read: Read, minimal: str) -> None:
    with pytest.raises(InvalidSpecError) as error:
        read(minimal.replace("10 req/s", "0 req/s") + "slo: {ttft: {p99: 200}}\nmodle: x\nrisk: 2\n")
    keys = [problem.key for problem in error.value.problems]
    assert keys == ["workload.request_rate", "slo.ttft.p99", "modle", "risk"]


def test_many_problems_are_counted(refused: Refused) -> None:
    message = refused("kind: serving\n" + "".join(f"key{i}: 1\n" for i in range(50)))
    assert message.count("chat.yaml:") == 20
    assert message.endswith("and 32 more of them")


PIECES = st.one_of(
    st.sampled_from("[]{},:&*!|>'\"%@`#-?\n\t 0"),
    st.sampled_from(("null", "1e999", "9" * 30, "$", "ms", "true", "[]", "0 %", "- ")),
    st.text(max_size=3),
)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_damaged_spec_is_read_or_refused(read: Read, full: str, data: st.DataObject) -> None:
    text = full
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(start + 12, len(text))))
        text = text[:start] + data.draw(PIECES) + text[end:]
    try:
        spec = read(text)
    except SpecError as error:
        assert all(problem.what for problem in error.problems)  # noqa: PT017
        assert str(error)  # noqa: PT017
    else:
        assert spec.workload.request_rate_per_s > 0
