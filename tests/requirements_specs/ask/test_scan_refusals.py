"""What a sentence rules out or cannot mean: negations, lower limits, second numbers, other units."""

import pytest

from requirements_specs.ask.vocabulary import Vocabulary
from tests.requirements_specs.ask.conftest import Reader


@pytest.mark.parametrize(
    ("text", "key", "fix"),
    [
        ("llama-3.1-9b", "model", "llama-3.1-8b"),
        ("gpt-3.5", "model", "gpt-3"),
        ("qwen2-7b", "model", "qwen2.5-7b"),
        ("foobar-13b", "model", None),
        ("llama 70b", "model", "llama-3.1-70b"),
        ("mixtral", "model", "mixtral-8x7b"),
        ("llama-3.1-70b or llama-3.1-8b", "model", "llama-3.1-70b"),
        ("8xH1000", "inventory.accelerators", "h100-sxm-80gb"),
        ("8xA800", "inventory.accelerators", "a100-sxm-80gb"),
        ("itl 20 ms", "slo.itl", "tpot"),
        ("ttft p999 20 ms", "slo", None),
        ("$60", "budget", "$60/h"),
        ("$2/gpu-hour", "budget", None),
        ("$2 per million input tokens", "budget", None),
        ("$60/h and $70/h", "budget.usd_per_hour", None),
        ("6-bit", "formats.weights", None),
        ("in europe", "inventory.regions", None),
        ("using ollama", "engines", None),
        ("5 users and 6 users", "concurrency", None),
        ("10 req/s per GPU", "workload.request_rate", None),
        ("2000 tok/s/gpu", "workload.request_rate", None),
        ("ttft 100 ms and ttft 200 ms", "slo.ttft.p99", None),
        ("8k prompts and 9k prompts", "workload.prompt_tokens", None),
        ("8xH100 and 16xH200", "inventory.max_accelerators", None),
        ("not on H100", "", None),
        ("without llama-3.1-8b", "", None),
        ("no nvidia", "", None),
        ("99.9% availability", "", None),
        ("on p5.48xlarge", "", None),
        ("llama-3.1-8b 17", "", None),
        ("instead of H100 on H200", "", None),
        ("spot is not ok", "", None),
        ("aws is excluded", "", None),
        ("except aws, azure", "inventory.providers", None),
        ("no tensor parallelism", "", None),
        ("never quantized", "", None),
        ("tp 2-8", "", None),
        ("tp=4-8", "", None),
        ("input 500-2000 tokens", "", None),
        ("prompts 1k–2k tokens", "", None),
        ("output 100-300", "", None),
        ("concurrency 10-50", "", None),
        ("$2/hour per GPU", "budget", None),
        ("$60 per hour per replica", "budget", None),
        ("60 dollars an hour each", "budget", None),
        ("C$60/h", "", None),
        ("HK$60/h", "", None),
        ("R$60/h", "", None),
        ("on at least 8 H100", "", None),
        ("more than eight GPUs", "", None),
        ("> 8 GPUs", "", None),
        ("8 GPUs or more", "", None),
        ("8 GPUs minimum", "", None),
        ("at least tp 4", "", None),
        ("ttft p99 at least 200 ms", "", None),
        ("over 500 ms", "", None),
        ("budget over $60/h", "", None),
        ("1M requests in 8 hours and 2M requests in 8 hours", "workload.offline", None),
        ("50 tok/s per user, 30 tok/s per user", "slo.tpot", None),
        ("5 users, 2 requests per minute each, 3 requests per minute each", "workload.request_rate", None),
        ("4000 output tokens/s and 5000 output tokens/s", "workload.request_rate", None),
        ("risk 5% risk 20%", "risk", None),
        ("30% cache hits, cache hit rate 50%", "workload.prefix_cache_hit", None),
        ("3x peak, peak factor 5", "workload.peak_factor", None),
        ("N+1, 2 spare replicas", "availability.spare_replicas", None),
        ("5 spare nodes", "availability.spare_replicas", None),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(read: Reader, text: str, key: str, fix: str | None) -> None:
    (problem,) = read(text).problems
    assert problem.key == key
    assert str(problem).startswith("question:1:")
    if fix is not None:
        assert fix in (problem.fix or "")


@pytest.mark.parametrize(
    "text",
    [
        "without exceeding $60/h",
        "not more than 8 H100",
        "no limit on ttft",
        "not aws",
        "no need",
        "don't exceed $60/h",
        "I can't go above $60/h",
    ],
)
def test_a_not_that_rules_nothing_out_is_no_problem(read: Reader, text: str) -> None:
    assert read(text).problems == ()


@pytest.mark.parametrize(
    "text",
    [
        "at least 10 req/s",
        "over 100 users",
        "1M requests over 8 hours",
        "no more than 8 H100",
        "not more than 200 ms",
        "don't go over $60/h",
        "at least 99% of requests under 300 ms",
        "on 8 H100 at least 10 req/s",
        "8 GPUs minimum latency",
    ],
)
def test_traffic_has_a_lower_limit_and_a_not_makes_it_an_upper_one(read: Reader, text: str) -> None:
    assert read(text).problems == ()


def test_a_provider_can_be_ruled_out(read: Reader, words: Vocabulary) -> None:
    scanned = read("llama-3.1-8b without aws")
    assert set(scanned.slots.where.providers) == words.names.providers - {"aws"}
    assert read("cheap but on aws").slots.where.providers == ("aws",)


@pytest.mark.parametrize(
    ("text", "excluded"),
    [
        ("other than aws", {"aws"}),
        ("all providers but aws", {"aws"}),
        ("any cloud but aws", {"aws"}),
        ("exclude aws", {"aws"}),
        ("we don't want aws", {"aws"}),
        ("neither aws nor azure", {"aws", "azure"}),
        ("not aws or azure", {"aws", "azure"}),
    ],
)
def test_a_not_in_other_words_is_a_not(read: Reader, words: Vocabulary, text: str, excluded: set[str]) -> None:
    scanned = read(f"llama-3.1-8b, {text}")
    assert set(scanned.slots.where.providers) == words.names.providers - excluded
    assert scanned.problems == ()
