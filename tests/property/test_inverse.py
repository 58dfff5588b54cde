"""The inverse roofline there and back: parts with the numbers that it returns, made by hand and evaluated anew."""

from collections import Counter
from dataclasses import replace
from itertools import count

import numpy as np
from hypothesis import settings
from numpy.typing import NDArray

from catalog.parts import LinkKind, Precision
from catalog.read import Snapshot, load
from optimizer.answers import Answer
from optimizer.arithmetic.replica_rows import ReplicaRow
from optimizer.arithmetic.serving import build_replicas
from optimizer.bottleneck.inverse_roofline import joint_minima, task_of
from optimizer.evaluate import meets, prepare, tabulate
from optimizer.report.hardware_part import minimum_hardware
from optimizer.solve import answer
from requirements_specs.serving import IntegerChoice, Layout, ServingSpec
from tests.property.parts import Scaled, scaled_part
from tests.property.test_binding import few_offers, random_spec

Floats = NDArray[np.float64]

# Specifications that have an answer; of two random ones about one has.
SPECS = 100 if settings().max_examples > 200 else 12
FIRST_SEED = 1000
# Pins of tensor and pipeline parallelism, so that links are tried as often as parts that stand alone.
LAYOUTS = (
    Layout(),
    Layout(tp=IntegerChoice(values=(2, 4, 8))),
    Layout(tp=IntegerChoice(values=(1, 2)), pp=IntegerChoice(values=(2,))),
)
# In the order of the numbers of a point.
NUMBERS = (Scaled.MEMORY, Scaled.MEMORY_BANDWIDTH, Scaled.LINKS, Scaled.COMPUTE)
LESS = 0.99


def row_at(row: ReplicaRow, point: Floats, name: str) -> ReplicaRow:
    """The layout on a part with the point's multiples of its four numbers; parts are told apart by their names."""
    part = row.accelerator.model_copy(update={"id": name})
    for what, factor in zip(NUMBERS, point.tolist(), strict=True):
        part = scaled_part(part, what, factor)
    between = row.stage_bytes_per_s
    return replace(row, accelerator=part, stage_bytes_per_s=None if between is None else between * float(point[2]))


def hold(found: Answer, spec: ServingSpec, snapshot: Snapshot, points: list[Floats]) -> list[bool]:
    """Whether the design's layout meets every requirement on each part, at the rate of its working replicas."""
    design, problem = found.design, found.problem
    rows = [row_at(problem.space.keys[design.key], point, f"part {index}") for index, point in enumerate(points)]
    replicas = build_replicas(snapshot.models[spec.model], rows, snapshot)
    number = len(rows)
    physics = prepare(replicas, problem.physics.bins, problem.physics.spread.take(np.full(number, design.key)))
    budget, slots = np.full(number, float(design.token_budget)), np.full(number, 1024.0)
    candidates = tabulate(physics, np.arange(number), budget, slots)
    working = design.replicas - spec.availability.spare_replicas
    rate = spec.workload.request_rate_per_s * spec.workload.peak_factor / working
    return [bool(met) for met in meets(candidates, np.full(number, rate), problem.question)]


def quoted(row: ReplicaRow, precision: str) -> list[float]:
    """The part's numbers as the catalog quotes them, link included where the layout has one."""
    part = row.accelerator
    numbers = [part.memory_bytes, part.memory_bandwidth_bytes_per_s, 0.0, part.peak_flop_per_s[Precision(precision)]]
    if row.tp > 1:
        numbers[2] = part.link.all_to_all_bytes_per_s or 0.0
        if row.link is LinkKind.PCIE:
            numbers[2] = part.pcie_bytes_per_s
    elif row.pp > 1:
        numbers[2] = row.stage_bytes_per_s or 0.0
    return numbers


def lowered(point: Floats, number: int) -> Floats:
    """The point with a little less of one number."""
    less = point.copy()
    less[number] *= LESS
    return less


def alone_points(found: Answer) -> dict[int, Floats]:
    """By number, the part with the printed minimum of that number only; what is not used is left out."""
    hardware = minimum_hardware(found)
    alone = hardware.alone
    has = quoted(found.problem.space.keys[found.design.key], hardware.precision)
    least = (
        alone.memory_bytes,
        alone.memory_bandwidth_bytes_per_s,
        alone.link_bytes_per_s,
        alone.compute_flop_per_s,
    )
    assert (alone.link_bytes_per_s is None) == (hardware.accelerators_per_replica == 1)
    points = {}
    for number, (value, whole) in enumerate(zip(least, has, strict=True)):
        if value is not None:
            assert 0.0 < value <= whole
            points[number] = np.ones(4)
            points[number][number] = value / whole
    return points


def test_there_and_back() -> None:
    """Minima alone and joint points hold; 0.99 of a minimum, or of any one number of a joint point, does not."""
    snapshot = few_offers(load())
    tally: Counter[str] = Counter()
    for seed in count(FIRST_SEED):
        if tally["answered"] == SPECS:
            break
        spec = random_spec(seed).model_copy(update={"layout": LAYOUTS[seed % len(LAYOUTS)]})
        found = answer(spec, snapshot)
        if not isinstance(found, Answer):
            tally["infeasible"] += 1
            continue
        alone = alone_points(found)
        problem = found.problem
        task = task_of(problem.physics, problem.question, problem.demand, found.design)
        joint = [minimum.point for minimum in joint_minima(task)]
        points = [*alone.values(), *joint]
        less = [
            *(lowered(point, number) for number, point in alone.items()),
            *(lowered(point, number) for point in joint for number in alone),
        ]
        held = hold(found, spec, snapshot, points + less)
        assert all(held[: len(points)]), (seed, points, held)
        assert not any(held[len(points) :]), (seed, less, held[len(points) :])
        assert all(np.all(point <= 1.0) for point in joint)
        tally["answered"] += 1
        tally["with links"] += 2 in alone
        tally["joint points"] += len(joint)
    assert tally["with links"] >= 0.25 * SPECS, tally
    assert tally["joint points"] >= 3 * SPECS, tally
