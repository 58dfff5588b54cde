"""The pages of `roofplan mechanisms` in a small and in a large batch; ROOFPLAN_UPDATE_GOLDEN=1 writes them anew."""

import os
import re
from datetime import date
from pathlib import Path

import pytest

from catalog.read import load
from optimizer.additions import read_question
from optimizer.answers import Answer
from optimizer.deliver.console import report_console
from optimizer.deliver.mechanisms_page import render_mechanisms
from optimizer.mechanisms import Drafts, mechanisms_of
from optimizer.outcome import MechanismsOut
from optimizer.report import outcome_of
from optimizer.report.mechanisms_part import with_mechanisms
from optimizer.solve import answer

EXAMPLES = Path(__file__).parents[2] / "examples"
README = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
DRAFTS = Drafts(4, 0.6, 0.1)
OPTIONS = "--acceptance 0.6 --draft-cost 0.1"


def asked(name: str) -> tuple[MechanismsOut, str]:
    spec, snapshot = read_question(EXAMPLES / f"{name}.yaml", load())
    found = answer(spec, snapshot)
    assert isinstance(found, Answer)
    outcome = outcome_of(spec, found, snapshot, date(2026, 11, 24))
    outcome = with_mechanisms(outcome, found, mechanisms_of(spec, found, snapshot, DRAFTS))
    assert outcome.mechanisms is not None
    assert outcome.design is not None
    assert outcome.cost is not None
    command = f"roofplan mechanisms examples/{name}.yaml {OPTIONS}"
    console = report_console()
    with console.capture() as capture:
        console.print(render_mechanisms(outcome.mechanisms, outcome.design, outcome.cost, command))
    return outcome.mechanisms, capture.get()


@pytest.mark.parametrize("name", ["chat_70b", "large_batch", "deepseek_v3"])
def test_example_prints_its_page(name: str) -> None:
    _, page = asked(name)
    golden = EXAMPLES / f"{name}_mechanisms.txt"
    if os.environ.get("ROOFPLAN_UPDATE_GOLDEN"):
        golden.write_text(page, encoding="utf-8")
    assert page == golden.read_text(encoding="utf-8")
    lines = page.splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 100


def test_the_readme_says_where_drafts_gain_and_where_they_are_a_null_move() -> None:
    told = re.search(
        r"(\S+) times as fast with (\d+) sequences in a step.*?a null move\s+\((\S+) times\) with (\d+)",
        README,
        re.DOTALL,
    )
    assert told is not None
    said = told.groups()
    found = []
    for name in ("chat_70b", "large_batch"):
        speculation = asked(name)[0].speculation
        assert speculation.running.speed_up is not None
        found += [f"{speculation.running.speed_up:.2f}", f"{speculation.running.sequences:.0f}"]
        assert speculation.null_move == (name == "large_batch")
    assert list(said) == found
