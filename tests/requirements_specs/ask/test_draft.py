from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from requirements_specs.ask.base import base_of, merged
from requirements_specs.ask.draft import draft
from requirements_specs.ask.drafted import Draft
from requirements_specs.ask.scan import scan
from requirements_specs.ask.vocabulary import Vocabulary
from requirements_specs.errors import SpecError, UnknownNameError, ValueProblem
from requirements_specs.read import spec_from_text
from requirements_specs.serving import ServingSpec
from requirements_specs.write import spec_text
from tests.requirements_specs.ask.test_scan import FRAGMENTS
from tests.requirements_specs.traces.writers import Request, plain

Drafted = Callable[..., Draft]


@pytest.fixture
def drafted(words: Vocabulary) -> Drafted:
    """Draft a spec for a sentence, with options as `draft` has them."""
    return lambda question, **options: draft(scan(question, words), words, **options)


@pytest.fixture
def spec(words: Vocabulary, drafted: Drafted) -> Callable[..., ServingSpec]:
    """Read the spec that a sentence means."""

    def read(question: str, **options: object) -> ServingSpec:
        result = drafted(question, **options)
        assert (result.missing, result.problems) == ([], [])
        return spec_from_text(spec_text(result.tree), "question", words.names)

    return read


def test_a_sentence_becomes_a_spec(spec: Callable[..., ServingSpec]) -> None:
    read = spec(
        "cheapest llama-3.1-70b fp8 on 2x8xH100 or H200, aws or lambda, us-east-1, spot, TP=4, pp<=2, sglang, N+1, "
        "600 rpm, 8k prompts, 300 token answers, ttft p95 under 500 ms, tpot p50 40ms, $60/h and $40k/month, 3x peak"
    )
    assert read.model == "llama-3.1-70b"
    assert read.workload.request_rate_per_s == 10.0
    assert read.workload.peak_factor == 3.0
    assert (read.workload.prompt_tokens.mean, read.workload.output_tokens.mean) == (8000.0, 300.0)
    assert {limit.id: limit.limit_s for limit in read.slo} == {"slo.ttft.p95": 0.5, "slo.tpot.p50": 0.04}
    assert (read.budget.usd_per_hour, read.budget.usd_per_month) == (60.0, 40000.0)
    assert read.inventory.accelerators == ("h100-sxm-80gb", "h200-sxm-141gb")
    assert read.inventory.max_accelerators == 16
    assert (read.inventory.providers, read.inventory.regions) == (("aws", "lambda"), ("us-east-1",))
    assert (read.inventory.tiers, read.engines) == (("spot",), ("sglang",))
    assert read.formats.weights == ("fp8",)
    assert read.layout.tp is not None
    assert read.layout.pp is not None
    assert (read.layout.tp.values, read.layout.pp.greatest) == ((4,), 2)
    assert read.availability.spare_replicas == 1


def test_silent_lengths_are_those_of_a_chat_and_assumed(spec: Callable[..., ServingSpec], drafted: Drafted) -> None:
    question = "llama-3.1-70b at 10 req/s"
    workload = spec(question).workload
    assert workload.prompt_tokens.mean == 512.0
    assert workload.prompt_tokens.quantile(0.99) == pytest.approx(1500.0)
    assert workload.output_tokens.mean == 200.0
    assert [each.key for each in drafted(question).assumed] == ["workload.prompt_tokens", "workload.output_tokens"]


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        ("give me the cheapest design meeting 200ms p99", ["model", "workload.request_rate"]),
        ("cheapest design for llama-3.1-70b", ["workload.request_rate"]),
        ("10 req/s", ["model"]),
        ("fastest llama-3.1-70b at 10 req/s", ["budget"]),
        ("most requests of llama-3.1-70b", ["budget"]),
        ("fastest llama-3.1-70b at 10 req/s on 8xH100", []),
        ("most requests of llama-3.1-70b within $60/h", []),
        ("1M requests in 8 hours with llama-3.1-70b", []),
    ],
)
def test_what_is_missing_is_named(drafted: Drafted, question: str, missing: list[str]) -> None:
    assert [each.key for each in drafted(question).missing] == missing


@pytest.mark.parametrize(
    ("question", "objective"),
    [
        ("cheapest llama-3.1-8b at 4 req/s", "cheapest"),
        ("fastest llama-3.1-8b at 4 req/s within $10/h", "fastest"),
        ("most requests of llama-3.1-8b within $10/h", "most_requests"),
        ("smallest fleet for 1M requests in 8 hours of llama-3.1-8b", "smallest_fleet"),
    ],
)
def test_an_objective_is_the_word_of_the_spec(drafted: Drafted, question: str, objective: str) -> None:
    assert drafted(question).tree["objective"] == objective


def test_a_batch_is_an_offline_workload(drafted: Drafted) -> None:
    workload = drafted("1M requests in 8 hours with llama-3.1-8b").tree["workload"]
    assert isinstance(workload, dict)
    assert workload["offline"] == {"requests": "1M", "window": "8 hours"}
    assert "request_rate" not in workload


def test_two_objectives_and_several_rates_are_two_questions(drafted: Drafted) -> None:
    assert [each.key for each in drafted("cheapest and fastest llama-3.1-8b, 4 rps, $9/h").problems] == ["objective"]
    (problem,) = drafted("llama-3.1-8b at 4 rps and 8 rps").problems
    assert (problem.key, problem.fix) == ("workload.request_rate", '--rate "4 req/s"')
    assert drafted("llama-3.1-8b at 4 rps and 8 rps", rate="6 rps").problems == []
    (problem,) = drafted("llama-3.1-8b at 10 req/s, peak of 20 req/s").problems
    assert problem.key == "workload.request_rate"


@pytest.mark.parametrize(
    ("question", "rate"),
    [
        # a chat: prompts of 512 tokens at 10,000 tokens/s, 200 tokens at 50 ms where nothing is limited
        ("5 users of llama-3.1-8b", 5 / (0.0512 + 200 * 0.05)),
        ("5 users of llama-3.1-8b, tpot p99 20 ms", 5 / (0.0512 + 200 * 0.02)),
        ("5 users of llama-3.1-8b, 100k prompts", 5 / (10 + 200 * 0.05)),
        ("5 users of llama-3.1-8b, ttft p99 2 s, tpot p99 20 ms", 5 / (2 + 200 * 0.02)),
        ("5 users of llama-3.1-8b, tpot p50 20 ms, tpot p99 40 ms", 5 / (0.0512 + 200 * 0.04)),
        ("5 users of llama-3.1-8b, mean e2e 4 s, tpot p99 20 ms", 5 / 4),
        ("5 users of llama-3.1-8b, 50 tok/s per user", 5 / (0.0512 + 200 / 50)),
        ("64 concurrent requests of llama-3.1-8b, 400 token answers", 64 / (0.0512 + 400 * 0.05)),
        ("120 users of llama-3.1-8b, 2 requests per minute each", 4.0),
        ("4000 output tokens/s of llama-3.1-8b", 4000 / 200),
        ("86.4M tokens per day of llama-3.1-8b", 1000 / 712),
        ("1000 input tokens/s of llama-3.1-8b, 500 token prompts", 1000 / 500),
    ],
)
def test_users_and_tokens_become_a_rate_by_littles_law(
    spec: Callable[..., ServingSpec], drafted: Drafted, question: str, rate: float
) -> None:
    assert spec(question).workload.request_rate_per_s == pytest.approx(rate, rel=1e-3)
    assert "workload.request_rate" in [each.key for each in drafted(question).assumed]


def test_the_law_says_what_it_takes_for_granted(drafted: Drafted) -> None:
    (why,) = [each.why for each in drafted("5 users of llama-3.1-8b").assumed if each.key == "workload.request_rate"]
    for part in (
        "5 users",
        "always have one request open",
        "10,000 prompt tokens/s",
        "20 tokens/s",
        "Little's law",
        "5 / 10.05 s",
        "--rate",
    ):
        assert part in why


def test_a_stated_rate_counts_and_users_do_not(spec: Callable[..., ServingSpec], drafted: Drafted) -> None:
    question = "llama-3.1-8b for 50 users at 4 req/s"
    assert spec(question).workload.request_rate_per_s == 4.0
    assert drafted(question).unused == ["50 users: the rate says how much they ask"]


@pytest.mark.parametrize(
    ("question", "unused"),
    [
        ("10 req/s, 5 million tokens a day", "57.87 total tokens/s: the rate says how much arrives"),
        ("10 req/s, 2 req/min each", "2 req/min each: the rate says how much they ask"),
        ("2 req/min each", "2 req/min each: the number of users is not said"),
        ("1M requests in 8 hours, 64 concurrent requests", "64 users: the batch says how much they ask"),
        ("4000 output tokens/s, 50 users", "50 users: the volume of tokens says how much they ask"),
    ],
)
def test_traffic_that_is_said_twice_is_used_once_and_said_so(drafted: Drafted, question: str, unused: str) -> None:
    assert drafted(f"llama-3.1-8b, {question}").unused == [unused]


def test_a_rate_and_a_batch_are_two_questions(drafted: Drafted) -> None:
    (problem,) = drafted("llama-3.1-8b at 10 req/s and 1M requests in 8 hours").problems
    assert (problem.key, problem.read) == ("workload.offline", "10 req/s and 1M requests in 8 hours")
    result = drafted("llama-3.1-8b, 1M requests in 8 hours", rate="6 rps")
    assert result.unused == ["1M requests in 8 hours: the rate says how much arrives"]


def test_a_pace_and_a_mean_tpot_that_differ_are_refused(drafted: Drafted) -> None:
    (problem,) = drafted("llama-3.1-8b at 4 rps, 50 tok/s per user, mean tpot 40 ms").problems
    assert problem.key == "slo.tpot.mean"
    assert drafted("llama-3.1-8b at 4 rps, 50 tok/s per user, mean tpot 20 ms").problems == []


def test_a_context_is_filled_by_the_prompt(spec: Callable[..., ServingSpec]) -> None:
    workload = spec("llama-3.3-70b at 1 req/s, 128k context, 500 token answers").workload
    assert workload.prompt_tokens.mean == 127_500.0
    workload = spec("llama-3.3-70b at 1 req/s with its full context window").workload
    assert workload.prompt_tokens.maximum + workload.output_tokens.maximum == 131_072


def test_a_context_below_the_answer_is_refused(drafted: Drafted) -> None:
    (problem,) = drafted("llama-3.3-70b at 1 req/s, 1k context").problems
    assert problem.key == "context"


def test_a_named_part_that_is_estimated_is_allowed_and_said_so(drafted: Drafted) -> None:
    result = drafted("llama-3.1-8b at 1 req/s on 4xMI300X")
    assert result.tree["inventory"] == {
        "accelerators": ["mi300x-192gb"],
        "max_accelerators": "4",
        "estimated_parts": "true",
    }
    assert "inventory.estimated_parts" in [each.key for each in result.assumed]
    assert "estimated_parts" not in str(drafted("llama-3.1-8b at 1 req/s on 4xH100").tree)


def test_memory_without_a_name_means_every_part_that_has_it(drafted: Drafted) -> None:
    inventory = drafted("llama-3.1-8b at 1 req/s on 2*8*80G").tree["inventory"]
    assert isinstance(inventory, dict)
    assert isinstance(inventory["accelerators"], list)
    assert {"h100-sxm-80gb", "a100-pcie-80gb"} <= set(map(str, inventory["accelerators"]))
    assert inventory["max_accelerators"] == "16"
    assert [each.key for each in drafted("llama-3.1-8b at 1 req/s on 8x81G gpus").problems] == [
        "inventory.accelerators"
    ]


BASE = """\
kind: serving
name: base
model: llama-3.1-8b
workload:
  request_rate: 4 req/s
  prompt_tokens: {mean: 512 tokens, p99: 1500 tokens}
  output_tokens: 100 tokens
slo:
  p99: 300 ms
  tpot: {p99: 40 ms}
inventory:
  providers: [lambda]
"""


def test_a_sentence_overrides_the_keys_of_a_base(words: Vocabulary, spec: Callable[..., ServingSpec]) -> None:
    base = base_of(BASE, "base.yaml", spec_from_text(BASE, "base.yaml", words.names))
    assert spec("", base=base) == base.spec
    changed = spec("llama-3.1-70b, p99 200ms, tpot p90 30 ms, 512 token prompts, on aws", base=base)
    assert (changed.name, changed.model) == ("base", "llama-3.1-70b")
    assert changed.workload.request_rate_per_s == 4.0
    assert changed.workload.prompt_tokens.is_constant
    assert changed.workload.output_tokens.mean == 100.0
    assert {limit.id: limit.limit_s for limit in changed.slo} == {
        "slo.ttft.p99": 0.2,
        "slo.tpot.p90": 0.03,
        "slo.tpot.p99": 0.04,
    }
    assert changed.inventory.providers == ("aws",)
    # users are turned into a rate by the limits and lengths of the base
    assert spec("8 users", base=base).workload.request_rate_per_s == pytest.approx(8 / (0.3 + 100 * 0.04), rel=1e-3)


JOB = """\
kind: serving
model: llama-3.1-8b
workload:
  offline: {requests: 1 M, window: 8 h}
  prompt_tokens: 512 tokens
  output_tokens: 100 tokens
"""


def test_a_rate_takes_the_place_of_a_job_and_a_job_that_of_a_rate(
    words: Vocabulary, spec: Callable[..., ServingSpec], drafted: Drafted
) -> None:
    job = base_of(JOB, "job.yaml", spec_from_text(JOB, "job.yaml", words.names))
    served = spec("4 req/s, ttft p99 300 ms", base=job)
    assert (served.workload.request_rate_per_s, served.workload.offline) == (4.0, None)
    assert {limit.id for limit in served.slo} == {"slo.ttft.p99"}
    assert spec("at most $9/h", base=job).workload.offline == job.spec.workload.offline
    peak = BASE.replace("slo:", "  peak_factor: 3\nslo:")
    service = base_of(peak, "base.yaml", spec_from_text(peak, "base.yaml", words.names))
    waiting = spec("2M requests in 4 hours", base=service)
    assert waiting.workload.offline is not None
    assert (waiting.workload.offline.requests, waiting.slo) == (2_000_000, ())
    assert waiting.workload.output_tokens.mean == 100.0
    assert drafted("2M requests in 4 hours", base=service).unused == [
        "slo of the base: a job waits, and only its end counts",
        "peak_factor of the base: a job waits, and only its end counts",
    ]
    busy = "  profile: [{hours: 12, factor: 1}, {hours: 12, factor: 2}]\n  growth: {monthly: 4 %, months: 6}\nslo:"
    daily = BASE.replace("slo:", busy)
    changing = base_of(daily, "base.yaml", spec_from_text(daily, "base.yaml", words.names))
    assert spec("2M requests in 4 hours", base=changing).workload.profile == ()
    assert drafted("2M requests in 4 hours", base=changing).unused[1:] == [
        "profile of the base: a job waits, and only its end counts",
        "growth of the base: a job waits, and only its end counts",
    ]
    quieter = spec("2 req/s", base=changing).workload
    assert (quieter.request_rate_per_s, quieter.profile) == (2.0, changing.spec.workload.profile)


def test_traffic_over_a_trace_is_refused(words: Vocabulary, tmp_path: Path, drafted: Drafted) -> None:
    path = tmp_path / "traced.yaml"
    (tmp_path / "requests").write_text(plain([Request(float(i), 500, 50) for i in range(100)]), encoding="utf-8")
    text = "kind: serving\nmodel: llama-3.1-8b\nworkload:\n  trace: requests\n"
    traced = base_of(text, str(path), spec_from_text(text, str(path), words.names))
    assert drafted("ttft p99 300 ms", base=traced).problems == []
    for question, key in (
        ("4 req/s", "request_rate"),
        ("2M requests in 4 hours", "offline"),
        ("8 users", "request_rate"),
        ("1k prompts", "prompt_tokens"),
    ):
        (problem,) = drafted(question, base=traced).problems
        assert (problem.key, problem.what) == (f"workload.{key}", "the base is sized on a trace, which states this")
    (problem,) = drafted("", base=traced, rate="4 req/s").problems
    assert problem.key == "workload.request_rate"


def test_merging_keeps_what_the_sentence_does_not_say() -> None:
    base = {"model": "a", "slo": {"p99": "1 s", "ttft": {"p50": "1 s"}}, "workload": {"prompt_tokens": {"mean": "1"}}}
    over = {"slo": {"ttft": {"p99": "2 s"}}, "workload": {"prompt_tokens": {"p50": "3"}}}
    assert merged(base, over) == {
        "model": "a",
        "workload": {"prompt_tokens": {"p50": "3"}},
        "slo": {"ttft": {"p50": "1 s", "p99": "2 s"}},
    }


def test_options_override_the_sentence(spec: Callable[..., ServingSpec], drafted: Drafted) -> None:
    read = spec("llama-3.1-9b at 10 req/s", model="llama-3.1-8b", rate="4 rps")
    assert (read.model, read.workload.request_rate_per_s) == ("llama-3.1-8b", 4.0)
    assert spec("llama-3.1-8b or llama-3.1-70b at 4 rps", model="llama-3.1-8b").model == "llama-3.1-8b"
    with pytest.raises(UnknownNameError, match=r"llama-3\.1-8b"):
        drafted("at 10 req/s", model="llama-3.1-9b")
    with pytest.raises(ValueProblem, match="10 req/s"):
        drafted("llama-3.1-8b", rate="10")


MODELS = ("llama-3.1-8b", "mixtral-8x22b", "deepseek-v3", "qwen2.5-0.5b", "gpt-oss-120b", "phi-4-mini", "glm-4.5-air")


@given(st.data())
def test_a_spec_in_words_reads_back_to_the_same_keys(words: Vocabulary, data: st.DataObject) -> None:
    def maybe(*values: str) -> str | None:
        return data.draw(st.none() | st.sampled_from(values))

    number = st.integers(1, 500).map(str)
    parts: list[tuple[str, str]] = [("model", data.draw(st.sampled_from(MODELS)))]
    rate = f"{data.draw(number)} req/{data.draw(st.sampled_from(['s', 'min', 'h', 'day']))}"
    prompt, output = f"{data.draw(number)} tokens", f"{data.draw(number)} tokens"
    limits = data.draw(
        st.dictionaries(
            st.tuples(st.sampled_from(["ttft", "tpot", "e2e"]), st.sampled_from(["mean", "p50", "p90", "p95", "p99"])),
            number.map(lambda text: f"{text} ms"),
            max_size=4,
        )
    )
    budget = data.draw(st.none() | number.map(lambda text: f"${text}/h"))
    part = maybe("h100-sxm-80gb", "h200-sxm-141gb", "a100-pcie-80gb", "l40s-48gb")
    count = data.draw(st.none() | st.integers(1, 64).map(str))
    tp = maybe("1", "2", "4", "8")
    provider, tier, engine = maybe("aws", "gcp", "lambda"), maybe("spot", "on_demand"), maybe("vllm", "sglang")
    weights = maybe("fp8", "bf16", "int4")
    spoken = {"spot": "spot", "on_demand": "on-demand"}
    phrases = [
        parts[0][1],
        f"at {rate}",
        f"prompts of {prompt}",
        f"{output.replace(' tokens', ' token')} answers",
        *(f"{metric} {statistic} {time}" for (metric, statistic), time in limits.items()),
        *([f"within {budget}"] if budget else []),
        *([f"{count}x {part}" if count and part else part or f"{count} gpus"] if count or part else []),
        *([f"tp={tp}"] if tp else []),
        *([f"on {provider}"] if provider else []),
        *([spoken[tier]] if tier else []),
        *([engine] if engine else []),
        *([f"{weights} weights"] if weights else []),
    ]
    question = ", ".join(data.draw(st.permutations(phrases)))
    result = draft(scan(question, words), words)
    assert (result.problems, result.missing) == ([], []), question
    slo: dict[str, dict[str, str]] = {}
    for (metric, statistic), time in limits.items():
        slo.setdefault(metric, {})[statistic] = time
    inventory = {
        **({"providers": [provider]} if provider else {}),
        **({"tiers": [tier]} if tier else {}),
        **({"accelerators": [part]} if part else {}),
        **({"max_accelerators": count} if count else {}),
    }
    expected = {
        "kind": "serving",
        "model": parts[0][1],
        "workload": {"request_rate": rate, "prompt_tokens": prompt, "output_tokens": output},
        **({"slo": slo} if slo else {}),
        **({"budget": {"usd_per_hour": budget}} if budget else {}),
        **({"inventory": inventory} if inventory else {}),
        **({"formats": {"weights": [weights]}} if weights else {}),
        **({"layout": {"tp": tp}} if tp else {}),
        **({"engines": [engine]} if engine else {}),
    }
    assert {key: value for key, value in result.tree.items() if key != "name"} == expected, question


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=10))
def test_whatever_is_drafted_is_read_or_refused(words: Vocabulary, parts: list[str]) -> None:
    result = draft(scan(" ".join(parts), words), words)
    try:
        spec_from_text(spec_text(result.tree), "question", words.names)
    except SpecError as error:
        assert all(problem.what for problem in error.problems)  # noqa: PT017
