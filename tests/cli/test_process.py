"""What only a process of its own shows: what is imported, how a pipe that closes and a bug end, what help costs."""

import os
import resource
import subprocess
import sys

import pytest

from optimizer.cli.exits import TRACEBACK_VARIABLE, ExitCode, report_bug
from optimizer.version import VERSION

HEAVY = ("numpy", "pydantic", "ortools", "networkx", "pandas", "yaml", "rich")
HELP_CPU_SECONDS = 0.35


def test_importing_the_command_line_is_light() -> None:
    code = f"import sys, optimizer.cli; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_module_runs_and_knows_its_version() -> None:
    done = subprocess.run([sys.executable, "-m", "optimizer", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"roofplan {VERSION}\n"


def test_a_reader_that_leaves_ends_the_command_quietly() -> None:
    command = [sys.executable, "-m", "optimizer", "catalog", "list", "offers", "--json"]
    # An unbuffered text stream does not notice that a write was cut short.
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=buffered) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "{\n"
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == ExitCode.READER_LEFT


def test_a_bug_ends_with_1_and_two_lines() -> None:
    code = "import sys; sys.argv = ['roofplan', 'catalog', 'check']; import catalog.read; catalog.read.load = None; "
    code += "from optimizer.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.BUG
    assert done.stdout == ""
    first, second = done.stderr.splitlines()
    assert first.startswith("roofplan: this is a bug: TypeError: ")
    assert TRACEBACK_VARIABLE in second


def test_a_traceback_is_printed_on_demand(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(TRACEBACK_VARIABLE, "1")
    try:
        raise ValueError("somewhere")
    except ValueError as error:
        report_bug(ValueError, error, error.__traceback__)
    assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.bench
def test_help_is_cheap() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "optimizer", "--help"], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"roofplan --help: {seconds:.3f} s CPU, at most {HELP_CPU_SECONDS}")
    assert seconds <= HELP_CPU_SECONDS
