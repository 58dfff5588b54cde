"""The page of the README's question "why is it slower?"; ROOFPLAN_UPDATE_GOLDEN=1 writes it anew."""

import os
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from optimizer.cli.app import app

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "examples" / "why_slower.txt"


def test_the_readme_s_question_prints_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^\$ roofplan (predict --command .*)$", readme, flags=re.MULTILINE)
    done = CliRunner().invoke(app, shlex.split(command))
    assert done.exit_code == 0, done.output
    if os.environ.get("ROOFPLAN_UPDATE_GOLDEN"):
        GOLDEN.write_text(done.output, encoding="utf-8")
    assert done.output == GOLDEN.read_text(encoding="utf-8")
    assert max(map(len, done.output.splitlines())) <= 100
