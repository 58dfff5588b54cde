import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran

Run = Callable[..., Ran]
SpecFile = Callable[..., Path]

ROOT = Path(__file__).parents[2]


def test_the_page_is_short_and_plain(run: Run, spec_file: SpecFile) -> None:
    ran = run("inverse", str(spec_file()))
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].startswith("Just enough hardware")
    assert len(lines) <= 30
    assert max(map(len, lines[:-1])) <= 100  # the last line holds a path of this machine
    assert lines[-1] == f"Next      roofplan inverse {spec_file()} --json"


def test_json_is_the_answer_of_solve_with_its_hardware_in_full(run: Run, spec_file: SpecFile) -> None:
    solved = json.loads(run("solve", str(spec_file()), "--json", "--no-simulate").out)
    ran = run("inverse", str(spec_file()), "--json")
    assert (ran.code, ran.err) == (0, "")
    inverse = json.loads(ran.out)
    assert list(inverse) == list(solved)
    hardware, alone = inverse["minimum_hardware"], solved["minimum_hardware"]
    assert (alone["joint"], alone["best_count"], alone["parts"]) == ([], [], [])
    assert hardware["joint"]
    assert hardware["best_count"]
    assert hardware["parts"]
    for key in ("joint", "best_count", "parts"):
        del hardware[key], alone[key]
    assert hardware == alone
    for answer in (inverse, solved):
        del answer["minimum_hardware"], answer["timing"]
    assert inverse == solved


def test_an_infeasible_spec_ends_with_3_as_solve_does(run: Run, spec_file: SpecFile) -> None:
    path = str(spec_file("  tpot: {p99: 40 ms}", "  tpot: {p99: 1 ms}"))
    ran = run("inverse", path)
    assert ran.code == 3
    assert ran.out == run("solve", path).out
    refused = run("inverse", path, "--json")
    assert refused.code == 3
    assert json.loads(refused.out)["minimum_hardware"] is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("400 ms", "400", ["small.yaml:9:15", "slo.ttft.p99", "did you mean: 400 ms"]),
        ("providers: [lambda, runpod]", "providers: [lambda]\n  regions: [us-east-1]", ["small.yaml: ", "inventory"]),
    ],
)
def test_bad_input_ends_with_2(run: Run, spec_file: SpecFile, old: str, new: str, said: list[str]) -> None:
    ran = run("inverse", str(spec_file(old, new)), "--json")
    assert (ran.code, ran.out) == (2, "")
    assert all(part in ran.err for part in said)


def test_of_the_fastest_nothing_less_is_just_enough(run: Run) -> None:
    ran = run("inverse", str(ROOT / "examples" / "fastest_within_budget.yaml"))
    assert ran.code == 2
    assert "slo.e2e.mean" in ran.err
    assert "objective: cheapest" in ran.err
