"""The inverse roofline in full: joint points, minima per count, and every other part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.answers import Answer
from optimizer.arithmetic.money import MICRO_DOLLARS, usd_per_hour
from optimizer.bottleneck.best_count import CountMinimum
from optimizer.bottleneck.hypothetical import RESOURCES
from optimizer.bottleneck.part_numbers import part_numbers
from optimizer.inverse import Inverse, Rental, Rival
from optimizer.outcome import CountOut, JointPoint, Lack, Outcome, Rented, RivalOut
from optimizer.report.design_part import formats_of, layout_of
from optimizer.report.hardware_part import numbers_out
from optimizer.topology.layouts import CandidateSpace

Floats = NDArray[np.float64]

NOT_ENOUGH = "no number of its machines meets every requirement"


def with_inverse(outcome: Outcome, found: Answer, inverse: Inverse) -> Outcome:
    """The outcome with joint points, the minima per count, and every other part."""
    if outcome.minimum_hardware is None:
        return outcome
    space = found.problem.space
    needs = np.stack([minimum.point for minimum in inverse.joint]) * part_numbers(space.keys[found.design.key])
    hardware = outcome.minimum_hardware.model_copy(
        update={
            "joint": tuple(
                JointPoint(least=None if minimum.least is None else minimum.least.value, needs=numbers_out(point))
                for minimum, point in zip(inverse.joint, needs, strict=True)
            ),
            "best_count": tuple(_count_out(space, each) for each in inverse.counts),
            "parts": tuple(_rival_out(rival, needs) for rival in inverse.rivals),
        }
    )
    return outcome.model_copy(update={"minimum_hardware": hardware})


def _count_out(space: CandidateSpace, minimum: CountMinimum) -> CountOut:
    return CountOut(
        accelerators=minimum.accelerators,
        replicas=minimum.replicas,
        accelerators_per_replica=space.layouts[minimum.key].accelerators,
        layout=layout_of(space, minimum.key),
        needs=numbers_out(minimum.point * part_numbers(space.keys[minimum.key])),
    )


def _rival_out(rival: Rival, needs: Floats) -> RivalOut:
    lacks: tuple[Lack, ...] = ()
    if rival.numbers is not None and rival.shares is not None and not rival.covers:
        lacks = tuple(
            Lack(resource=resource.value, has=float(has), needs=float(needed))
            for resource, has, needed, share in zip(
                RESOURCES, rival.numbers, needs[rival.nearest], rival.shares, strict=True
            )
            if share < 1.0
        )
    return RivalOut(
        accelerator=rival.part.id,
        evidence=rival.part.evidence.value,
        numbers=None if rival.numbers is None else numbers_out(rival.numbers),
        covers=rival.covers,
        meets=rival.meets,
        lacks=lacks,
        rented=None if rival.rental is None else _rented(rival.rental),
        refusal=None if rival.rental is not None else (rival.illegal.value if rival.illegal else NOT_ENOUGH),
    )


def _rented(rental: Rental) -> Rented:
    column, each = rental.column, rental.machine.accelerators
    listed = rental.listed_usd_micro
    return Rented(
        accelerators=column.accelerators,
        instances=column.instances,
        accelerators_per_instance=each,
        layout=layout_of(rental.space, column.key),
        formats=formats_of(rental.space, column.key),
        break_even_usd_per_hour_per_accelerator=rental.break_even_usd_micro / MICRO_DOLLARS,
        break_even_usd_per_hour_per_instance=rental.break_even_usd_micro * each / MICRO_DOLLARS,
        listed_usd_per_hour_per_instance=None if listed is None else usd_per_hour(listed),
    )
