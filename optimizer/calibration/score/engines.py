"""The constants of engine eras fitted anew, each model predicted by constants fitted to the others."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from catalog.read import Snapshot
from optimizer.calibration.fit import ALL_PRIORS, EAGER_PRIORS, PRIORS, PRODUCT_PRIORS, fit_engine, log_errors, runs_of
from optimizer.calibration.score.sections import Line, Section, Table


def section(measured: Path, snapshot: Snapshot) -> Section:
    """Left-out errors of every era that published runs of two groups or more tell of; a group is a model, or a TP.

    They are also told by part, where an era ran on several.
    """
    errors: list[Line] = []
    constants: list[Line] = []
    for engine in snapshot.engines.values():
        runs = runs_of(engine.id, measured, snapshot)
        if len(set(runs.groups)) < 2:
            continue
        before = [abs(error) for error in log_errors(runs, snapshot)]
        fit = fit_engine(engine.id, runs, snapshot)
        after = [abs(each.log_error) for each in fit.left_out]
        parts = sorted(fit.errors(lambda each: each.part).items())
        named = [*fit.errors(lambda each: each.group).items(), *(parts if len(parts) > 1 else ())]
        errors.append(Line(f"{engine.id}, all", (f"{len(after)}", f"{median(before):.3f}", f"{median(after):.3f}")))
        errors += [
            Line(f"{engine.id}, {name}", (f"{len(left_out)}", "", f"{median(left_out):.3f}"))
            for name, left_out in named
        ]
        fitted = tuple(
            f"{fit.constants[name]:.3g} ({getattr(engine, name):.3g})" if name in fit.constants else "–"
            for name in ALL_PRIORS
        )
        constants.append(Line(engine.id, fitted))
    return Section(
        "Engine eras, leave-one-model-out",
        f"{len(PRIORS)} constants per era, {len(EAGER_PRIORS)} more where kernels are launched one by one and "
        f"{len(PRODUCT_PRIORS)} where products take a time per row, fitted to its dense runs of every kind together; "
        "the error of a model is that of constants fitted to the other models, of a TP, where one model was measured, "
        "to the other TPs, and of a part the same of its runs",
        (
            Table("era", ("times", "catalog's constants", "left out"), tuple(errors)),
            Table("fitted (in the catalog)", tuple(ALL_PRIORS), tuple(constants)),
        ),
    )
