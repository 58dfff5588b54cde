"""Every command and every printed report in the README and docs is what the program does."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from optimizer.cli.app import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
# What the README says that these end with.
EXIT_CODES = {
    "roofplan solve examples/infeasible_tpot.yaml --json": 3,
    'roofplan ask "give me the cheapest design meeting 200ms p99"': 2,
}


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[str]:
    return [line[2:] for block in blocks(text, "console") for line in block.splitlines() if line.startswith("$ ")]


@pytest.mark.usefixtures("shared_solver")
@pytest.mark.parametrize("command", [line for line in commands(README) if line.startswith("roofplan ")])
def test_command_runs(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    done = CliRunner().invoke(app, shlex.split(command)[1:])
    assert done.exit_code == EXIT_CODES.get(command, 0), done.output


@pytest.mark.parametrize("command", [line for line in commands(README) if line.startswith("make ")])
def test_make_target_exists(command: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{command.split()[1]}:", makefile, flags=re.MULTILINE)


def test_every_console_line_is_tested() -> None:
    known = ("roofplan ", "make ")
    assert all(line.startswith(known) for page in PAGES for line in commands(page.read_text(encoding="utf-8")))
    assert len(commands(README)) >= 8


def test_printed_specification_and_report_are_those_of_the_example() -> None:
    assert blocks(README, "yaml") == [(ROOT / "examples" / "chat_70b.yaml").read_text(encoding="utf-8")]
    report = (ROOT / "examples" / "chat_70b.txt").read_text(encoding="utf-8")
    choices = (ROOT / "tests" / "golden" / "chat_70b_choices.txt").read_text(encoding="utf-8")
    assert blocks(README, "text") == [report, choices]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_every_command_is_in_the_table() -> None:
    group = typer.main.get_command(app)
    names = set(getattr(group, "commands", {}))
    assert names == set(
        re.findall(r"^\| `(\w+)", README.split("| command | question |")[1].split("\n\n")[0], re.MULTILINE)
    )
