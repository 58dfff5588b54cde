import json
from collections.abc import Callable

import pytest

from tests.cli.conftest import Ran

Run = Callable[..., Ran]
COMMAND = (
    "predict",
    "--command",
    "vllm serve meta-llama/Llama-3.1-70B-Instruct --quantization fp8 -tp 8",
    "--on",
    "8xH100",
)
LOAD = ("--prompt", "1000", "--output", "500", "--concurrency", "256")


def test_a_page_with_figures_terms_causes_and_the_best_change(run: Run) -> None:
    ran = run(*COMMAND, *LOAD, "--measured-tpot", "45 ms", "--measured-ttft", "2 s", "--measured-tokens-per-s", "5400")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("Slower than predicted: llama-3.1-70b as 1 replica of TP8 on 1 × 8 h100-sxm-80gb\n")
    for words in (
        "45 ms: 1.08 × predicted, inside",
        "2 s: 2.56 × predicted, slower",
        "prefills of other requests",
        "burst",
    ):
        assert words in ran.out
    assert "small-shards (against the premise)" in ran.out
    assert "replicas of TP2 on the same accelerators would carry" in ran.out
    assert max(len(line) for line in ran.out.splitlines()) <= 100


def test_json_has_the_same_keys_with_and_without_an_answer(run: Run) -> None:
    answers = [
        json.loads(run(*COMMAND, *load, "--json").out) for load in (LOAD, ("--rate", "1000"), ("--rate", "2 req/s"))
    ]
    assert answers[0].keys() == answers[1].keys() == answers[2].keys()
    assert answers[1]["figures"] is answers[1]["terms"] is None
    assert answers[2]["load"]["request_rate"] == 2.0
    assert answers[0]["schema_version"] == 1
    assert sum(term["share"] for term in answers[0]["terms"]["tpot_s"]) == pytest.approx(1.0)
    assert answers[0]["verdict"] == "not measured"


def test_two_runs_print_the_same_bytes(run: Run) -> None:
    assert run(*COMMAND, *LOAD, "--json").out == run(*COMMAND, *LOAD, "--json").out


def test_lengths_that_are_not_stated_are_assumed(run: Run) -> None:
    assert "lengths 1,000 + 500 tokens" in run(*COMMAND, "--concurrency", "8").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("predict",), "CASES.csv -o OUT.csv, or --command"),
        (("predict", "cases.csv"), "CASES.csv -o OUT.csv, or --command"),
        (("predict", "cases.csv", "-o", "out.csv", "--concurrency", "8"), "--concurrency"),
        (("predict", "cases.csv", "-o", "out.csv", "--on", "8xH100"), "--on"),
        (("predict", "cases.csv", "--command", "vllm serve m", "--on", "8xH100"), "exclude each other"),
        (COMMAND[:3], "--on"),
        ((*COMMAND, "--concurrency", "8", "--rate", "3"), "exclude each other"),
        ((*COMMAND, "--rate", "-3"), "must be positive"),
        ((*COMMAND, "--rate", "fast"), "fast"),
        ((*COMMAND, "--prompt", "0"), "0 tokens"),
        ((*COMMAND, "--measured-tpot", "21"), "21 ms"),
        ((*COMMAND, "--measured-tpot", "-21 ms"), "must be positive"),
        ((*COMMAND, "--measured-tokens-per-s", "nan"), "greater than"),
        ((*COMMAND, "--measured-tokens-per-s", "inf"), "a finite number"),
        ((*COMMAND, "--concurrency", "inf"), "must be positive and finite"),
        (("predict", "--command", "vllm serve m -tq 8 --tq 8", "--on", "8xH100"), "no flag --tq"),
        (("predict", "--command", "vllm serve nothing-like-it", "--on", "8xH100"), "unknown model"),
        ((*COMMAND, "--command", "vllm serve llama-3.1-70b"), "a prefill pool and a decode pool"),
    ],
)
def test_bad_input_is_said_plainly(run: Run, arguments: tuple[str, ...], message: str) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in " ".join(ran.err.split())
    assert "Traceback" not in ran.err
