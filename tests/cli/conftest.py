from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.main import get_command

from optimizer.cli import app


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(
    shared_solver: None,  # noqa: ARG001 (in force while commands run)
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Ran]:
    """Run `roofplan` with arguments, in this process."""
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)

    def command(*arguments: str) -> Ran:
        with pytest.raises(SystemExit) as end:
            get_command(app)(list(arguments), prog_name="roofplan")
        printed = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return Ran(end.value.code, printed.out, printed.err)

    return command


SMALL = """\
kind: serving
name: small chat
model: llama-3.1-8b
workload:
  request_rate: 4 req/s
  prompt_tokens: 512 tokens
  output_tokens: 200 tokens
slo:
  ttft: {p99: 400 ms}
  tpot: {p99: 40 ms}
inventory:
  providers: [lambda, runpod]
"""


@pytest.fixture
def spec_file(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write the small specification with one text replaced by another; solving it is quick."""

    def write(old: str = "", new: str = "") -> Path:
        assert old in SMALL
        path = tmp_path / "small.yaml"
        path.write_text(SMALL.replace(old, new) if old else SMALL, encoding="utf-8")
        return path

    return write
