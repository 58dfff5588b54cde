"""The constants of engine eras fitted anew, each model predicted by constants fitted to the others."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from catalog.read import Snapshot
from optimizer.calibration.fit import EAGER_PRIORS, PRIORS, fit_engine, log_errors, runs_of
from optimizer.calibration.score.sections import Line, Section, Table


def section(measured: Path, snapshot: Snapshot) -> Section:
    """Left-out errors of every era that published runs of two groups or more tell of; a group is a model, or a TP."""
    errors: list[Line] = []
    constants: list[Line] = []
    for engine in snapshot.engines.values():
        runs = runs_of(engine.id, measured, snapshot)
        if len(set(runs.groups)) < 2:
            continue
        before = [abs(error) for error in log_errors(runs, snapshot)]
        fit = fit_engine(engine.id, runs, snapshot)
        after = [error for of_model in fit.left_out.values() for error in of_model]
        errors.append(Line(f"{engine.id}, all", (f"{len(after)}", f"{median(before):.3f}", f"{median(after):.3f}")))
        errors += [
            Line(f"{engine.id}, {group}", (f"{len(left_out)}", "", f"{median(left_out):.3f}"))
            for group, left_out in fit.left_out.items()
        ]
        fitted = tuple(
            f"{fit.constants[name]:.3g} ({getattr(engine, name):.3g})" if name in fit.constants else "–"
            for name in (*PRIORS, *EAGER_PRIORS)
        )
        constants.append(Line(engine.id, fitted))
    return Section(
        "Engine eras, leave-one-model-out",
        f"{len(PRIORS)} constants per era, {len(PRIORS) + len(EAGER_PRIORS)} where kernels are launched one by one, "
        "fitted to its dense runs of every kind together; the error of a model is that of constants fitted to the "
        "other models, and of a TP, where one model was measured, to the other TPs",
        (
            Table("era", ("times", "catalog's constants", "left out"), tuple(errors)),
            Table("fitted (in the catalog)", (*PRIORS, *EAGER_PRIORS), tuple(constants)),
        ),
    )
