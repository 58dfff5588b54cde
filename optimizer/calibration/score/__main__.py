"""`make score`: predictions against measurements.

    python -m optimizer.calibration.score [MEASURED] [--write docs/accuracy.md]

Kernels are scored against measurements of our own, which are shipped. MEASURED is a directory with the published
files of whole systems, which are not ours to ship; without it the command says what it skipped, as it does without the
extra `silicon`, whose measured kernels it compares our steps with. Exits 1 if a bar is missed.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from catalog.read import Snapshot, load
from optimizer.arithmetic.silicon import load_tables
from optimizer.calibration import argonne, splitwise, tensorrt_llm
from optimizer.calibration.score import (
    calibration,
    closed_loops,
    constants,
    decisions,
    document,
    engines,
    intervals,
    kernels,
    prefill_decode,
    silicon,
    throughput,
)
from optimizer.calibration.score.render import text
from optimizer.calibration.score.sections import Section
from optimizer.calibration.silicon import FILE_NAME, PredictionCase, read_silicon
from optimizer.errors import QuestionError
from optimizer.predict.file import PredictedRow, predict_rows

# Sections whose files may be missing.
_OPTIONAL: tuple[tuple[str, Callable[[Path, Snapshot], Section]], ...] = (
    (tensorrt_llm.FILE_NAME, throughput.offline),
    (argonne.FILE_NAME, throughput.static_batches),
    (splitwise.FILE_NAME, prefill_decode.section),
)


def main(arguments: Sequence[str]) -> int:
    """Print the score; the exit code says whether every bar was met."""
    parser = ArgumentParser(prog="python -m optimizer.calibration.score", description="Score predictions.")
    parser.add_argument("measured", nargs="?", default="", help="directory with the published files")
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="also write the score as a document with plots")
    asked = parser.parse_args(arguments)
    if asked.write is not None and not asked.measured:
        parser.error("--write needs the directory MEASURED, for the document is of all sections")
    snapshot = load()
    if not asked.measured:
        print(text(kernels.section(snapshot)), end="")
        print(f"skipped: {FILE_NAME} is not shipped; give its directory, as in `make score MEASURED=DIR`")
        return 0
    measured = Path(asked.measured)
    if not (measured / FILE_NAME).is_file():
        print(f"{measured / FILE_NAME}: no such file", file=sys.stderr)
        return 2
    sections = []
    for section in _sections(measured, snapshot, fitted=asked.write is not None):
        print(text(section), end="", flush=True)
        sections.append(section)
    if asked.write is not None:
        document.write(sections, asked.write)
    return 0 if all(section.met for section in sections) else 1


def _sections(measured: Path, snapshot: Snapshot, fitted: bool) -> Iterator[Section]:
    """Every section that the files allow; the fits, which take longest and need SciPy, only if asked."""
    yield constants.section(snapshot)
    yield kernels.section(snapshot)
    runs = read_silicon(measured)
    rows = predict_rows([run.cells for run in runs], snapshot)
    yield closed_loops.section(runs, rows, snapshot)
    yield from _measured_kernels(runs, rows, snapshot)
    yield decisions.section(runs, rows, snapshot)
    for file_name, section in _OPTIONAL:
        if (measured / file_name).is_file():
            yield section(measured, snapshot)
        else:
            print(f"skipped: {file_name} is not in {measured}")
    yield calibration.section(runs, snapshot)
    if fitted:
        yield intervals.section(measured, snapshot)
        yield engines.section(measured, snapshot)


def _measured_kernels(
    runs: Sequence[PredictionCase], rows: Sequence[PredictedRow], snapshot: Snapshot
) -> Iterator[Section]:
    """The comparison with measured kernels, if their package is installed."""
    try:
        tables = load_tables()
    except QuestionError as missing:
        print(f"skipped: {missing}")
    else:
        yield silicon.section(runs, rows, snapshot, tables)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
