"""`roofplan`, and `python -m optimizer`: the command line, with CP-SAT getting ready beside it from the start."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext

SOLVING = ("solve", "ask", "inverse", "simulate", "mechanisms")


def main() -> None:
    """Run the command of this process."""
    # Our arrays are too small to share: threads of the linear algebra library would start and wait for nothing.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from optimizer.search.solver_process import solver_made_ready

    with solver_made_ready() if _solves(sys.argv[1:]) else nullcontext():
        from optimizer.cli import main as command_line

        command_line()


def _solves(arguments: list[str]) -> bool:
    """Whether these are the arguments of a command that asks CP-SAT."""
    return len(arguments) > 1 and arguments[0] in SOLVING and "--help" not in arguments


if __name__ == "__main__":
    main()
