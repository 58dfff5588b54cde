"""Every example with the report that it prints; ROOFPLAN_UPDATE_GOLDEN=1 writes them, and the README's, anew."""

import os
from datetime import date
from pathlib import Path

import pytest

from catalog.read import load
from optimizer.additions import read_question
from optimizer.answers import NOTHING_BESIDE, Beside
from optimizer.deliver.console import render, report_console
from optimizer.outcome import Outcome
from optimizer.report import outcome_of
from optimizer.solve import answer
from requirements_specs.requirement import Metric, Statistic
from requirements_specs.serving import ServingSpec

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
# Reports say how old a price is.
TODAY = date(2026, 11, 24)


def solved(example: Path, beside: Beside) -> tuple[ServingSpec, Outcome]:
    spec, snapshot = read_question(example, load())
    return spec, outcome_of(spec, answer(spec, snapshot, beside=beside, simulated=True), snapshot, TODAY)


def printed(example: Path, beside: Beside = NOTHING_BESIDE) -> str:
    spec, outcome = solved(example, beside)
    console = report_console()
    with console.capture() as capture:
        console.print(render(outcome, spec, f"examples/{example.name}"))
    return capture.get()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_prints_its_report(example: Path) -> None:
    report = printed(example)
    golden = example.with_suffix(".txt")
    if os.environ.get("ROOFPLAN_UPDATE_GOLDEN"):
        readme = README.read_text(encoding="utf-8")
        README.write_text(readme.replace(golden.read_text(encoding="utf-8"), report), encoding="utf-8")
        golden.write_text(report, encoding="utf-8")
    assert report == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_report_is_short_and_plain(example: Path) -> None:
    lines = example.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 100
    assert not any("\x1b" in line for line in lines)


def test_there_is_an_example_of_every_kind_of_answer() -> None:
    statuses = {
        path.with_suffix(".txt").read_text(encoding="utf-8").split("\n")[0].split(" · ")[-1] for path in EXAMPLES
    }
    assert statuses == {"proved cheapest", "proved fastest within $60/h", "proved infeasible", "proved smallest fleet"}


def test_the_choices_beside_the_readme_example() -> None:
    """Its alternatives and its frontier stand in the README as they are printed below the report."""
    example = ROOT / "examples" / "chat_70b.yaml"
    report = printed(example, Beside(alternatives=4, frontier=(Metric.TTFT, Statistic.P99)))
    choices = report.split("\n\nInstead ", 1)[1]
    golden = Path(__file__).parent / "chat_70b_choices.txt"
    if os.environ.get("ROOFPLAN_UPDATE_GOLDEN"):
        readme = README.read_text(encoding="utf-8")
        README.write_text(readme.replace(golden.read_text(encoding="utf-8"), f"Instead {choices}"), encoding="utf-8")
        golden.write_text(f"Instead {choices}", encoding="utf-8")
    assert f"Instead {choices}" == golden.read_text(encoding="utf-8")
    assert max(map(len, choices.splitlines())) <= 100
