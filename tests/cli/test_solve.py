import json
from collections.abc import Callable
from pathlib import Path

import pytest

import optimizer.report
import optimizer.solve
from optimizer.errors import VerificationError
from optimizer.outcome import Outcome, Status
from optimizer.search.integer_program import SolveResult, SolveStatus
from optimizer.search.solver_process import SolverProcess
from optimizer.traffic.simulate import Estimate
from tests.cli.conftest import Ran

Run = Callable[..., Ran]
SpecFile = Callable[..., Path]

ROOT = Path(__file__).parents[2]


def without_timing(text: str) -> dict[str, object]:
    answer = json.loads(text)
    assert answer.pop("timing")["seconds"] > 0
    assert isinstance(answer, dict)
    return answer


def test_an_answer_ends_with_0_and_a_report_of_one_page(run: Run, spec_file: SpecFile) -> None:
    ran = run("solve", str(spec_file()))
    assert ran.code == 0
    assert ran.err == ""
    lines = ran.out.splitlines()
    assert lines[0].endswith("proved cheapest")
    assert len(lines) <= 30
    assert max(map(len, lines[:-1])) <= 100  # the last line holds a path of this machine
    assert "\x1b" not in ran.out
    assert lines[-1] == f"Next      roofplan solve {spec_file()} --json"


def test_the_design_is_verified_unless_that_is_skipped(run: Run, spec_file: SpecFile) -> None:
    path = str(spec_file())
    verified, laws = (json.loads(run("solve", path, "--json", *more).out) for more in ((), ("--no-simulate",)))
    assert verified["objective"]["verified_by"] == "simulation"
    assert verified["objective"]["analytic_bound"] == laws["objective"]["value"] <= verified["objective"]["value"]
    section = verified["verification"]
    assert section["seeds"] == [1, 2, 3]
    assert section["rounds"] <= len(section["refusals"]) + 1
    for limit in section["limits"]:
        assert limit["verdict"] == "holds"
        assert limit["interval_s"][1] <= limit["limit_s"]
    assert (laws["objective"]["verified_by"], laws["verification"]) == ("none", None)
    report, bare = run("solve", path).out, run("solve", path, "--no-simulate").out
    assert "by simulation" in report
    assert "not simulated" not in report
    assert "not simulated" in bare


def test_what_simulation_refuses_ends_with_4_and_says_so(
    run: Run, spec_file: SpecFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No design is accepted: the optimum of the laws is printed, as refused."""
    monkeypatch.setattr("optimizer.verification.rounds.MOST_REFUSALS", 4)
    monkeypatch.setattr("optimizer.verification.judge.estimate", lambda *_: Estimate(9.0, 9.0, 9.0))
    ran = run("solve", str(spec_file()), "--json")
    answer = json.loads(ran.out)
    assert ran.code == 4
    assert (answer["status"], answer["proved"]) == ("unknown", False)
    assert answer["objective"]["verified_by"] == "none"
    assert answer["verification"]["limits"] is None
    assert len(answer["verification"]["refusals"]) >= 4
    assert answer["warnings"][0].startswith("simulation refuses this design")
    report = run("solve", str(spec_file()))
    assert report.code == 4
    assert report.out.splitlines()[0].endswith("refused by simulation")
    assert "Warning   simulation refuses this design" in report.out


def test_json_is_one_proved_object_and_the_same_every_time(run: Run, spec_file: SpecFile) -> None:
    first, second = (run("solve", str(spec_file()), "--json") for _ in range(2))
    assert (first.code, first.err) == (0, "")
    answer = without_timing(first.out)
    assert answer == without_timing(second.out)
    assert answer["status"] == "optimal"
    assert answer["proved"] is True


def test_an_infeasible_spec_ends_with_3_and_the_same_keys(run: Run, spec_file: SpecFile) -> None:
    found = json.loads(run("solve", str(spec_file()), "--json").out)
    path = str(spec_file("  providers: [lambda, runpod]\n", "  max_accelerators: 1\n  accelerators: [A100]\n"))
    Path(path).write_text(Path(path).read_text().replace("4 req/s", "40000 req/s"), encoding="utf-8")
    refused = run("solve", path, "--json")
    assert refused.code == 3
    answer = json.loads(refused.out)
    assert answer["status"] == "infeasible"
    assert answer["proved"] is True
    assert list(answer) == list(found)
    report = run("solve", path)
    assert report.code == 3
    assert report.out.startswith("No design meets this specification")


def test_a_window_below_the_longest_request_ends_with_3_and_the_floor(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    job = (
        "kind: serving\nmodel: llama-3.1-8b\nworkload:\n  offline: {requests: 9, window: 300 ms}\n"
        "  prompt_tokens: 512 tokens\n  output_tokens: 200 tokens\ninventory: {providers: [lambda]}\n"
    )
    path.write_text(job, encoding="utf-8")
    ran = run("solve", str(path), "--json")
    assert ran.code == 3
    answer = json.loads(ran.out)
    assert answer["floor"]["requirement"] == "workload.offline.window"
    assert answer["floor"]["least"] > answer["floor"]["limit"] == 0.3
    assert answer["floor"]["explanation"].startswith("on however many replicas, the job takes")
    assert answer["objective"]["metric"] == "usd"
    report = run("solve", str(path))
    assert (report.code, "workload.offline.window above" in report.out) == (3, True)
    enough = answer["floor"]["least"] * 2
    path.write_text(job.replace("300 ms", f"{enough:.3f} s"), encoding="utf-8")
    assert run("solve", str(path)).code == 0


def test_the_inverse_of_a_job_is_refused(run: Run) -> None:
    ran = run("inverse", str(Path(__file__).parents[2] / "examples" / "offline_batch.yaml"))
    assert ran.code == 2
    assert "workload.offline" in ran.err
    assert "request_rate" in ran.err


@pytest.mark.parametrize(
    ("key", "least"),
    [
        ("inventory: {providers: [lambda], max_accelerators: 1}", "inventory.max_accelerators: "),
        ("budget: {usd_per_hour: $3/h}", "budget.usd_per_hour: $"),
        ("budget: {usd_per_million_output_tokens: $0.01/M tokens}", "usd_per_million_output_tokens: $"),
    ],
)
def test_a_cap_below_what_a_job_needs_names_the_least(run: Run, tmp_path: Path, key: str, least: str) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(
        "kind: serving\nmodel: llama-3.1-8b\nworkload:\n  offline: {requests: 1 M, window: 1 h}\n"
        f"  prompt_tokens: 512 tokens\n  output_tokens: 200 tokens\n{key}\n",
        encoding="utf-8",
    )
    ran = run("solve", str(path))
    assert ran.code == 3
    assert least in ran.out


def test_steps_of_which_no_run_tells_are_said_to_have_an_assumed_interval(run: Run, spec_file: SpecFile) -> None:
    formats = "  accelerators: [b200-sxm-180gb]\nformats: {weights: [nvfp4]}\n"
    unknown = spec_file("  providers: [lambda, runpod]\n", formats)
    warnings = json.loads(run("solve", str(unknown), "--no-simulate", "--json").out)["warnings"]
    assert any(each.startswith("no run of vllm with nvfp4 weights was measured") for each in warnings), warnings
    known = spec_file("  providers: [lambda, runpod]\n", f"{formats}engines: [trtllm]\n")
    warnings = json.loads(run("solve", str(known), "--no-simulate", "--json").out)["warnings"]
    assert not any("no run of" in each for each in warnings), warnings


def test_spot_for_traffic_warns_that_interruptions_are_not_counted(run: Run, spec_file: SpecFile) -> None:
    spec = str(spec_file("  providers: [lambda, runpod]\n", "  providers: [gcp]\n  tiers: [spot]\n"))
    ran = run("solve", spec, "--json")
    assert ran.code == 0
    assert json.loads(ran.out)["warnings"][0].startswith("spot: interruptions are not in the percentiles")


@pytest.mark.parametrize("status", [Status.FEASIBLE, Status.UNKNOWN])
def test_a_stop_before_a_proof_ends_with_4(
    run: Run, spec_file: SpecFile, monkeypatch: pytest.MonkeyPatch, status: Status
) -> None:
    whole = optimizer.report.outcome_of

    def unproved(*arguments: object) -> Outcome:
        return whole(*arguments).model_copy(update={"status": status, "proved": False})  # type: ignore[arg-type]  # whatever the command passed on

    monkeypatch.setattr(optimizer.report, "outcome_of", unproved)
    ran = run("solve", str(spec_file()))
    assert ran.code == 4
    assert "not proved" in ran.out.splitlines()[0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("llama-3.1-8b", "llama-3.1-9b", ["small.yaml:3:8", "model", "llama-3.1-9b", "did you mean"]),
        ("model:", "modle:", ["small.yaml:3:1", "modle", "model"]),
        ("400 ms", "400", ["small.yaml:9:15", "slo.ttft.p99", "400", "did you mean: 400 ms"]),
        ("400 ms", "400 GB", ["small.yaml:9:15", "slo.ttft.p99", "400 GB"]),
        ("4 req/s", "0 req/s", ["small.yaml:5:17", "workload.request_rate", "0 req/s"]),
        ("4 req/s", "-4 req/s", ["small.yaml:5:17", "workload.request_rate", "-4 req/s"]),
        ("512 tokens", "{p50: 512 tokens, p99: 100 tokens}", ["small.yaml:6", "prompt_tokens", "p50"]),
        ("[lambda, runpod]", "[lambada]", ["small.yaml:12", "inventory.providers", "lambada", "did you mean: lambda"]),
        ("  providers: [lambda, runpod]", "  {}", ["small.yaml:11", "inventory"]),
        ("name: small chat", "kind: serving", ["small.yaml:2:1", "kind"]),
        ("name: small chat", "name: [", ["small.yaml", "not valid YAML"]),
        ("small chat", "&a [*a]", ["small.yaml:2"]),
        ("providers: [lambda, runpod]", "accelerators: [H1000]", ["small.yaml:12", "inventory.accelerators", "H1000"]),
    ],
)
def test_bad_input_ends_with_2_and_says_what_to_change(
    run: Run, spec_file: SpecFile, old: str, new: str, said: list[str]
) -> None:
    ran = run("solve", str(spec_file(old, new)), "--json")
    assert ran.code == 2
    assert ran.out == ""
    assert "Traceback" not in ran.err
    for part in said:
        assert part in ran.err


def test_a_pin_that_no_layout_meets_is_bad_input_with_the_nearest(run: Run, spec_file: SpecFile) -> None:
    path = spec_file("inventory:", "layout: {tp: 3}\ninventory:")
    ran = run("solve", str(path), "--json")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"{path}: layout.tp: ")
    assert "did you mean: 2 or 4" in ran.err


def test_an_inventory_that_leaves_no_offer_is_bad_input_of_that_file(run: Run, spec_file: SpecFile) -> None:
    path = spec_file("providers: [lambda, runpod]", "providers: [lambda]\n  regions: [us-east-1]")
    ran = run("solve", str(path))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"{path}: ")
    assert "inventory" in ran.err


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_an_unreadable_path_is_bad_input(run: Run, tmp_path: Path, name: str) -> None:
    ran = run("solve", str(tmp_path / name))
    assert (ran.code, ran.out) == (2, "")
    assert "cannot be read" in ran.err


def test_a_file_of_50_mb_is_refused(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    ran = run("solve", str(path))
    assert (ran.code, ran.out) == (2, "")
    assert "larger than 1 MB" in ran.err


def test_a_bug_is_not_caught_as_bad_input(run: Run, spec_file: SpecFile, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise VerificationError("the design does not pass")

    monkeypatch.setattr(optimizer.solve, "answer", broken)
    with pytest.raises(VerificationError, match="does not pass"):
        run("solve", str(spec_file()))


def test_an_interrupt_ends_with_130(run: Run, spec_file: SpecFile, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(optimizer.solve, "answer", interrupted)
    ran = run("solve", str(spec_file()))
    assert (ran.code, ran.out) == (130, "")


def test_alternatives_say_what_they_cost_do_and_hit(run: Run, spec_file: SpecFile) -> None:
    ran = run("solve", str(spec_file()), "--alternatives", "4", "--json")
    assert ran.code == 0
    answer = json.loads(ran.out)
    others = answer["alternatives"]
    assert len(others) == 4
    costs = [answer["cost"]["usd_per_hour"], *(each["usd_per_hour"] for each in others)]
    assert costs == sorted(costs)
    for each in others:
        assert each["value"] == each["usd_per_hour"]
        assert each["why_not"]
        assert 0 < each["tpot_p99_s"] < each["ttft_p99_s"]
        assert each["binding_wall"]
    near = answer["near_optimum"]
    assert near["count"] == len(near["designs"]) >= 1
    assert near["designs"][0]["usd_per_hour"] == costs[0]
    assert all(each["usd_per_hour"] <= 1.05 * costs[0] for each in near["designs"])
    designs = [(each["accelerator"], str(each["layout"]), str(each["formats"])) for each in others]
    assert len(set(designs)) == 4
    report = run("solve", str(spec_file()), "--alternatives", "4").out
    assert len(report.split("\nInstead ")[1].split("\n\n")[0].splitlines()) == 5
    assert "\nNear best " in report


def test_without_the_options_there_are_two_alternatives_in_short(run: Run, spec_file: SpecFile) -> None:
    answer = json.loads(run("solve", str(spec_file()), "--json").out)
    assert answer["near_optimum"] is answer["frontier"] is None
    assert len(answer["alternatives"]) == 2
    assert {each["binding_wall"] for each in answer["alternatives"]} == {None}


def test_the_frontier_holds_the_answer(run: Run, spec_file: SpecFile) -> None:
    ran = run("solve", str(spec_file()), "--frontier", "--json")
    answer = json.loads(ran.out)
    steps = answer["frontier"]["steps"]
    assert answer["frontier"]["requirement"] == "slo.ttft.p99"
    assert [step["limit_s"] for step in steps] == sorted(step["limit_s"] for step in steps)
    assert [step["usd_per_hour"] for step in steps] == sorted((step["usd_per_hour"] for step in steps), reverse=True)
    asked = [step for step in steps if step["limit_s"] <= 0.4][-1]
    assert asked["usd_per_hour"] == answer["cost"]["usd_per_hour"]
    report = run("solve", str(spec_file()), "--frontier").out
    (marked,) = [line for line in report.splitlines() if line.endswith("◄ asked")]
    assert f"${asked['usd_per_hour']:.2f}" in marked


def test_an_infeasible_spec_still_has_its_frontier(run: Run, spec_file: SpecFile) -> None:
    ran = run("solve", str(spec_file("ttft: {p99: 400 ms}", "ttft: {p99: 1 ms}")), "--frontier", "--json")
    assert ran.code == 3
    steps = json.loads(ran.out)["frontier"]["steps"]
    assert steps
    assert steps[0]["limit_s"] > 0.001


def test_the_frontier_of_another_latency(run: Run, spec_file: SpecFile) -> None:
    ran = run("solve", str(spec_file()), "--frontier-of", "e2e.p90", "--json")
    assert json.loads(ran.out)["frontier"]["requirement"] == "slo.e2e.p90"


@pytest.mark.parametrize(
    ("old", "new", "options", "said"),
    [
        ("", "", ["--frontier-of", "ttft.p42"], ["--frontier-of", "ttft.p42", "slo.tpot.p99"]),
        ("slo:\n  ttft: {p99: 400 ms}\n  tpot: {p99: 40 ms}\n", "", ["--frontier"], ["slo", "--frontier-of slo.ttft"]),
        ("name:", "objective: fastest\nbudget: {usd_per_hour: $9/h}\nname:", ["--frontier"], ["objective", "cheapest"]),
        ("", "", ["--alternatives", "0"], ["--alternatives", "1"]),
        ("", "", ["--alternatives", "51"], ["--alternatives", "50"]),
    ],
)
def test_a_choice_that_is_none_is_bad_input(
    run: Run, spec_file: SpecFile, old: str, new: str, options: list[str], said: list[str]
) -> None:
    ran = run("solve", str(spec_file(old, new)), *options)
    assert (ran.code, ran.out) == (2, "")
    for part in said:
        assert part in ran.err


@pytest.mark.parametrize(
    ("objective", "metric", "words"),
    [("fastest", "e2e_mean_s", "proved fastest within $9/h"), ("most_requests", "requests_per_s", "proved the most")],
)
def test_the_best_within_a_budget_is_proved(
    run: Run, spec_file: SpecFile, objective: str, metric: str, words: str
) -> None:
    path = str(spec_file("name:", f"objective: {objective}\nbudget: {{usd_per_hour: $9/h}}\nname:"))
    ran = run("solve", path, "--json")
    assert ran.code == 0
    answer = json.loads(ran.out)
    assert answer["objective"]["metric"] == metric
    assert answer["objective"]["value"] == answer["objective"]["bound"] > 0
    assert answer["cost"]["usd_per_hour"] <= 9
    if objective == "most_requests":
        assert answer["objective"]["value"] >= 4
        assert answer["predicted"]["output_tokens_per_s"] == pytest.approx(200 * answer["objective"]["value"])
    report = run("solve", path).out
    assert words in report.splitlines()[0]
    assert len(report.splitlines()) <= 30


def test_a_budget_that_buys_nothing_is_infeasible(run: Run, spec_file: SpecFile) -> None:
    path = str(spec_file("name:", "objective: fastest\nbudget: {usd_per_hour: $0.01/h}\nname:"))
    ran = run("solve", path, "--json")
    assert ran.code == 3
    answer = json.loads(ran.out)
    assert answer["objective"] == {
        "metric": "e2e_mean_s", "value": None, "bound": None, "analytic_bound": None, "verified_by": "none"
    }  # fmt: skip
    assert answer["floor"]["requirement"] == "budget.usd_per_hour"


def test_a_job_has_no_latency_to_move(run: Run) -> None:
    ran = run("solve", str(ROOT / "examples" / "offline_batch.yaml"), "--frontier-of", "slo.ttft.p99")
    assert ran.code == 2
    assert "workload.offline: a job has no latency" in ran.err


def test_a_risk_that_nobody_can_take_is_refused(run: Run, tmp_path: Path) -> None:
    spec = (ROOT / "examples" / "chat_70b.yaml").read_text(encoding="utf-8")
    (tmp_path / "spec.yaml").write_text(f"{spec}risk: 1e-17 %\n", encoding="utf-8")
    ran = run("solve", str(tmp_path / "spec.yaml"))
    assert ran.code == 2
    assert "risk" in ran.err


def test_a_solver_that_found_nothing_in_its_time_ends_with_4(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = SolveResult(SolveStatus.UNKNOWN, None, None, ())
    monkeypatch.setattr(SolverProcess, "solve", lambda _self, _program: stopped)
    ran = run("solve", str(ROOT / "examples" / "code_8b.yaml"), "--json")
    assert ran.code == 4
    answer = json.loads(ran.out)
    assert (answer["status"], answer["proved"]) == ("feasible", False)
    assert answer["objective"]["bound"] is None
    assert answer["design"] is not None


def test_bursts_cost_more_than_poisson_arrivals_and_the_report_says_so(run: Run, tmp_path: Path) -> None:
    text = (ROOT / "examples" / "code_bursts.yaml").read_text(encoding="utf-8")
    poisson = tmp_path / "poisson.yaml"
    poisson.write_text(text.replace("  arrivals: azure-code\n", ""), encoding="utf-8")
    smooth, bursty = (
        json.loads(run("solve", str(each), "--json").out) for each in (poisson, "examples/code_bursts.yaml")
    )
    assert bursty["cost"]["usd_per_hour"] > smooth["cost"]["usd_per_hour"]
    (why,) = (each for each in bursty["allowances"] if each["change"] == "arrivals: Poisson instead of dispersion 14.8")
    assert why["usd_per_hour"] == smooth["objective"]["analytic_bound"]
    told = f"${bursty['allowances'][0]['usd_per_hour']:.2f}/h in place of ${bursty['cost']['usd_per_hour']:.2f}/h"
    assert told in (ROOT / "README.md").read_text(encoding="utf-8")
