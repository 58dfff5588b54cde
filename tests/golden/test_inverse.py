"""The page of `roofplan inverse` for the README's example; ROOFPLAN_UPDATE_GOLDEN=1 writes it anew."""

import os
from datetime import date
from pathlib import Path

from catalog.read import load
from optimizer.answers import Answer
from optimizer.deliver.console import report_console
from optimizer.deliver.inverse_page import render_inverse
from optimizer.inverse import invert
from optimizer.names import known_names
from optimizer.outcome import MinimumHardware
from optimizer.report import outcome_of
from optimizer.report.inverse_part import with_inverse
from optimizer.solve import answer
from requirements_specs.read import read_spec

EXAMPLE = Path(__file__).parents[2] / "examples" / "chat_70b.yaml"
README = EXAMPLE.parents[1] / "README.md"
GOLDEN = EXAMPLE.with_name("chat_70b_inverse.txt")


def hardware_and_page() -> tuple[MinimumHardware, str]:
    snapshot = load()
    spec = read_spec(EXAMPLE, known_names(snapshot))
    found = answer(spec, snapshot)
    assert isinstance(found, Answer)
    outcome = outcome_of(spec, found, snapshot, date(2026, 11, 24))
    outcome = with_inverse(outcome, found, invert(spec, found, snapshot))
    assert outcome.minimum_hardware is not None
    assert outcome.design is not None
    assert outcome.cost is not None
    page = render_inverse(outcome.minimum_hardware, outcome.design, outcome.cost, f"examples/{EXAMPLE.name}")
    console = report_console()
    with console.capture() as capture:
        console.print(page)
    return outcome.minimum_hardware, capture.get()


def test_example_prints_its_page() -> None:
    hardware, page = hardware_and_page()
    if os.environ.get("ROOFPLAN_UPDATE_GOLDEN"):
        GOLDEN.write_text(page, encoding="utf-8")
    assert page == GOLDEN.read_text(encoding="utf-8")
    lines = page.splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 100
    single = hardware.best_count[0]
    assert single.accelerators == 1
    times = single.needs.compute_flop_per_s / hardware.part.compute_flop_per_s
    assert f"one accelerator would do if it were {times:.1f} times as fast" in README.read_text(encoding="utf-8")
