import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran

Run = Callable[..., Ran]
SpecFile = Callable[..., Path]
DRAFTS = ("--acceptance", "0.6", "--draft-cost", "0.1")
MECHANISMS = ["chunked_prefill", "prefix_cache", "fp8_kv", "dp_attention", "speculative_decoding"]


def test_the_page_is_short_and_plain(run: Run, spec_file: SpecFile) -> None:
    ran = run("mechanisms", str(spec_file()), "--drafted", "3", *DRAFTS)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].startswith("Mechanisms of ")
    assert len(lines) <= 30
    assert max(map(len, lines[:-1])) <= 100  # the last line holds a path of this machine
    assert [line == line.rstrip() for line in lines] == [True] * len(lines)
    assert sum(" ◄ design" in line for line in lines) == len(MECHANISMS)
    assert lines[-1] == f"Next      roofplan mechanisms {spec_file()} --drafted 3 {' '.join(DRAFTS)} --json"


def test_without_an_acceptance_the_page_says_what_is_needed(run: Run, spec_file: SpecFile) -> None:
    ran = run("mechanisms", str(spec_file()))
    assert (ran.code, ran.err) == (0, "")
    assert "accepted, to be no slower" in ran.out
    assert ran.out.splitlines()[-1] == f"Next      roofplan mechanisms {spec_file()} --json"


def test_json_is_the_answer_of_solve_with_mechanisms(run: Run, spec_file: SpecFile) -> None:
    solved = json.loads(run("solve", str(spec_file()), "--json", "--no-simulate").out)
    answers = [json.loads(run("mechanisms", str(spec_file()), "--json", *DRAFTS).out) for _ in range(2)]
    found = answers[0]["mechanisms"]
    assert solved["mechanisms"] is None
    assert list(answers[0]) == list(solved)
    for answer in (*answers, solved):
        del answer["timing"]
    assert answers[0] == answers[1]
    assert answers[0] | {"mechanisms": None} == solved

    assert [each["mechanism"] for each in found["choices"]] == MECHANISMS
    carried = solved["predicted"]["highest_rate_per_s"]
    for choice in found["choices"]:
        side = choice["on" if choice["in_use"] else "off"]
        assert side["figures"]["highest_rate_per_s"] == pytest.approx(carried, rel=1e-4)
        for percentile, predicted in (("ttft_p99_s", "ttft_s"), ("tpot_p99_s", "tpot_s")):
            assert side["figures"][percentile] == pytest.approx(solved["predicted"][predicted]["p99"], rel=1e-3)
        assert choice["reason"]
    speculation = found["speculation"]
    assert (speculation["drafted"], speculation["acceptance"], speculation["draft_cost"]) == (4, 0.6, 0.1)


def test_a_large_batch_is_said_to_be_a_null_move(run: Run) -> None:
    example = Path(__file__).parents[2] / "examples" / "large_batch.yaml"
    ran = run("mechanisms", str(example), "--json", *DRAFTS)
    speculation = json.loads(ran.out)["mechanisms"]["speculation"]
    assert (ran.code, speculation["null_move"]) == (0, True)
    assert speculation["running"]["speed_up"] < 1.0 < speculation["curve"][0]["speed_up"]
    assert speculation["null_from"] <= speculation["running"]["sequences"]
    assert "a null move: with " in run("mechanisms", str(example), *DRAFTS).out


def test_an_infeasible_spec_ends_with_3_as_solve_does(run: Run, spec_file: SpecFile) -> None:
    path = str(spec_file("  tpot: {p99: 40 ms}", "  tpot: {p99: 1 ms}"))
    ran = run("mechanisms", path)
    assert ran.code == 3
    assert ran.out == run("solve", path).out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--drafted", "0"], "--drafted"),
        (["--drafted", "33"], "--drafted"),
        (["--acceptance", "1.1", "--draft-cost", "0"], "--acceptance"),
        (["--acceptance", "nan", "--draft-cost", "0"], "--acceptance"),
        (["--acceptance", "0.8", "--draft-cost", "-0.1"], "--draft-cost"),
        (["--acceptance", "0.8", "--draft-cost", "nan"], "--draft-cost"),
        (["--acceptance", "0.8"], "--draft-cost"),
        (["--draft-cost", "0.1"], "--acceptance"),
        (["--batch", "3"], "--batch"),
    ],
)
def test_illegal_drafts_end_with_2(run: Run, spec_file: SpecFile, options: list[str], said: str) -> None:
    ran = run("mechanisms", str(spec_file()), *options)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_a_job_is_refused(run: Run, spec_file: SpecFile) -> None:
    job = spec_file("  request_rate: 4 req/s", "  offline: {requests: 1000, window: 1 h}").read_text(encoding="utf-8")
    path = spec_file()
    path.write_text(job.replace("slo:\n  ttft: {p99: 400 ms}\n  tpot: {p99: 40 ms}\n", ""), encoding="utf-8")
    ran = run("mechanisms", str(path))
    assert (ran.code, ran.out) == (2, "")
    assert "workload.offline" in ran.err


@pytest.mark.parametrize("objective", ["fastest", "most_requests"])
def test_within_a_budget_nothing_is_solved_again(run: Run, spec_file: SpecFile, objective: str) -> None:
    path = spec_file("model: llama", f"objective: {objective}\nbudget: {{usd_per_hour: $8/h}}\nmodel: llama")
    ran = run("mechanisms", str(path), "--json", *DRAFTS)
    assert (ran.code, ran.err) == (0, "")
    assert [each["resolved"] for each in json.loads(ran.out)["mechanisms"]["choices"]] == [None] * len(MECHANISMS)
