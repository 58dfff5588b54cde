import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from catalog.read import load
from optimizer.cli.app import app
from optimizer.names import known_names
from requirements_specs.read import read_spec
from tests.cli.conftest import Ran

Run = Callable[..., Ran]
SpecFile = Callable[..., Path]

EXAMPLES = Path(__file__).parents[2] / "examples"
SMALL = "cheapest llama-3.1-8b at 4 req/s, ttft p99 400 ms, 512 token prompts, 200 token answers, on lambda or runpod"


def test_a_question_is_answered_and_lists_what_was_assumed(run: Run) -> None:
    ran = run("ask", "cheapest design for llama-3.1-70b meeting 200ms p99 at 10 req/s")
    assert (ran.code, ran.err) == (0, "")
    text, _, report = ran.out.partition("\n\n")
    assert report.splitlines()[0].endswith("proved cheapest")
    for assumed in (
        "# assumed: slo.p99 = slo.ttft.p99",
        "# assumed: workload.prompt_tokens = mean 512, p50 400, p90 1,000, p99 1,500",
        "# assumed: workload.output_tokens = mean 200",
        "# by default: risk 0.1",
    ):
        assert assumed in text
    assert yaml.safe_load(text)["slo"] == {"ttft": {"p99": "200 ms"}}
    assert max(map(len, text.splitlines())) <= 100
    assert report.splitlines()[-1].endswith("-o spec.yaml")


def test_the_answer_is_that_of_solve(run: Run, tmp_path: Path) -> None:
    kept = tmp_path / "kept.yaml"
    asked = run("ask", SMALL, "-o", str(kept))
    assert (asked.code, asked.err) == (0, "")
    assert asked.out.startswith(kept.read_text(encoding="utf-8"))
    assert asked.out.splitlines()[-1] == f"Next      roofplan solve {kept} --json"
    one, other = (json.loads(run(*words, "--json").out) for words in (("ask", SMALL), ("solve", str(kept))))
    assert list(one) == list(other)
    for key in ("status", "objective", "cost", "design", "predicted", "walls", "search"):
        assert one[key] == other[key]
    assert [each["key"] for each in one["assumed"]] == [
        "workload.prompt_tokens",
        "workload.output_tokens",
        *(each["key"] for each in other["assumed"]),
    ]


def test_what_is_missing_is_named_with_the_spec_so_far_and_an_example(run: Run, spec_file: SpecFile) -> None:
    card = "give me the cheapest design meeting 200ms p99"
    ran = run("ask", card)
    assert (ran.code, ran.out) == (2, "")
    for part in (
        "question: model: this is missing",
        "question: workload.request_rate: this is missing",
        "objective: cheapest",
        "ttft: {p99: 200 ms}",
        f"For example: roofplan ask '{card}' --model llama-3.1-70b --rate \"10 req/s\"",
    ):
        assert part in ran.err
    assert run("ask", card, "--model", "llama-3.1-8b", "--rate", "4 req/s").code == 0
    fastest = run("ask", "fastest", "--rate", "4 req/s")
    assert "roofplan ask 'fastest within $60/h' --rate '4 req/s' --model llama-3.1-70b" in fastest.err
    based = run("ask", card, "--spec", str(spec_file()), "--json")
    assert (based.code, based.err) == (0, "")
    assert list(json.loads(based.out)["predicted"]["at_risk_s"]) == ["slo.ttft.p99", "slo.tpot.p99"]


def test_an_impossible_question_ends_with_3(run: Run) -> None:
    ran = run("ask", "llama-3.1-8b at 5 req/s on one H100, mean tpot 5 ms, bf16")
    assert ran.code == 3
    assert "No design meets this specification" in ran.out


def test_the_specification_alone_is_printed_or_kept(run: Run, tmp_path: Path) -> None:
    kept = tmp_path / "kept.yaml"
    ran = run("ask", SMALL, "--spec-only", "-o", str(kept))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == kept.read_text(encoding="utf-8")
    spec = read_spec(kept, known_names(load()))
    assert (spec.model, spec.inventory.providers) == ("llama-3.1-8b", ("lambda", "runpod"))
    answer = json.loads(run("ask", SMALL + " in blue", "--spec-only", "--json").out)
    assert list(answer) == ["schema_version", "spec", "assumed", "not_used", "not_understood"]
    assert answer["spec"]["model"] == "llama-3.1-8b"
    assert answer["not_understood"] == ["blue"]


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("", ["not understood", "For example: roofplan ask"]),
        ("What is the capital of France?", ["not understood: 0 % of its words, not: capital, france"]),
        ("cheapest design for llama-3.1-70b", ["workload.request_rate: this is missing", '--rate "10 req/s"']),
        ("llama-3.1-70b or llama-3.1-8b at 10 req/s", ["2 models in one question", "llama-3.1-70b, llama-3.1-8b"]),
        ("llama-3.1-9b at 10 req/s", ["question:1:1: model", "unknown model", "did you mean: llama-3.1-8b"]),
        ("llama-3.1-70b at 10 req/s, tp=3", ["layout.tp", "64 heads and 8 KV heads", "did you mean: 2 or 4"]),
        ("llama-3.1-70b at 0 req/s", ["workload.request_rate", "must be positive", "read: 0 req/s"]),
        ("llama-3.1-70b at -5 req/s", ["workload.request_rate", "must be positive", "read: -5 req/s"]),
        ("llama-3.1-70b at 10 req/s, itl 20 ms", ["slo.itl", "did you mean: tpot"]),
        ("llama-3.1-70b at 10 req/s within $60", ["budget", "did you mean: $60/h"]),
        ("llama-3.1-70b at 10 req/s, p50 2 s, p99 1 s", ["p50 is greater than p99", "The specification:"]),
        ("llama-3.1-70b at 10 req/s on 8xH1000", ["unknown accelerator", "h100-sxm-80gb"]),
        ("why is llama-3.1-70b at 10 req/s so slow", ["not a question for `ask`", "roofplan predict"]),
        ("how much VRAM for llama-3.1-70b", ["not a question for `ask`", "roofplan inverse"]),
        ("1P1D of deepseek-r1 at 10 req/s", ["not a question for `ask`", "pools: any"]),
        ("self-hosted llama-3.1-70b or an API, 10 req/s", ["dollars per million tokens", "price to beat"]),
        ("train llama-3.1-8b on 8xH100", ["kind: training"]),
    ],
)
def test_what_cannot_be_answered_ends_with_2_and_the_fix(run: Run, question: str, said: list[str]) -> None:
    ran = run("ask", question)
    assert (ran.code, ran.out) == (2, "")
    for part in said:
        assert part in ran.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--model", "llama-3.1-9b"), "did you mean: llama-3.1-8b"),
        (("--rate", "10"), "did you mean: 10 req/s"),
        (("--spec", "missing.yaml"), "missing.yaml: cannot be read"),
        (("-o", "no/such/folder.yaml", "--spec-only"), "cannot be written"),
        (("-o", "no/such/folder.yaml"), "cannot be written"),  # before it is solved and printed
        (("--model", f"./{'x' * 300}"), "cannot be read: File name too long"),
    ],
)
def test_bad_options_end_with_2(run: Run, options: tuple[str, ...], said: str) -> None:
    ran = run("ask", SMALL, *options)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_a_wrong_base_keeps_its_own_places(run: Run, spec_file: SpecFile) -> None:
    path = spec_file("4 req/s", "0 req/s")
    ran = run("ask", SMALL, "--spec", str(path))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"{path}:5:17: workload.request_rate")


def test_what_a_base_brings_is_brought(run: Run, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(EXAMPLES)
    base = tmp_path / "examples" / "custom_part.yaml"
    question = ("ask", "ttft p99 400 ms on h120", "--spec", str(base))
    found = json.loads(run(*question, "--json").out)
    assert found["design"]["pools"][0]["accelerator"] == "h120-144gb"
    ran = run(*question, "-o", str(tmp_path / "elsewhere.yaml"))
    assert (ran.code, ran.out) == (2, "")
    assert "inventory.custom_accelerators" in ran.err
    model = str(EXAMPLES / "custom_model" / "config.json")
    answer = json.loads(run("ask", "1 req/s with its full context", "--model", model, "--spec-only", "--json").out)
    assert answer["spec"]["model"] == model
    assert answer["spec"]["workload"]["prompt_tokens"] == "129183 tokens"


def test_what_is_refused_leaves_the_kept_file_as_it_was(run: Run, tmp_path: Path) -> None:
    kept = tmp_path / "kept.yaml"
    kept.write_text("mine", encoding="utf-8")
    assert run("ask", "llama-3.1-8b at 4 req/s, tp=3", "-o", str(kept)).code == 2
    assert kept.read_text(encoding="utf-8") == "mine"


WORDS = st.sampled_from(
    ["llama-3.1-8b", "llama", "at", "4 req/s", "0 req/s", "8xH100", "p99", "200 ms", "$60/h", "$", "tp=3", "why",
     "128k", "context", "cheapest", "fastest", "5 users", "not", "itl", "×", "\n", "%", "{", "'", "#"]
)  # fmt: skip


@settings(max_examples=100)
@given(st.text(max_size=60) | st.lists(WORDS, max_size=8).map(" ".join))
def test_any_text_ends_with_a_code_of_ours(question: str) -> None:
    done = CliRunner().invoke(app, ["ask", "--spec-only", "--", question])
    assert done.exit_code in (0, 2), done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
