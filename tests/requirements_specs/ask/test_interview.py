import pytest

from requirements_specs.ask.interview import INTERVIEW
from requirements_specs.ask.vocabulary import Vocabulary
from requirements_specs.errors import ValueProblem
from requirements_specs.read import spec_from_text
from requirements_specs.write import Tree, spec_text

MODEL, TRAFFIC, LENGTHS, LIMIT, BUDGET = INTERVIEW
SO_FAR: Tree = {"model": "llama-3.1-8b", "workload": {"request_rate": "4 req/s"}}


def test_the_defaults_make_a_spec(words: Vocabulary) -> None:
    tree: Tree = {"kind": "serving"}
    for question in INTERVIEW:
        tree |= question.read(question.default, words, tree)
    spec = spec_from_text(spec_text(tree), "spec.yaml", words.names)
    assert (spec.model, spec.workload.request_rate_per_s) == ("llama-3.1-70b", 10.0)
    assert [limit.id for limit in spec.slo] == ["slo.ttft.p99"]


@pytest.mark.parametrize(
    ("number", "answer", "tree"),
    [
        (0, "Meta-Llama/Llama-3.1-8B-Instruct", {"model": "llama-3.1-8b"}),
        (1, "12 rps", {"workload": {"request_rate": "12 rps"}}),
        (
            2,
            "8k prompts, 300 token answers",
            {"workload": {"request_rate": "4 req/s", "prompt_tokens": "8k tokens", "output_tokens": "300 tokens"}},
        ),
        (3, "none", {}),
        (3, "p95 ttft 1 s, tpot p99 50 ms", {"slo": {"ttft": {"p95": "1 s"}, "tpot": {"p99": "50 ms"}}}),
        (4, "none", {}),
        (
            4,
            "$60/h on aws or lambda, spot in us-east-1",
            {
                "budget": {"usd_per_hour": "$60/h"},
                "inventory": {"providers": ["aws", "lambda"], "regions": ["us-east-1"], "tiers": ["spot"]},
            },
        ),
    ],
)
def test_an_answer_becomes_keys(words: Vocabulary, number: int, answer: str, tree: Tree) -> None:
    assert INTERVIEW[number].read(answer, words, SO_FAR) == tree


@pytest.mark.parametrize(
    ("number", "answer", "allowed"),
    [
        (0, "llama-3.1-9b", "did you mean: llama-3.1-8b"),
        (1, "10", "did you mean: 10 req/s"),
        (1, "0 req/s", "more than 0 req/s"),
        (2, "short ones", "chat; 8k prompts"),
        (2, "8k prompts", "chat; 8k prompts"),
        (2, "200k prompts, 300 token answers", "at most 131,072 tokens"),
        (2, "0/5 tokens", "at least 1 tokens"),
        (3, "200", "ttft p99 200 ms"),
        (3, "itl p99 20 ms", "ttft p99 200 ms"),
        (3, "ttft p99 0 ms", "more than 0 s"),
        (3, "ttft p99 200 ms on weekdays", "ttft p99 200 ms"),
        (4, "$60", "$60/h"),
        (4, "on the moon", "$60/h"),
        (4, "vllm", "$60/h"),
    ],
)
def test_a_wrong_answer_says_what_is_allowed(words: Vocabulary, number: int, answer: str, allowed: str) -> None:
    with pytest.raises(ValueProblem) as error:
        INTERVIEW[number].read(answer, words, SO_FAR)
    assert allowed in str(error.value)
