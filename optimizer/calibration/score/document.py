"""docs/accuracy.md and its plots, from the sections of a score."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from optimizer.calibration.score.render import markdown
from optimizer.calibration.score.scatter import svg
from optimizer.calibration.score.sections import Section

TITLE = "# Accuracy"
ABOUT = """\
Written by `make score MEASURED=DIR`; do not edit. Every number is computed from the catalog and the measured files.

Errors are |ln(predicted/measured)|: 0.10 is 10 % off in either direction, 0.69 a factor of two. *median* and *p90* are
quantiles of the error over the rows, *bias* is the median of ln(predicted/measured), so a positive bias predicts too
much.

Plots show medians of at least three runs of a group that measured alike, never single runs; the solid line is equality,
the dashed ones are factors of two."""
REPRODUCE = """\
## How to reproduce

1. Put the measured files into one directory. They are not shipped: some may be used but not passed on. Each section
   is headed by the name of its file; the reader in `optimizer/calibration/` says which columns it reads and how.
2. Run `make score MEASURED=DIR`. It prints these sections, writes this file and `docs/accuracy/*.svg` anew, and exits
   with 1 if a bar is missed. The same files and catalog give the same bytes. Step times of measured kernels need the
   extra: `pip install 'roofplan[silicon]'`; without it their section is left out.
3. `python -m optimizer.calibration.fit DIR ERA` fits the constants of one engine era and prints what changes.
4. Kernels are measured by `roofplan calibrate --measure` on a machine with a GPU and PyTorch."""


def document(sections: Sequence[Section], plots: str) -> str:
    """The whole document; `plots` is the folder of the plots, relative to it."""
    missed = [section.name for section in sections if not section.met]
    bars = f"Bars are missed in: {', '.join(missed)}." if missed else "Every bar is met."
    summary = f"{ABOUT}\n\n**{bars}**"
    return "\n\n".join([TITLE, summary, *(markdown(each, plots).rstrip("\n") for each in sections), REPRODUCE]) + "\n"


def write(sections: Sequence[Section], path: Path) -> None:
    """Write the document to `path`, and each plot into a folder of the same name without its ending."""
    folder = path.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(document(sections, folder.name), encoding="utf-8", newline="\n")
    for section in sections:
        if section.plot is not None:
            (folder / f"{section.plot.name}.svg").write_text(svg(section.plot), encoding="utf-8", newline="\n")
