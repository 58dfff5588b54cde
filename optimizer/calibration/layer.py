"""The files of a calibration: results in, the layer that corrections are kept in, and reports to hand on.

Only the groups that were measured are changed in a layer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from catalog.corrections import Correction, Layer, read_layer
from optimizer.calibration.importers import BenchmarkResult
from optimizer.calibration.importers.llmd_report import report_of
from optimizer.errors import QuestionError

PATH_VARIABLE = "ROOFPLAN_CALIBRATION"
_CONFIG_VARIABLE = "XDG_CONFIG_HOME"


@dataclass(frozen=True)
class Stored:
    """How a layer changed: groups that were there before, replaced or kept."""

    replaced: int
    kept: int


def default_path(environment: Mapping[str, str], home: Path) -> Path:
    """The user's own layer: ROOFPLAN_CALIBRATION, else roofplan/calibration.json in the configuration directory."""
    stated = environment.get(PATH_VARIABLE)
    if stated:
        return Path(stated)
    config = environment.get(_CONFIG_VARIABLE)
    return (Path(config) if config else home / ".config") / "roofplan" / "calibration.json"


def read_files(paths: Sequence[Path]) -> list[tuple[Path, bytes]]:
    """The bytes of files of results; QuestionError for one that cannot be read."""
    found = []
    for path in paths:
        try:
            found.append((path, path.read_bytes()))
        except OSError as error:
            raise QuestionError(f"{path}: cannot be read: {error.strerror}") from None
    return found


def write_reports(path: Path, results: Sequence[BenchmarkResult]) -> None:
    """Write results as llm-d benchmark reports, one a line; QuestionError if the file cannot be written."""
    lines = [json.dumps(report_of(result), ensure_ascii=False) for result in results]
    try:
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    except OSError as error:
        raise QuestionError(f"{path}: cannot be written: {error.strerror}") from None


def store(path: Path, corrections: Sequence[Correction]) -> Stored:
    """Put corrections into the layer at `path`; other groups stay, and the file is replaced as a whole or not at all.

    Raises CatalogError if there is a file that is no layer, QuestionError if the layer cannot be written.
    """
    groups = {correction.group for correction in corrections}
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        old = read_layer(path).corrections if path.exists() else ()
        kept = [correction for correction in old if correction.group not in groups]
        layer = Layer(corrections=tuple(sorted([*kept, *corrections], key=lambda each: each.group)))
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(layer.model_dump_json(indent=2) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise QuestionError(f"{path}: cannot be written: {error.strerror}") from None
    return Stored(replaced=len(old) - len(kept), kept=len(kept))
