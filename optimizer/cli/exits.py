"""How a command ends: exit codes, and messages on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from types import TracebackType

import typer

TRACEBACK_VARIABLE = "ROOFPLAN_TRACEBACK"


class ExitCode(IntEnum):
    """What the exit code of a command means."""

    ANSWERED = 0
    BUG = 1
    BAD_INPUT = 2
    INFEASIBLE = 3
    UNPROVED = 4
    INTERRUPTED = 130
    READER_LEFT = 141


@contextmanager
def exit_codes() -> Iterator[None]:
    """Bad input ends with its message on standard error and `BAD_INPUT`; whatever else is raised is a bug.

    An interrupt, and a reader of our output that leaves before the end, end a command quietly.
    """
    from catalog.errors import CatalogError
    from optimizer.errors import QuestionError
    from requirements_specs.errors import RequirementsError

    try:
        yield
    except (CatalogError, QuestionError, RequirementsError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(ExitCode.BAD_INPUT) from None
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    except BrokenPipeError:
        # What is left in the buffer goes nowhere, so that the flush at the end of the process is as quiet as we are.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(ExitCode.READER_LEFT) from None


def report_bug(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Print two lines in place of a traceback; as `sys.excepthook` it leaves Python's exit code, `BUG`."""
    if os.environ.get(TRACEBACK_VARIABLE):
        sys.__excepthook__(kind, error, traceback)
        return
    sys.stderr.write(
        f"roofplan: this is a bug: {kind.__name__}: {error}\n"
        f"Please report it with the command and its input; {TRACEBACK_VARIABLE}=1 prints where it happened.\n"
    )
