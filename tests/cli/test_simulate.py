import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from optimizer.cli.progress import Progress
from tests.cli.conftest import Ran
from tests.requirements_specs.traces.writers import Request, mooncake, plain

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


DRAFTS = ("--acceptance", "0.6", "--draft-cost", "0.1")


def test_a_design_that_drafts(run: Run, spec_file: SpecFile) -> None:
    options = ("--requests", "2000", "--drafted", "3", *DRAFTS)
    ran = run("simulate", str(spec_file()), *options)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[3] == "Drafts    3 a step, 60 % accepted, 0.1 decode steps each; a step keeps 2.18 tokens"
    assert len(lines) <= 30
    assert max(map(len, lines[:-1])) <= 100
    assert lines[-1] == f"Next      roofplan simulate {spec_file()} {' '.join(options)} --json"

    drafted, plain = (
        json.loads(run("simulate", str(spec_file()), "--json", "--requests", "2000", *drafts).out)
        for drafts in (DRAFTS, ())
    )
    assert drafted["design"] == plain["design"]
    assert plain["simulation"]["drafts"] is None
    assert drafted["simulation"]["drafts"] == {
        "drafted": 4, "acceptance": 0.6, "draft_cost": 0.1, "kept_tokens": pytest.approx(2.3056)
    }  # fmt: skip
    for one, other in zip(
        *(each["simulation"]["scenarios"][0]["statistics"] for each in (drafted, plain)), strict=True
    ):
        if (one["metric"], one["statistic"]) == ("tpot", "mean"):
            assert one["predicted_s"] == pytest.approx(one["simulated_s"], rel=0.05)
            assert one["simulated_s"] < 0.8 * other["simulated_s"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--acceptance", "0.6"], "add --draft-cost, or leave out --acceptance"),
        (["--draft-cost", "0.1"], "add --acceptance, or leave out --draft-cost"),
        (["--drafted", "3"], "add --acceptance and --draft-cost, or leave out --drafted"),
        (["--drafted", "4", "--acceptance", "0.6"], "add --draft-cost, or leave out --drafted and --acceptance"),
        (["--drafted", "0", *DRAFTS], "--drafted"),
        (["--acceptance", "1.2", "--draft-cost", "0.1"], "--acceptance"),
        (["--acceptance", "0.6", "--draft-cost", "-1"], "--draft-cost"),
    ],
)
def test_drafts_that_cannot_be_simulated_end_with_2(
    run: Run, spec_file: SpecFile, options: list[str], said: str
) -> None:
    ran = run("simulate", str(spec_file()), *options)
    assert (ran.code, ran.out) == (2, "")
    assert said in " ".join(ran.err.replace("│", " ").split())


# One request a quarter of a second, in pairs, half as often in the second half.
RECORDED = [
    Request(0.5 * i if i < 400 else i - 200.0, 512, 150 + i % 100, (i % 7,)) for i in range(700) for _ in range(2)
]


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[[str], str]:
    """A recorded trace, as a table or with prefix hashes."""

    def write(form: str) -> str:
        path = tmp_path / f"requests.{form}"
        path.write_text({"csv": plain, "jsonl": mooncake}[form](RECORDED), encoding="utf-8")
        return str(path)

    return write


def test_a_trace_is_replayed_as_it_is(run: Run, spec_file: SpecFile, recorded: Callable[[str], str]) -> None:
    trace = recorded("csv")
    ran = run("simulate", str(spec_file()), "--trace", trace)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[2] == f"Traffic   replayed {trace}"
    assert lines[3].startswith("          all of it: 2.81 req/s, CV² 1.24; the design is for 4 req/s")
    assert lines[4].endswith("of 1,400 requests counted")
    assert "prefix cache" not in ran.out
    assert lines[-1] == f"Next      roofplan simulate {spec_file()} --trace {trace} --json"
    assert max(len(line) for line in lines if trace not in line) <= 100

    window = run("simulate", str(spec_file()), "--trace", trace, "--window", "2 min")
    assert "its busiest 2 min from 0 s: 4 req/s" in window.out
    assert window.out.splitlines()[-1].endswith("--window '2 min' --json")


def test_a_replay_as_json(run: Run, spec_file: SpecFile, recorded: Callable[[str], str]) -> None:
    answers = [
        json.loads(run("simulate", str(spec_file()), "--json", "--trace", recorded(form), *options).out)["simulation"]
        for form, options in (("csv", ()), ("jsonl", ("--router", "prefix_aware")))
    ]
    random = json.loads(run("simulate", str(spec_file()), "--json", "--requests", "2000").out)["simulation"]
    assert answers[0].keys() == answers[1].keys() == random.keys()
    assert random["trace"] is None
    for answer in answers:
        assert answer["seeds"] == []
        assert answer["request_rate_per_s"] == pytest.approx(2.8, rel=0.01)
        assert answer["burstiness"] == pytest.approx(1.24, abs=0.01)
        assert 1000 < answer["requests"] < 1400
        assert answer["trace"]["requests"] == answer["trace"]["window_requests"] == 1400
        assert answer["trace"]["window_start"] == "0 s"
        assert answer["trace"]["window_s"] == 499
        assert answer["trace"]["design_rate_per_s"] == 4
    assert answers[0]["trace"]["prefix_hit_ceiling"] is answers[0]["scenarios"][0]["prefix_hit"] is None
    # The seven blocks are whole prompts, whose last token is computed: they are found by nobody.
    assert answers[1]["scenarios"][0]["prefix_hit"] == 0
    assert answers[1]["router"] == "prefix_aware"


def test_a_trace_is_replayed_on_a_design_that_drafts(
    run: Run, spec_file: SpecFile, recorded: Callable[[str], str]
) -> None:
    for form in ("csv", "jsonl"):
        replayed = [
            json.loads(run("simulate", str(spec_file()), "--json", "--trace", recorded(form), *drafts).out)[
                "simulation"
            ]
            for drafts in (DRAFTS, ())
        ]
        assert [each["drafts"] is None for each in replayed] == [False, True]
        of = [
            {(each["metric"], each["statistic"]): each for each in simulation["scenarios"][0]["statistics"]}
            for simulation in replayed
        ]
        tpot, without = (each["tpot", "mean"] for each in of)
        assert tpot["predicted_s"] == pytest.approx(tpot["simulated_s"], rel=0.05)
        assert tpot["simulated_s"] < 0.8 * without["simulated_s"]


def test_a_trace_beyond_the_design_has_no_law(run: Run, spec_file: SpecFile, tmp_path: Path) -> None:
    path = tmp_path / "flood.csv"
    path.write_text(plain(Request(i / 1000, 512, 200) for i in range(5000)), encoding="utf-8")
    ran = run("simulate", str(spec_file()), "--trace", str(path))
    assert ran.code == 0
    assert "not finished in time" in ran.out
    assert ran.out.count("violated") == 2
    simulation = json.loads(run("simulate", str(spec_file()), "--trace", str(path), "--json").out)["simulation"]
    assert simulation["limits"][0]["predicted_s"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--router", "prefix_aware"], "random requests share no prefixes"),
        (["--window", "1 min"], "add --trace FILE"),
        (["--trace", "CSV", "--router", "prefix_aware"], "has no prefix hashes"),
        (["--trace", "CSV", "--seeds", "3"], "a trace states this"),
        (["--trace", "CSV", "--requests", "20000"], "a trace states this"),
        (["--trace", "CSV", "--burstiness", "1"], "a trace states this"),
        (["--trace", "CSV", "--window", "1 h"], "no window of this trace"),
        (["--trace", "CSV", "--window", "soon"], "--window"),
        (["--trace", "CSV", "--window", "100 ms"], "arrive at once"),
        (["--trace", "CSV", "--window", "10 s"], "a 99th percentile needs 100"),
        (["--trace", "missing.csv"], "missing.csv: cannot be read"),
    ],
)
def test_what_a_trace_cannot_be_asked_ends_with_2(
    run: Run, spec_file: SpecFile, recorded: Callable[[str], str], arguments: list[str], said: str
) -> None:
    trace = recorded("csv")
    ran = run("simulate", str(spec_file()), *(trace if each == "CSV" else each for each in arguments))
    assert (ran.code, ran.out) == (2, "")
    assert said in " ".join(ran.err.replace("│", " ").split())


def test_a_bad_trace_ends_with_2_and_its_line(run: Run, spec_file: SpecFile, tmp_path: Path) -> None:
    path = tmp_path / "requests.csv"
    path.write_text("time,prompt_tokens,output_tokens\n1,5,5\n0,5,5\n", encoding="utf-8")
    ran = run("simulate", str(spec_file()), "--trace", str(path))
    assert (ran.code, ran.out) == (2, "")
    assert f"{path}:3: time: the times are not in order" in ran.err


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_told_to_a_terminal_after_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optimizer.cli.progress._SILENT_S", 0.05)
    for stream, told in ((Terminal(), "simulating: run 2 of 3"), (io.StringIO(), "")):
        monkeypatch.setattr(sys, "stderr", stream)
        with Progress("simulating", 3) as progress:
            progress.step()
            progress._ended.wait(0.3)
        assert told in stream.getvalue()
        assert bool(stream.getvalue()) == bool(told)
        assert not told or stream.getvalue().endswith("\r\x1b[K")  # the line is clean again


def test_what_takes_less_than_a_second_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with Progress("simulating", 3):
        pass
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]
