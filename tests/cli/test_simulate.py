import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran

Run = Callable[..., Ran]
SpecFile = Callable[..., Path]


def test_the_page_shows_the_law_the_simulation_and_the_limits(run: Run, spec_file: SpecFile) -> None:
    ran = run("simulate", str(spec_file()), "--requests", "2000")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].startswith("Simulated ")
    assert len(lines) <= 30
    assert max(map(len, lines[:-1])) <= 100  # the last line holds a path of this machine
    assert [line == line.rstrip() for line in lines] == [True] * len(lines)
    for metric in ("ttft", "tpot", "e2e"):
        assert sum(f"{metric} law" in line for line in lines) == 2
        assert sum(f"{metric} simulated" in line for line in lines) == 2
    assert sum(line.split()[-1] in ("holds", "undecided", "violated") for line in lines if line) == 2
    assert lines[-1] == f"Next      roofplan simulate {spec_file()} --requests 2000 --json"


def test_what_comes_next_simulates_the_same_runs(run: Run, spec_file: SpecFile) -> None:
    options = "--seeds 4 --requests 2000 --router least_loaded --burstiness 2.5"
    ran = run("simulate", str(spec_file()), *options.split())
    assert ran.out.splitlines()[-1] == f"Next      roofplan simulate {spec_file()} {options} --json"


def test_json_is_the_answer_of_solve_with_a_simulation(run: Run, spec_file: SpecFile) -> None:
    solved = json.loads(run("solve", str(spec_file()), "--json", "--no-simulate").out)
    asked = ("simulate", str(spec_file()), "--json", "--requests", "2000", "--seeds", "4", "--burstiness", "2")
    answers = []
    for _ in range(2):
        ran = run(*asked, "--router", "least_loaded")
        assert (ran.code, ran.err) == (0, "")
        answers.append(json.loads(ran.out))
    simulation = answers[0]["simulation"]
    assert solved["simulation"] is None
    assert list(answers[0]) == list(solved)
    for answer in (*answers, solved):
        del answer["timing"]
    assert answers[0] == answers[1]
    assert answers[0] | {"simulation": None} == solved

    assert simulation["seeds"] == [1, 2, 3, 4]
    assert (simulation["requests"], simulation["router"], simulation["burstiness"]) == (2000, "least_loaded", 2.0)
    assert [scenario["risk"] for scenario in simulation["scenarios"]] == [0.5, 0.1]
    for scenario in simulation["scenarios"]:
        assert len(scenario["statistics"]) == 15
        for each in scenario["statistics"]:
            assert each["interval_s"][0] <= each["simulated_s"] <= each["interval_s"][1]
    assert [limit["requirement"] for limit in simulation["limits"]] == ["slo.ttft.p99", "slo.tpot.p99"]


def test_the_point_prediction_is_simulated_once(run: Run, spec_file: SpecFile) -> None:
    path = str(spec_file("name: small chat", "name: small chat\nrisk: 0.5"))
    simulation = json.loads(run("simulate", path, "--json", "--requests", "2000").out)["simulation"]
    assert [scenario["risk"] for scenario in simulation["scenarios"]] == [0.5]


def test_an_infeasible_spec_ends_with_3_as_solve_does(run: Run, spec_file: SpecFile) -> None:
    path = str(spec_file("  tpot: {p99: 40 ms}", "  tpot: {p99: 1 ms}"))
    ran = run("simulate", path)
    assert ran.code == 3
    assert ran.out == run("solve", path).out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seeds", "2"], "--seeds"),
        (["--requests", "100"], "--requests"),
        (["--requests", "10000001"], "--requests"),
        (["--burstiness", "0.5"], "--burstiness"),
        (["--router", "random"], "round_robin"),
    ],
)
def test_options_out_of_range_end_with_2(run: Run, spec_file: SpecFile, arguments: list[str], said: str) -> None:
    ran = run("simulate", str(spec_file()), *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_a_job_is_refused(run: Run, spec_file: SpecFile) -> None:
    job = spec_file("  request_rate: 4 req/s", "  offline: {requests: 1000, window: 1 h}").read_text(encoding="utf-8")
    path = spec_file()
    path.write_text(job.replace("slo:\n  ttft: {p99: 400 ms}\n  tpot: {p99: 40 ms}\n", ""), encoding="utf-8")
    ran = run("simulate", str(path))
    assert (ran.code, ran.out) == (2, "")
    assert "workload.offline" in ran.err


def test_answers_of_one_token_have_no_further_ones(run: Run, spec_file: SpecFile) -> None:
    ran = run("simulate", str(spec_file("output_tokens: 200 tokens", "output_tokens: 1 tokens")), "--requests", "2000")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.count("holds") == 2
