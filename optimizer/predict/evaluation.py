"""Cases put to the evaluation, all of one model and one kind of load at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.read import Snapshot
from optimizer.arithmetic.loads import LoadShape
from optimizer.arithmetic.serving import Replicas, build_replicas
from optimizer.arithmetic.silicon import NotTabulatedError, SiliconTables, silicon_times
from optimizer.confidence import corrected_rows, step_spread
from optimizer.evaluate import Closed, Load, Offline, Open, evaluate, evaluate_means
from optimizer.predict.cases import Case, Clients, Rate

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Figures:
    """Predictions of R deployments, (R,) each; a metric that a load does not define is None."""

    ttft_mean_s: Floats
    ttft_p50_s: Floats | None
    ttft_p99_s: Floats | None
    tpot_mean_s: Floats
    tpot_p99_s: Floats
    e2e_mean_s: Floats
    output_tokens_per_s: Floats
    output_tokens_per_s_per_accelerator: Floats
    memory_bytes_per_accelerator: Floats


@dataclass(frozen=True)
class Prediction:
    """Figures, and whether each deployment fits and stays below its capacity."""

    figures: Figures
    fits: NDArray[np.bool_]
    steady: NDArray[np.bool_]


def evaluate_cases(
    cases: Sequence[Case], snapshot: Snapshot, deviations: float, tables: SiliconTables | None = None
) -> Prediction:
    """Predict cases of one model and one kind of load in a scenario of the step time's error.

    With `tables`, steps are those of their measured kernels; memory and all else stay as they are.

    Raises:
        NotTabulatedError: the tables do not tell a case.

    """
    replicas = replicas_of(cases, snapshot)
    spread = step_spread(cases[0].model, [case.row for case in cases], replicas.estimates, snapshot)
    shape, load = shape_of(cases), load_of_one_replica(cases)
    if tables is None:
        found = evaluate(replicas, shape, load, spread, deviations)
    elif isinstance(load, Open):
        raise NotTabulatedError(
            "arrivals at a rate ask for steps of every size, which tables of measured kernels do not tell; state "
            "concurrency, or neither for the largest throughput"
        )
    else:
        steps = silicon_times(cases[0].model, [case.row for case in cases], replicas, tables)
        found = evaluate_means(steps, shape, load, spread, deviations)
    output = found.output_tokens_per_s * _column(cases, lambda case: case.replicas)
    cached = (
        found.resident
        * (shape.prompt_tokens + shape.output_tokens / 2.0)
        * replicas.kv_bytes_per_token
        / replicas.accelerators
    )
    figures = Figures(
        ttft_mean_s=found.ttft_mean_s,
        ttft_p50_s=found.ttft_p50_s,
        ttft_p99_s=found.ttft_p99_s,
        tpot_mean_s=found.tpot_mean_s,
        tpot_p99_s=found.tpot_p99_s,
        e2e_mean_s=found.e2e_mean_s,
        output_tokens_per_s=output,
        output_tokens_per_s_per_accelerator=output / _column(cases, lambda case: case.accelerators),
        memory_bytes_per_accelerator=replicas.memory.weights + replicas.memory.overhead + cached,
    )
    return Prediction(figures, found.fits, found.steady)


def replicas_of(cases: Sequence[Case], snapshot: Snapshot) -> Replicas:
    """One replica of each case, as the user measured it where there is a correction; the cases are of one model."""
    model = cases[0].model
    return build_replicas(model, corrected_rows(model, [case.row for case in cases], snapshot), snapshot)


def shape_of(cases: Sequence[Case]) -> LoadShape:
    """Lengths of the requests of each case."""
    return LoadShape(
        _column(cases, lambda case: case.prompt_tokens),
        _column(cases, lambda case: case.output_tokens),
        _column(cases, lambda case: case.prefix_hit),
    )


def load_of_one_replica(cases: Sequence[Case]) -> Load:
    """The load of the deployment shared evenly by its replicas."""
    loads = [(case.load, case.replicas) for case in cases]
    match cases[0].load:
        case Clients():
            return Closed(
                np.array([load.concurrency / count for load, count in loads if isinstance(load, Clients)]),
                np.array([load.requests / count for load, count in loads if isinstance(load, Clients)]),
                _column(cases, lambda case: case.slots),
            )
        case Rate():
            counts = np.array([float(count) for _, count in loads])
            rates = np.array([load.per_s for load, _ in loads if isinstance(load, Rate)])
            return Open(rates / counts, 1.0 / counts)  # a router takes the replicas in turn
        case _:
            return Offline()


def _column(cases: Sequence[Case], value: Callable[[Case], float]) -> Floats:
    """One number per case, (R,)."""
    return np.array([value(case) for case in cases], dtype=np.float64)
