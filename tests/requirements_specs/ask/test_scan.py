from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from requirements_specs.ask.hardware import Hardware
from requirements_specs.ask.intent import Kind
from requirements_specs.ask.latency import Limit
from requirements_specs.ask.lengths import Lengths
from requirements_specs.ask.pins import Pins
from requirements_specs.ask.precision import Precision
from requirements_specs.ask.reading import LONGEST_QUESTION
from requirements_specs.ask.scan import Scan, scan
from requirements_specs.ask.service import Service
from requirements_specs.ask.traffic import Traffic
from requirements_specs.ask.vocabulary import Vocabulary
from requirements_specs.ask.where import Where
from requirements_specs.requirement import BudgetMetric, Metric, Statistic
from requirements_specs.serving import Objective
from tests.requirements_specs.ask.conftest import Reader

H100, H200 = "h100-sxm-80gb", "h200-sxm-141gb"

GLUED: list[tuple[str, str, Any]] = [
    ("8xH100", "hardware", Hardware((H100,), total=8)),
    ("8×H100", "hardware", Hardware((H100,), total=8)),
    ("8 x H100", "hardware", Hardware((H100,), total=8)),
    ("8 H100s", "hardware", Hardware((H100,), total=8)),
    ("H100 x8", "hardware", Hardware((H100,), total=8)),
    ("H100:8", "hardware", Hardware((H100,), total=8)),
    ("H100*8", "hardware", Hardware((H100,), total=8)),
    ("up to 16 H100", "hardware", Hardware((H100,), total=16)),
    ("2x8xH100", "hardware", Hardware((H100,), total=16, nodes=2, per_node=8)),
    ("2×8 H100", "hardware", Hardware((H100,), total=16, nodes=2, per_node=8)),
    ("2 nodes of 8 H100", "hardware", Hardware((H100,), total=16, nodes=2, per_node=8)),
    ("two H200 machines", "hardware", Hardware((H200,), total=16, nodes=2, per_node=8)),
    ("an 8xH200 node", "hardware", Hardware((H200,), total=8, nodes=1, per_node=8)),
    ("8x80G gpus", "hardware", Hardware(total=8, memory_gb=80)),
    ("2*8*80G", "hardware", Hardware(total=16, nodes=2, per_node=8, memory_gb=80)),
    ("8-GPU server", "hardware", Hardware(total=8, nodes=1, per_node=8)),
    ("a single GPU", "hardware", Hardware(total=1)),
    ("A100-40GB", "hardware", Hardware(("a100-sxm-40gb",))),
    ("A100 80G", "hardware", Hardware(("a100-sxm-80gb",))),
    ("nvidia a100 80gb pcie", "hardware", Hardware(("a100-pcie-80gb",))),
    ("4xMI300X", "hardware", Hardware(("mi300x-192gb",), total=4)),
    ("TP=4", "pins", Pins(tp=(4,))),
    ("tp2", "pins", Pins(tp=(2,))),
    ("tp:8 pp:2", "pins", Pins(tp=(8,), pp=(2,))),
    ("TP16 + DP2", "pins", Pins(tp=(16,), replicas=2)),
    ("2xTP4", "pins", Pins(tp=(4,), replicas=2)),
    ("--tensor-parallel-size 8", "pins", Pins(tp=(8,))),
    ("tensor_parallelism=2 pipeline_parallelism=8", "pins", Pins(tp=(2,), pp=(8,))),
    ("up to tp 8", "pins", Pins(tp=(8,), at_most=("tp",))),
    ("ep<=16", "pins", Pins(ep=(16,), at_most=("ep",))),
    ("dp attention 8", "pins", Pins(dp_attention=(8,))),
    ("1P1D", "pins", Pins(prefill_decode=(1, 1), pools=True)),
    ("3p2d", "pins", Pins(prefill_decode=(3, 2), pools=True)),
    ("128k context", "lengths", Lengths(context="128k tokens")),
    ("context of 32k tokens", "lengths", Lengths(context="32k tokens")),
    ("8k prompts", "lengths", Lengths(prompt="8k tokens")),
    ("8k-token prompts", "lengths", Lengths(prompt="8k tokens")),
    ("ISL=2048 OSL=256", "lengths", Lengths(prompt="2048 tokens", output="256 tokens")),
    ("isl 2048, osl 256", "lengths", Lengths(prompt="2048 tokens", output="256 tokens")),
    ("1k in / 200 out", "lengths", Lengths(prompt="1k tokens", output="200 tokens")),
    ("512/128 tokens", "lengths", Lengths(prompt="512 tokens", output="128 tokens")),
    ("prompt 512 tokens output 200 tokens", "lengths", Lengths(prompt="512 tokens", output="200 tokens")),
    ("512 prompt tokens 200 output tokens", "lengths", Lengths(prompt="512 tokens", output="200 tokens")),
    ("prompts of 1,500 tokens, 300 token answers", "lengths", Lengths(prompt="1500 tokens", output="300 tokens")),
    ("12rps", "traffic", Traffic(rates=("12 req/s",))),
    ("12 qps", "traffic", Traffic(rates=("12 req/s",))),
    ("600 rpm", "traffic", Traffic(rates=("600 req/min",))),
    ("10 requests per second", "traffic", Traffic(rates=("10 req/s",))),
    ("36k requests an hour", "traffic", Traffic(rates=("36k req/h",))),
    ("1M requests/day", "traffic", Traffic(rates=("1M req/day",))),
    ("2 million queries per day", "traffic", Traffic(rates=("2M req/day",))),
    ("604,800 requests per week", "traffic", Traffic(rates=("1 req/s",))),
    ("100 users, 2 requests per minute each", "traffic", Traffic(rate_each="2 req/min", concurrency=100)),
    ("2 req/h per user for 1k users", "traffic", Traffic(rate_each="2 req/h", concurrency=1000)),
    ("5 users", "traffic", Traffic(concurrency=5)),
    ("1,000 concurrent users", "traffic", Traffic(concurrency=1000)),
    ("2k concurrent users", "traffic", Traffic(concurrency=2000)),
    ("concurrency of 64", "traffic", Traffic(concurrency=64)),
    ("32 concurrent requests", "traffic", Traffic(concurrency=32)),
    ("86.4M tokens per day", "traffic", Traffic(tokens_per_s=1000.0, tokens_kind="total")),
    ("4000 output tokens/s", "traffic", Traffic(tokens_per_s=4000.0, tokens_kind="output")),
    ("50 tok/s per user", "traffic", Traffic(tokens_each_per_s=50.0)),
    ("1M documents in 8 hours", "traffic", Traffic(batch=("1M", "8 hours"))),
    ("fp8", "precision", Precision(weights=("fp8",))),
    ("AWQ", "precision", Precision(weights=("int4",))),
    ("int4 weights, fp8 kv cache", "precision", Precision(weights=("int4",), kv=("fp8",))),
    ("unquantized", "precision", Precision(weights=("bf16",))),
    ("no quantization", "precision", Precision(weights=("bf16",))),
    ("without quantisation", "precision", Precision(weights=("bf16",))),
    ("8-bit", "precision", Precision(weights=("fp8", "int8"))),
    ("N+1", "service", Service(spare_replicas=1)),
    ("two spare replicas", "service", Service(spare_replicas=2)),
    ("30% cache hits", "service", Service(prefix_cache_hit="30 %")),
    ("3x peak", "service", Service(peak_factor="3")),
    ("risk 5%", "service", Service(risk="5%")),
    ("on aws or lambda", "where", Where(providers=("aws", "lambda"))),
    ("google cloud in us-east-1", "where", Where(providers=("gcp",), regions=("us-east-1",))),
    ("spot instances", "where", Where(tiers=("spot",))),
    ("spot is ok", "where", Where(tiers=("on_demand", "spot"))),
    ("no spot", "where", Where(tiers=("on_demand",))),
    ("zero spot", "where", Where(tiers=("on_demand",))),
    ("don't use spot", "where", Where(tiers=("on_demand",))),
    ("tensorrt-llm", "where", Where(engines=("trtllm",))),
]


@pytest.mark.parametrize(("text", "slot", "value"), GLUED)
def test_a_form_is_read_and_nothing_else(read: Reader, text: str, slot: str, value: Any) -> None:
    for question in (text, text.upper(), f"llama-3.1-8b, {text}, please"):
        scanned = read(question)
        assert getattr(scanned.slots, slot) == value, question
        assert scanned.problems == ()
        assert scanned.missed == ()


@pytest.mark.parametrize(
    ("text", "metric", "budget"),
    [
        ("within $60/h", BudgetMetric.USD_PER_HOUR, "$60/h"),
        ("60 dollars per hour", BudgetMetric.USD_PER_HOUR, "$60/h"),
        ("at most $1,200 a day", BudgetMetric.USD_PER_HOUR, "$1200/day"),
        ("$5k/month", BudgetMetric.USD_PER_MONTH, "$5k/month"),
        ("a budget of $5k monthly", BudgetMetric.USD_PER_MONTH, "$5k/month"),
        ("$2 per million output tokens", BudgetMetric.USD_PER_MILLION_OUTPUT_TOKENS, "$2/M tokens"),
        ("$0.6/1M tokens", BudgetMetric.USD_PER_MILLION_OUTPUT_TOKENS, "$0.6/M tokens"),
        ("$0.002 per 1k tokens", BudgetMetric.USD_PER_MILLION_OUTPUT_TOKENS, "$0.002/k tokens"),
    ],
)
def test_budgets(read: Reader, text: str, metric: BudgetMetric, budget: str) -> None:
    scanned = read(f"llama-3.1-8b {text}, 10 req/s")
    assert scanned.slots.money.budgets == ((metric, budget),)
    assert (scanned.problems, scanned.missed) == ((), ())


TTFT, TPOT, E2E = Metric.TTFT, Metric.TPOT, Metric.E2E
P50, P90, P95, P99, MEAN = Statistic.P50, Statistic.P90, Statistic.P95, Statistic.P99, Statistic.MEAN


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("200ms p99", [(TTFT, P99, "200 ms")]),
        ("p99 ttft under 200 ms", [(TTFT, P99, "200 ms")]),
        ("ttft p95 < 0.5s", [(TTFT, P95, "0.5 s")]),
        ("first token within 300 ms", [(TTFT, P99, "300 ms")]),
        ("99% of requests under 300 ms first token", [(TTFT, P99, "300 ms")]),
        ("median e2e of 5 seconds", [(E2E, P50, "5 seconds")]),
        ("mean end-to-end latency 5 s", [(E2E, MEAN, "5 s")]),
        ("50 ms per token", [(TPOT, P99, "50 ms")]),
        ("ttft 200ms tpot 50ms", [(TTFT, P99, "200 ms"), (TPOT, P99, "50 ms")]),
        ("200ms ttft 50ms tpot", [(TTFT, P99, "200 ms"), (TPOT, P99, "50 ms")]),
        ("p90 ttft 200ms and p95 tpot 50ms", [(TTFT, P90, "200 ms"), (TPOT, P95, "50 ms")]),
        ("ttft 200ms p90, tpot 50ms p95", [(TTFT, P90, "200 ms"), (TPOT, P95, "50 ms")]),
        ("latency under 2 s", [(TTFT, P99, "2 s")]),
    ],
)
def test_limits_in_any_order(read: Reader, text: str, limits: list[tuple[Metric, Statistic, str]]) -> None:
    scanned = read(f"llama-3.1-8b {text} at 10 rps")
    assert list(scanned.slots.limits) == [Limit(*limit) for limit in limits]
    assert (scanned.problems, scanned.missed) == ((), ())


def test_what_a_limit_leaves_open_is_noted(read: Reader) -> None:
    assert {(note.key, note.value) for note in read("200ms p95").notes} == {("slo.p95", "slo.ttft.p95")}
    assert {(note.key, note.value) for note in read("tpot 50ms").notes} == {("slo.tpot", "slo.tpot.p99")}
    assert {(note.key, note.value) for note in read("within 50ms").notes} == {("slo", "slo.ttft.p99")}
    assert read("tpot p99 50ms").notes == ()


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("Llama 3.1 70B", "llama-3.1-70b"),
        ("meta-llama/Llama-3.1-70B-Instruct", "llama-3.1-70b"),
        ("Llama-3.3-70B-Instruct-FP8", "llama-3.3-70b"),
        ("QwQ-32B", "qwen2.5-32b"),
        ("DeepSeek R1", "deepseek-r1"),
        ("mixtral 8x22b", "mixtral-8x22b"),
        ("gpt-oss-120b", "gpt-oss-120b"),
        ("lama-3.1-70b", "llama-3.1-70b"),
        ("deepseak-r1", "deepseek-r1"),
        ("R1", "deepseek-r1"),
        ("qwen 72b", "qwen2.5-72b"),
        ("llama 405b", "llama-3.1-405b"),
        ("a 405b model", "llama-3.1-405b"),
        ("kimi k2", "kimi-k2-instruct"),
    ],
)
def test_models_by_name_slip_or_part_of_the_name(read: Reader, text: str, model: str) -> None:
    scanned = read(f"{text} at 10 req/s")
    assert scanned.slots.models == (model,)
    assert scanned.problems == ()


def test_what_is_not_a_name_of_the_catalog_is_noted_when_it_is_taken(read: Reader) -> None:
    for text, model in (("lama-3.1-70b", "llama-3.1-70b"), ("R1", "deepseek-r1"), ("qwen 72b", "qwen2.5-72b")):
        (note,) = read(text).notes
        assert (note.key, note.value) == ("model", model)
        assert text.lower() in note.why
    (note,) = read("cheepest llama-3.1-8b").notes
    assert (note.key, note.value) == ("objective", "cheapest")
    (note,) = read("on lamda").notes
    assert (note.key, note.value) == ("inventory.providers", "lambda")


def test_a_precision_at_the_end_of_a_name_is_a_precision(read: Reader) -> None:
    slots = read("deepseek-r1-nvfp4").slots
    assert (slots.models, slots.precision.weights) == (("deepseek-r1",), ("nvfp4",))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("the cheapest", (Objective.CHEAPEST,)),
        ("lowest cost", (Objective.CHEAPEST,)),
        ("fastest within $60/h", (Objective.FASTEST,)),
        ("minimum latency", (Objective.FASTEST,)),
        ("most requests within $60/h", (Objective.MOST_REQUESTS,)),
        ("max throughput on 8xH100", (Objective.MOST_REQUESTS,)),
        ("how many users can it serve", (Objective.MOST_REQUESTS,)),
        ("smallest fleet", (Objective.SMALLEST_FLEET,)),
    ],
)
def test_objectives(read: Reader, text: str, wanted: tuple[Objective, ...]) -> None:
    assert read(text).slots.objectives == wanted


def test_where_the_traffic_is_stated_the_most_requests_are_not_sought(read: Reader) -> None:
    scanned = read("how many GPUs for the maximum throughput at 10 req/s of llama-3.1-8b")
    assert scanned.slots.objectives == ()
    assert ("objective", "cheapest") in [(note.key, note.value) for note in scanned.notes]


def test_other_scripts_do_not_hide_numbers_and_names(read: Reader) -> None:
    slots = read("用８ｘH100部署 DeepSeek-R1，10 req/s").slots
    assert slots.models == ("deepseek-r1",)
    assert slots.traffic.rates == ("10 req/s",)
    assert slots.hardware.accelerators == (H100,)


@pytest.mark.parametrize(
    "text", ["What is the capital of France?", "write a poem about 8 H100s", "", "   ", "the", "?!"]
)
def test_a_sentence_about_something_else_is_not_understood(read: Reader, text: str) -> None:
    assert not read(text).understood


def test_words_that_were_missed_are_named(read: Reader) -> None:
    scanned = read("cheapest llama-3.1-8b at 10 req/s for our blue pet shop")
    assert scanned.understood
    assert scanned.missed == ("blue", "pet", "shop")


def test_a_very_long_sentence_is_refused(read: Reader) -> None:
    scanned = read("8xH100 " * 1000)
    assert [problem.what for problem in scanned.problems] == ["the question is too long"]
    assert len("8xH100 " * 1000) > LONGEST_QUESTION


@given(st.text(max_size=200))
def test_no_text_crashes_the_scanner(words: Vocabulary, text: str) -> None:
    assert_sound(scan(text, words))


FRAGMENTS = [form for form, _, _ in GLUED] + [
    "p99", "ttft", "200 ms", "itl", "$60", "/h", "per", "token", "not", "without", "H1000", "llama", "70b", "-5", "0",
    "9" * 30, "1e9", "%", "×", "2-3", "8x", "tp=3", "cheapest", "why", "in", "context", "§", "\x00", "\x02", "\n",
]  # fmt: skip


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=12), st.sampled_from([" ", "", ", ", " and "]))
def test_no_sentence_of_fragments_crashes_the_scanner(words: Vocabulary, parts: list[str], joint: str) -> None:
    assert_sound(scan(joint.join(parts), words))


def assert_sound(scanned: Scan) -> None:
    assert 0.0 <= scanned.coverage <= 1.0
    assert isinstance(scanned.slots.kind, Kind)
    assert all(str(problem) for problem in scanned.problems)


def test_a_volume_and_its_window_may_stand_apart(read: Reader) -> None:
    scanned = read("2 million requests of 1000 prompt tokens and 100 output tokens within 8 hours")
    assert scanned.slots.traffic == Traffic(batch=("2M", "8 hours"))
    assert scanned.slots.lengths == Lengths(prompt="1000 tokens", output="100 tokens")
    assert scanned.problems == ()


@pytest.mark.parametrize("text", ["500 requests per second within 8 hours", "500k documents", "8k prompt tokens"])
def test_a_rate_or_a_length_is_no_volume(read: Reader, text: str) -> None:
    assert read(text).slots.traffic.batch is None
