"""The closed-loop runs once more, with steps of measured kernels in place of ours; needs the extra `silicon`.

Both go through the same law of a closed loop, with the same memory and first-token times, so that what differs is the
step. Only runs that both predict are compared.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from catalog.read import Snapshot
from optimizer.additions import Additions
from optimizer.arithmetic.loads import as_predicted, closed_loop
from optimizer.arithmetic.silicon import PACKAGE, NotTabulatedError, SiliconTables, silicon_times
from optimizer.calibration.score.sections import Line, Pair, Section, Table, agreement_line, agreement_table
from optimizer.calibration.silicon import PredictionCase
from optimizer.evaluate import Closed
from optimizer.predict.cases import read_case
from optimizer.predict.evaluation import load_of_one_replica, replicas_of, shape_of
from optimizer.predict.file import PredictedRow, PredictStatus

CAUSES = (
    "Its steps are sums of kernels: they hold no time of the engine between them, of which ours have a fixed one. The "
    "first-token constants of both were fitted beside our steps.",
    "Its tables are of one version of each engine, newer than those that most runs were measured with.",
    "Our constants of kernels were fitted to the same tables, so that this shows what few constants lose of them.",
)


@dataclass(frozen=True)
class Compared:
    """One run by both sources of step times, against what was measured."""

    case: PredictionCase
    tpot: tuple[Pair, Pair]
    ttft: tuple[Pair, Pair]
    measured_share: float


def section(
    cases: Sequence[PredictionCase], rows: Sequence[PredictedRow], snapshot: Snapshot, tables: SiliconTables
) -> Section:
    """Score our predictions `rows` of `cases` beside those with steps of `tables`, on the runs that both predict."""
    compared: list[Compared] = []
    refused: Counter[str] = Counter()
    for case, row in zip(cases, rows, strict=True):
        if row.status is PredictStatus.OK:
            try:
                compared.append(_compare(case, row, snapshot, tables))
            except NotTabulatedError as reason:
                refused[str(reason)] += 1
    groups: dict[str, list[Compared]] = defaultdict(list)
    models: dict[str, list[float]] = defaultdict(list)
    for run in compared:
        groups[f"{run.case.engine} {run.case.accelerator}"].append(run)
        models[run.case.model].append(run.measured_share)
    by_group = [line for name, runs in sorted(groups.items()) for line in _tpot(name, runs)]
    return Section(
        f"Step times of {PACKAGE} {tables.version}",
        "the closed-loop runs that it can tell, with its measured kernels in place of our steps and all else the same",
        ()
        if not compared
        else (
            agreement_table("metric", (*_tpot("TPOT", compared), *_lines("TTFT", [run.ttft for run in compared]))),
            agreement_table("TPOT by engine and part", by_group),
            Table(
                "share of a decode step that its tables tell alone",
                ("median", "least", "runs"),
                tuple(
                    Line(name, (f"{median(shares):.0%}", f"{min(shares):.0%}", f"{len(shares)}"))
                    for name, shares in sorted(models.items())
                ),
            ),
        ),
        remarks=tuple(f"not compared: {count} runs: {reason}" for reason, count in refused.most_common()),
        causes=CAUSES,
    )


def _tpot(name: str, runs: Sequence[Compared]) -> tuple[Line, Line]:
    return _lines(name, [run.tpot for run in runs])


def _lines(name: str, pairs: Sequence[tuple[Pair, Pair]]) -> tuple[Line, Line]:
    return (
        agreement_line(f"{name}, ours", [ours for ours, _ in pairs]),
        agreement_line(f"{name}, measured kernels", [theirs for _, theirs in pairs]),
    )


def _compare(case: PredictionCase, row: PredictedRow, snapshot: Snapshot, tables: SiliconTables) -> Compared:
    """One run that `predict` predicted, so that it fits."""
    read = read_case(case.cells, Additions(snapshot, Path()))
    load = load_of_one_replica([read])
    if not isinstance(load, Closed):
        raise ValueError(f"run {case.case_id} is no closed loop")
    steps = silicon_times(read.model, [read.row], replicas_of([read], snapshot), tables)
    times = closed_loop(steps, shape_of([read]), load.concurrency, load.requests, as_predicted(steps), load.slots)
    return Compared(
        case,
        tpot=(
            Pair(float(row.figures["tpot_mean_s"]), case.measured_tpot_s),
            Pair(float(times.tpot_mean_s[0]), case.measured_tpot_s),
        ),
        ttft=(
            Pair(float(row.figures["ttft_mean_s"]), case.measured_ttft_s),
            Pair(float(times.ttft_mean_s[0]), case.measured_ttft_s),
        ),
        measured_share=float(steps.measured_share(times.resident, read.prompt_tokens + read.output_tokens / 2.0)[0]),
    )
