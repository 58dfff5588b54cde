"""What hardware would be just enough for an answer, and what each part of the catalog is worth beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from catalog.offers import Offer, PriceKind, Tier
from catalog.parts import Accelerator, LinkKind
from catalog.read import Snapshot
from optimizer.answers import Answer
from optimizer.arithmetic.money import MICRO_DOLLARS
from optimizer.bottleneck.best_count import CountMinimum, best_counts
from optimizer.bottleneck.hypothetical import RESOURCES
from optimizer.bottleneck.inverse_roofline import JointMinimum, joint_minima, task_of
from optimizer.bottleneck.part_numbers import part_numbers
from optimizer.inventory import admitted_offers
from optimizer.question import Nothing, Problem, pose
from optimizer.search.columns import Column, exact_columns
from optimizer.search.refine import refine
from optimizer.topology.layouts import CandidateSpace, Illegal
from optimizer.topology.machines import Machine, machine_of
from requirements_specs.serving import Budget, Inventory, ServingSpec

Floats = NDArray[np.float64]

# Machines of a part that nobody offers, in accelerators.
UNOFFERED_SIZES = (1, 2, 4, 8)


@dataclass(frozen=True)
class Rental:
    """The fewest accelerators of a part that meet the requirements, as whole machines.

    break_even_usd_micro: micro-dollars per accelerator-hour at which they cost what the optimum costs.
    listed_usd_micro: per instance-hour, the cheapest price of that machine among the offers whose provider, region,
    tier and date the specification admits; None where there is none.
    """

    column: Column
    machine: Offer
    space: CandidateSpace
    break_even_usd_micro: float
    listed_usd_micro: int | None


@dataclass(frozen=True)
class Rival:
    """A part beside the joint points of the chosen one.

    numbers (4,): of the part in the design's layout and formats, None where no machine of it runs them. shares (4,):
    those over the nearest joint point, the one of which the part lacks least. covers: the numbers are enough, for the
    chosen part would do with them. meets: as many accelerators of the part in the design's layout meet every
    requirement. rental: None where no number of its machines does; illegal: why, where no layout is legal on any.
    """

    part: Accelerator
    numbers: Floats | None
    nearest: int
    shares: Floats | None
    covers: bool
    meets: bool
    rental: Rental | None
    illegal: Illegal | None = None


@dataclass(frozen=True)
class Inverse:
    """Joint minima as multiples of the chosen part's numbers, minima per count, and every other part."""

    joint: tuple[JointMinimum, ...]
    counts: tuple[CountMinimum, ...]
    rivals: tuple[Rival, ...]


def invert(spec: ServingSpec, found: Answer, snapshot: Snapshot) -> Inverse:
    """The inverse roofline of an answer, and each other part of the catalog held against it."""
    problem, design = found.problem, found.design
    joint = joint_minima(task_of(problem.physics, problem.question, problem.demand, design))
    chosen = problem.space.keys[design.key]
    needs = np.stack([minimum.point for minimum in joint]) * part_numbers(chosen)
    return Inverse(
        joint=joint,
        counts=best_counts(problem.space, problem.physics, problem.question, problem.demand, design),
        rivals=tuple(
            _rival(spec, found, snapshot, part, needs)
            for part in snapshot.accelerators.values()
            if part.id != chosen.accelerator.id
        ),
    )


def _rival(spec: ServingSpec, found: Answer, snapshot: Snapshot, part: Accelerator, needs: Floats) -> Rival:
    machines = machines_for_rent(part, snapshot.offers)
    problem = pose(_on_any_machine(spec, part), snapshot.model_copy(update={"offers": machines}))
    if isinstance(problem, Nothing):
        illegal = problem.space.illegal
        # formats are asked about last, so they refuse what everything else admits
        last = Illegal.FORMAT if Illegal.FORMAT in illegal else max(sorted(illegal), key=lambda each: illegal[each])
        return Rival(part, None, 0, None, covers=False, meets=False, rental=None, illegal=last)
    # what the design carries, which is more than stated where the most requests are sought
    problem = problem.carrying(found.problem.demand.rate_per_s)
    rental = _rental(spec, found, snapshot, part, problem)
    keys = _keys_like_the_design(found, problem)
    if not keys:
        return Rival(part, None, 0, None, covers=False, meets=False, rental=rental)
    held = [_holds_as_the_design(found, problem, key) for key in keys]
    # of several wirings one that is enough, else the fastest: only their link differs
    numbers = [part_numbers(problem.space.keys[key]) for key in keys]
    best = max(range(len(keys)), key=lambda index: (held[index], *np.nan_to_num(numbers[index]), -index))
    shares = numbers[best] / needs
    nearest = int(np.nanmin(shares, axis=1).argmax())
    covers = _holds_with(found, numbers[best])
    return Rival(part, numbers[best], nearest, shares[nearest], covers=covers, meets=held[best], rental=rental)


def machines_for_rent(part: Accelerator, offers: Iterable[Offer]) -> tuple[Offer, ...]:
    """One offer per distinct machine of a part, each at a dollar per accelerator-hour, so that the cheapest is fewest.

    A part that nobody offers comes in boards of `UNOFFERED_SIZES`, joined by its own link as far as that spans.
    """
    own = [offer for offer in offers if offer.accelerator == part.id] or [
        _board(part, accelerators) for accelerators in UNOFFERED_SIZES
    ]
    machines: dict[Machine, Offer] = {}
    for offer in own:
        machines.setdefault(machine_of(offer, part), offer)
    return tuple(
        offer.model_copy(update={"usd_micro_per_hour": MICRO_DOLLARS * offer.accelerators})
        for offer in machines.values()
    )


def _board(part: Accelerator, accelerators: int) -> Offer:
    domain = min(part.link.domain, accelerators)
    joined = domain > 1 and part.link.kind is not LinkKind.NONE
    return Offer(
        id=f"nobody/{accelerators}x-{part.id}",
        provider="nobody",
        instance=f"{accelerators}x-{part.id}",
        region="nowhere",
        tier=Tier.ON_DEMAND,
        accelerator=part.id,
        accelerators=accelerators,
        scale_up=part.link.kind if joined else LinkKind.PCIE,
        scale_up_domain=domain if joined else 1,
        p2p=False,
        network_bytes_per_s=None,
        usd_micro_per_hour=MICRO_DOLLARS * accelerators,
        price_kind=PriceKind.LIST,
        price_date=None,
        source=part.source,
    )


def _on_any_machine(spec: ServingSpec, part: Accelerator) -> ServingSpec:
    """The spec restricted to a part, on every machine that has it, at any price."""
    tiers = tuple(tier.value for tier in Tier)
    most = spec.inventory.max_accelerators
    inventory = Inventory(
        accelerators=(part.id,), tiers=tiers, max_accelerators=most, estimated_parts=True, undated=True
    )
    return spec.model_copy(update={"inventory": inventory, "budget": Budget()})


def _rental(spec: ServingSpec, found: Answer, snapshot: Snapshot, part: Accelerator, problem: Problem) -> Rental | None:
    """The least of a part that meets the requirements, by the search itself."""
    space, physics, question, demand = problem.space, problem.physics, problem.question, problem.demand
    columns = exact_columns(space, physics, question, demand, refine(space, physics, question, demand, 1))
    if not columns:
        return None
    anywhere = spec.inventory.model_copy(update={"accelerators": None})
    listed: dict[Machine, int] = {}
    for offer in admitted_offers(anywhere, snapshot):
        if offer.accelerator == part.id and (offer.price_date is not None or spec.inventory.undated):
            machine = machine_of(offer, part)
            listed[machine] = min(offer.usd_micro_per_hour, listed.get(machine, offer.usd_micro_per_hour))

    def price_of(column: Column) -> int | None:
        return listed.get(machine_of(space.offers[column.offer], part))

    # of machines that do with equally few accelerators the one that is cheapest on sale, then the first of all
    fewest = [column for column in columns if column.usd_micro_per_hour == columns[0].usd_micro_per_hour]
    on_sale = [(price * column.instances, index) for index, column in enumerate(fewest) if (price := price_of(column))]
    column = fewest[min(on_sale)[1]] if on_sale else fewest[0]
    return Rental(
        column=column,
        machine=space.offers[column.offer],
        space=space,
        break_even_usd_micro=found.design.usd_micro_per_hour / column.accelerators,
        listed_usd_micro=price_of(column),
    )


def _keys_like_the_design(found: Answer, problem: Problem) -> Sequence[int]:
    """Keys of another part's space with the layout, formats and engine of the design."""
    chosen, key = found.problem.space, found.design.key
    wanted = (chosen.layouts[key], chosen.formats[key], chosen.keys[key].engine.id)
    space = problem.space
    return [
        other
        for other in range(len(space.keys))
        if (space.layouts[other], space.formats[other], space.keys[other].engine.id) == wanted
    ]


def _holds_as_the_design(found: Answer, problem: Problem, key: int) -> bool:
    """Whether a key of another part holds what each working replica of the design carries."""
    task = task_of(problem.physics, problem.question, problem.demand, replace(found.design, key=key))
    return bool(task.hold(np.ones((1, len(RESOURCES))))[0])


def _holds_with(found: Answer, numbers: Floats) -> bool:
    """Whether the chosen part would do with the numbers (4,) of another: they are above its Pareto surface."""
    problem, design = found.problem, found.design
    point = np.nan_to_num(numbers / part_numbers(problem.space.keys[design.key]), nan=1.0)
    return bool(task_of(problem.physics, problem.question, problem.demand, design).hold(point[None, :])[0])
