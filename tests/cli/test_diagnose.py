import json
from collections.abc import Callable
from pathlib import Path

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


def test_an_overload_has_a_page_too(run: Run) -> None:
    ran = run(*COMMAND, "--rate", "1000")
    assert (ran.code, ran.err) == (0, "")
    assert "overload: no latency is steady" in ran.out
    assert "none of the 10 arrangements of these accelerators in these formats carries this load" in ran.out


def test_two_runs_print_the_same_bytes(run: Run) -> None:
    assert run(*COMMAND, *LOAD, "--json").out == run(*COMMAND, *LOAD, "--json").out


def test_formats_of_the_change_are_the_command_s_unless_any_is_asked(run: Run) -> None:
    own, every = (json.loads(run(*COMMAND, *LOAD, "--formats", scope, "--json").out) for scope in ("own", "any"))
    assert own["best_change"]["formats"]["weights"] == "fp8"
    assert every["arrangements"] > own["arrangements"]
    assert every["best_change"]["output_tokens_per_s"] >= own["best_change"]["output_tokens_per_s"]


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
        (("predict", "cases.csv", "-o", "out.csv", "--formats", "any"), "--formats"),
        ((*COMMAND, "--formats", "all"), "'own', 'any'"),
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
        (("predict", "--command", f"vllm serve {'x' * 300}", "--on", "8xH100"), "unknown model"),
        (("predict", "--command", "vllm serve nothing-like-it", "--on", "8xH100"), "unknown model"),
        ((*COMMAND, "--command", "vllm serve llama-3.1-70b"), "a prefill pool and a decode pool"),
    ],
)
def test_bad_input_is_said_plainly(run: Run, arguments: tuple[str, ...], message: str) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in " ".join(ran.err.split())
    assert "Traceback" not in ran.err


BENCH = Path(__file__).parents[2] / "examples" / "vllm_bench.jsonl"
MEASURED = ("predict", "--on", "1xH100", "--measured")


def first_run(tmp_path: Path, **changes: object) -> Path:
    """A file with one run of the example, some of its values changed."""
    values = json.loads(BENCH.read_text(encoding="utf-8").splitlines()[0])
    path = tmp_path / "result.json"
    path.write_text(json.dumps({**values, **changes}), encoding="utf-8")
    return path


def test_a_benchmark_result_states_the_load_and_is_compared(run: Run, tmp_path: Path) -> None:
    answer = json.loads(
        run(
            *MEASURED, str(first_run(tmp_path)), "--command", "vllm serve meta-llama/Llama-3.1-8B-Instruct", "--json"
        ).out
    )
    assert answer["load"] == {"prompt_tokens": 512, "output_tokens": 256, "concurrency": 1, "request_rate": None}
    assert [each["metric"] for each in answer["measured"]] == ["tpot_s", "ttft_s", "output_tokens_per_s"]
    assert answer["measured"][0]["measured"] == pytest.approx(9.45e-3)
    assert answer["measured"][0]["verdict"] == "inside"


def test_of_several_runs_the_load_names_one(run: Run) -> None:
    command = ("--command", "vllm serve llama-3.1-8b")
    ran = run(*MEASURED, str(BENCH), *command)
    assert (ran.code, ran.out) == (2, "")
    assert "12 of its 12 runs are of this load; it has concurrency 1, " in ran.err


@pytest.mark.parametrize(
    ("changes", "arguments", "message"),
    [
        ({"failed": 5}, (), "requests failed"),
        ({"mean_ttft_ms": -3.0}, (), "positive"),
        ({"model_id": "Qwen/Qwen2.5-7B-Instruct"}, (), "qwen2.5-7b was measured, the command serves llama-3.1-8b"),
        ({}, ("--measured-tpot", "3 ms"), "the file of --measured says this"),
        ({}, ("--concurrency", "7"), "0 of its 1 runs"),
    ],
)
def test_a_result_that_cannot_be_compared(
    run: Run, tmp_path: Path, changes: dict[str, object], arguments: tuple[str, ...], message: str
) -> None:
    path = first_run(tmp_path, **changes)
    ran = run(*MEASURED, str(path), "--command", "vllm serve llama-3.1-8b", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in " ".join(ran.err.split())


def test_a_calibration_is_applied(run: Run, tmp_path: Path) -> None:
    layer = tmp_path / "layer.json"
    assert (
        run("calibrate", str(BENCH), "--gpu", "h100-sxm", "--tp", "1", "--engine", "vllm", "-o", str(layer)).code == 0
    )
    command = ("predict", "--command", "vllm serve llama-3.1-8b", "--on", "1xH100", "--concurrency", "8", "--json")
    plain, corrected = (json.loads(run(*command, *more).out) for more in ((), ("--calibration", str(layer))))
    assert corrected["figures"]["tpot_s"]["value"] != plain["figures"]["tpot_s"]["value"]
    total = sum(term["seconds"] for term in corrected["terms"]["tpot_s"])
    assert total == pytest.approx(corrected["figures"]["tpot_s"]["value"], rel=1e-9)
