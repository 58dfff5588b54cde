"""What hardware would be just enough: the inverse roofline in the numbers of a part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.answers import Answer
from optimizer.bottleneck.inverse_roofline import least_alone, task_of
from optimizer.bottleneck.part_numbers import part_numbers, quoted_precision
from optimizer.outcome import MinimumHardware, PartNumbers

Floats = NDArray[np.float64]


def minimum_hardware(found: Answer) -> MinimumHardware:
    """The least of each number of the chosen part, the others unchanged; the rest of the answer is left empty."""
    problem, design = found.problem, found.design
    row = problem.space.keys[design.key]
    task = task_of(problem.physics, problem.question, problem.demand, design)
    numbers = part_numbers(row)
    return MinimumHardware(
        accelerator=row.accelerator.id,
        accelerators=design.accelerators,
        accelerators_per_replica=problem.space.layouts[design.key].accelerators,
        precision=quoted_precision(row).value,
        part=numbers_out(numbers),
        alone=numbers_out(numbers * least_alone(task)),
    )


def numbers_out(numbers: Floats) -> PartNumbers:
    """Numbers in the order of RESOURCES; NaN where one is not used."""
    memory, bandwidth, link, compute = numbers.tolist()
    return PartNumbers(
        memory_bytes=memory,
        memory_bandwidth_bytes_per_s=bandwidth,
        compute_flop_per_s=compute,
        link_bytes_per_s=None if np.isnan(link) else link,
    )
