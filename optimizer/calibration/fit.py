"""Fit the constants of one engine era to published runs: `python -m optimizer.calibration.fit MEASURED ERA`.

Four numbers per era (kernel scale, time per step, per sequence, per layer), never one per model; two more where kernels
are launched one by one (launches per layer, and how much slower older hosts are), and one where products take a
time per row. The fit minimises

    Σ_runs ρ(ln(predicted/measured)) + Σ_constants (ln(constant/prior)/width)²

with ρ the soft absolute value. Its error is printed leave-one-model-out: each model is predicted by constants fitted to
the others. Steps that were timed apart are of one model, and are left out by their tensor parallelism.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from catalog.engines import Engine, engine_of
from catalog.parts import Accelerator, Evidence, LinkKind
from catalog.read import Snapshot, load
from optimizer.calibration import argonne, silicon, splitwise, tensorrt_llm
from optimizer.calibration.silicon import PredictionCase
from optimizer.calibration.splitwise import StepCase, predict_steps
from optimizer.calibration.throughput import ThroughputCase, predict_throughput
from optimizer.predict.file import PredictStatus, predict_rows

Floats = NDArray[np.float64]
Priors = Mapping[str, tuple[float, float]]
Run = PredictionCase | ThroughputCase | StepCase

# Priors of the constants, and how far from them a fit goes: a standard deviation of the logarithm.
PRIORS: Priors = {"kernel_scale": (1.0, 0.1), "step_s": (1e-3, 0.7), "sequence_s": (10e-6, 0.7), "layer_s": (5e-6, 1.0)}
# Only of engines without CUDA graphs.
EAGER_PRIORS: Priors = {"eager_layer_s": (3e-4, 0.5), "older_host_factor": (1.3, 0.3)}
# Only of engines whose products have a time per row: 100 TFLOP/s.
PRODUCT_PRIORS: Priors = {"product_flop_s": (1e-14, 1.0)}
ALL_PRIORS: Priors = {**PRIORS, **EAGER_PRIORS, **PRODUCT_PRIORS}
# Errors beyond this count by their size, not its square: noise of releases and mislabelled rows.
SOFT_ERROR = 0.1
ROUNDS = 8
# Of a step that does not lower the objective; a step that still does not is none.
HALVINGS = 8
SLOPE_STEP = 0.05


@dataclass(frozen=True)
class Runs:
    """Measured runs of one era: closed loops by their TPOT, steps by their times, the others by output tokens/s."""

    closed: tuple[PredictionCase, ...] = ()
    throughput: tuple[ThroughputCase, ...] = ()
    steps: tuple[StepCase, ...] = ()

    def __iter__(self) -> Iterator[Run]:
        """The run of every measured time, in the order of `log_errors`; a step has two times."""
        yield from self.closed
        yield from self.throughput
        for step in self.steps:
            yield from (step, step)

    @property
    def groups(self) -> tuple[str, ...]:
        """With what every measured time is left out."""
        return tuple(_group(run) for run in self)

    def only(self, group: str) -> Runs:
        """The runs of one group."""
        return self.where(lambda run: _group(run) == group)

    def without(self, group: str) -> Runs:
        """The runs of every other group."""
        return self.where(lambda run: _group(run) != group)

    def where(self, kept: Callable[[Run], bool]) -> Runs:
        """The runs that are kept."""
        return Runs(
            tuple(filter(kept, self.closed)), tuple(filter(kept, self.throughput)), tuple(filter(kept, self.steps))
        )


def _group(run: Run) -> str:
    return f"TP{run.tp}" if isinstance(run, StepCase) else run.cells["model"]


@dataclass(frozen=True)
class LeftOut:
    """A run that was left out of a fit with its group, and ln(predicted/measured) of its time."""

    run: Run
    group: str
    log_error: float

    @property
    def part(self) -> str:
        """Its accelerator."""
        return self.run.cells["accelerator"]


@dataclass(frozen=True)
class EngineFit:
    """Fitted constants, and the error of every time that was left out with its group."""

    constants: dict[str, float]
    left_out: tuple[LeftOut, ...]

    def errors(self, name: Callable[[LeftOut], str]) -> dict[str, list[float]]:
        """|ln(predicted/measured)| of what was left out, by name."""
        found: dict[str, list[float]] = {}
        for each in self.left_out:
            found.setdefault(name(each), []).append(abs(each.log_error))
        return found


def runs_of(era: str, measured: Path, snapshot: Snapshot) -> Runs:
    """The published runs of an engine era that tell of the engine.

    Experts and collectives over PCIe have constants of their own, whose errors the engine's must not make good. Parts
    whose kernels are estimated are left out, too, unless the era ran on no other.
    """
    published = published_runs(measured, snapshot)
    runs = published.where(lambda run: era_of(run, snapshot) == era and _tells(run.cells, snapshot))
    of_known_kernels = runs.where(lambda run: _part(run, snapshot).evidence is not Evidence.ESTIMATED)
    return of_known_kernels if of_known_kernels.groups else runs


def published_runs(measured: Path, snapshot: Snapshot) -> Runs:
    """Every run of the published files."""
    throughput = (
        *tensorrt_llm.read_overview(measured, snapshot),
        *argonne.read_static_batches(measured, snapshot),
    )
    return Runs(silicon.read_silicon(measured), throughput, splitwise.read_profile(measured))


def era_of(run: Run, snapshot: Snapshot) -> str:
    """The engine era that a run belongs to."""
    return engine_of(snapshot.engines, run.cells["engine"], run.cells.get("engine_version", "")).id


def _part(run: Run, snapshot: Snapshot) -> Accelerator:
    return snapshot.accelerators[run.cells["accelerator"]]


def _tells(cells: Mapping[str, str], snapshot: Snapshot) -> bool:
    part = snapshot.accelerators[cells["accelerator"]]
    over_pcie = int(cells["tp"]) > 1 and part.link.kind in (LinkKind.PCIE, LinkKind.NVLINK_BRIDGE, LinkKind.NONE)
    dense = not snapshot.models[cells["model"]].experts
    return dense and not over_pcie


def fit_engine(era: str, runs: Runs, snapshot: Snapshot) -> EngineFit:
    """Fit the era's constants to all runs, and to all but each group's; nothing of the catalog's own steers a fit."""
    left_out: list[LeftOut] = []
    groups = sorted(set(runs.groups))
    for group in groups if len(groups) > 1 else ():
        constants = _fitted(era, runs.without(group), snapshot)
        own = runs.only(group)
        errors = run_errors(own, with_engine(snapshot, era, constants))
        left_out += [LeftOut(run, group, error) for run, error in zip(own, errors, strict=True) if error is not None]
    return EngineFit(_fitted(era, runs, snapshot), tuple(left_out))


def _fitted(era: str, runs: Runs, snapshot: Snapshot) -> dict[str, float]:
    """Constants that minimise the objective.

    Predictions are linearised in the logarithms of the constants, first around the priors, then around the last fit;
    ROUNDS of that settle it. A step is halved until the objective itself falls, for whole ones overshoot where
    constants are far from their priors.
    """
    priors = priors_of(snapshot.engines[era])

    def errors_at(logs: Floats) -> Floats:
        """(R,); 0 for a run that is not predicted, which no constant of an engine changes."""
        errors = run_errors(runs, with_engine(snapshot, era, _constants(logs, priors)))
        return np.nan_to_num(np.array(errors, dtype=np.float64), nan=0.0)

    logs = np.log([prior for prior, _ in priors.values()])
    errors = errors_at(logs)
    for _ in range(ROUNDS):
        moved = [errors_at(each) for each in logs + SLOPE_STEP * np.eye(len(logs))]
        slopes = (np.column_stack(moved) - errors[:, None]) / SLOPE_STEP
        present = _objective(errors, logs, priors)
        step = _minimum(errors, slopes, logs, priors) - logs
        for _ in range(HALVINGS):
            found = errors_at(logs + step)
            if _objective(found, logs + step, priors) < present:
                break
            step = step / 2.0
        else:
            break
        logs, errors = logs + step, found
    return _constants(logs, priors)


def priors_of(engine: Engine) -> Priors:
    """The constants of an engine that are fitted: prior and width of each."""
    eager = EAGER_PRIORS if engine.eager_layer_s > 0.0 else {}
    products = PRODUCT_PRIORS if engine.product_flop_s > 0.0 else {}
    return {**PRIORS, **eager, **products}


def with_engine(snapshot: Snapshot, era: str, constants: dict[str, float]) -> Snapshot:
    """The snapshot with other constants of one engine."""
    engine: Engine = snapshot.engines[era].model_copy(update=constants)
    return snapshot.model_copy(update={"engines": {**snapshot.engines, era: engine}})


def log_errors(runs: Runs, snapshot: Snapshot) -> list[float]:
    """ln(predicted/measured) time of every run that can be predicted."""
    return [error for error in run_errors(runs, snapshot) if error is not None]


def run_errors(runs: Runs, snapshot: Snapshot) -> list[float | None]:
    """As `log_errors`, None for a time that cannot be predicted."""
    errors: list[float | None] = []
    for case, row in zip(runs.closed, predict_rows([case.cells for case in runs.closed], snapshot), strict=True):
        predicted = row.status is PredictStatus.OK
        errors.append(log(float(row.figures["tpot_mean_s"]) / case.measured_tpot_s) if predicted else None)
    for run, found in zip(runs.throughput, predict_throughput(runs.throughput, snapshot), strict=True):
        rate = found.tokens_per_s
        errors.append(None if rate is None else log(run.measured_tokens_per_s / rate))
    for step, times in zip(runs.steps, predict_steps(runs.steps, snapshot), strict=True):
        if times is None:
            errors += [None, None]
        else:
            errors.append(log(times.prefill_s / step.measured_prefill_s))
            errors.append(log(times.decode_s / step.measured_decode_s))
    return errors


def _minimum(errors: Floats, slopes: Floats, around: Floats, priors: Priors) -> Floats:
    """Logarithms of the constants that minimise the objective of the linearised predictions."""
    from scipy.optimize import least_squares  # a development dependency

    found: Floats = least_squares(lambda logs: _residuals(errors + slopes @ (logs - around), logs, priors), around).x
    return found


def _objective(errors: Floats, logs: Floats, priors: Priors) -> float:
    return float((_residuals(errors, logs, priors) ** 2).sum())


def _residuals(errors: Floats, logs: Floats, priors: Priors) -> Floats:
    """What the objective sums the squares of, (R + constants,)."""
    expected = np.log([prior for prior, _ in priors.values()])
    widths = np.array([width for _, width in priors.values()])
    size = errors / SOFT_ERROR
    # squared, this is the soft absolute value 2(√(1 + z²) − 1)
    soft = np.sqrt(2.0 * (np.sqrt(1.0 + size**2) - 1.0))
    return np.concatenate([soft, (logs - expected) / widths])


def _constants(logs: Floats, priors: Priors) -> dict[str, float]:
    return {name: float(np.exp(value)) for name, value in zip(priors, logs, strict=True)}


def main(arguments: Sequence[str]) -> int:
    """Print the constants of an era and the error of the runs that were left out."""
    measured, era = arguments
    snapshot = load()
    runs = runs_of(era, Path(measured), snapshot)
    if not runs.groups:
        print(f"no published run is of {era}", file=sys.stderr)
        return 2
    before = [abs(error) for error in log_errors(runs, snapshot)]
    fit = fit_engine(era, runs, snapshot)
    print(
        f"{era}: {len(runs.closed)} closed loops, {len(runs.throughput)} batches, {len(runs.steps)} steps; "
        f"{len(fit.constants)} constants"
    )
    for name, value in fit.constants.items():
        print(f"  {name:13s} {value:.4g}")
    after = [abs(each.log_error) for each in fit.left_out]
    print(f"  median |ln(predicted/measured)|: {median(before):.3f} before, {median(after):.3f} left out")
    for group, errors in fit.errors(lambda each: each.group).items():
        print(f"  {group:18s} {median(errors):.3f}  {len(errors)} times")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
