"""Exact integer columns: one per candidate that could be the answer, with the units that it needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.evaluate import Candidates, Physics, Question, largest_ratio, mean_state, tabulate
from optimizer.search.bounds import Demand, rate_per_replica
from optimizer.search.refine import Refinement
from optimizer.topology.layouts import MAX_NUM_SEQS, TOKEN_BUDGETS, CandidateSpace

Integers = NDArray[np.int64]
# Ratios are compared to this many digits, so that float noise cannot decide a tie.
RATIO_DIGITS = 9


@dataclass(frozen=True)
class JobCost:
    """What an offline job costs on a candidate in all, and how long it takes, in the scenario of the risk."""

    usd_micro: int
    seconds: float


@dataclass(frozen=True)
class Column:
    """One candidate with the units that it needs.

    offer, placement: indices into the space. max_num_seqs is the smallest that holds the load; larger ones change
    nothing but their number (an offline job fills all its slots, so there each is a candidate of its own).
    largest_ratio: of predicted to limit, to RATIO_DIGITS. value: what an objective other than cost makes least
    (`search/aims.py`; accelerators of the smallest fleet), which is compared before everything else; 0 where cost is
    the objective.
    """

    placement: int
    offer: int
    key: int
    token_budget: int
    max_num_seqs: int
    units: int
    replicas: int
    instances: int
    accelerators: int
    usd_micro_per_hour: int
    largest_ratio: float
    value: int = 0
    job: JobCost | None = None

    @property
    def cost_usd_micro(self) -> int:
        """What is minimised: of the whole job where there is one, else of an hour."""
        return self.usd_micro_per_hour if self.job is None else self.job.usd_micro


def candidates_of(physics: Physics, column: Column) -> Candidates:
    """The one candidate of a column, with its own engine limits."""
    return tabulate(
        physics,
        np.array([column.key]),
        np.array([float(column.token_budget)]),
        np.array([float(column.max_num_seqs)]),
    )


def rate_of(demand: Demand, column: Column) -> NDArray[np.float64]:
    """Arrivals at one working replica of a column, (1,) per second."""
    return rate_per_replica(demand, np.array([column.replicas]), np.array([1]))


def tie_key(space: CandidateSpace, column: Column) -> tuple[object, ...]:
    """The order of ties: cost, latency ratio, accelerators, bits, then names and numbers (DESIGN rule 4)."""
    offer, row = space.offers[column.offer], space.keys[column.key]
    formats, layout = space.formats[column.key], space.layouts[column.key]
    return (
        column.cost_usd_micro,
        column.largest_ratio,
        column.accelerators,
        -formats.weight_bits,
        -formats.kv_bits,
        offer.provider,
        offer.instance,
        offer.region,
        offer.tier.value,
        row.engine.id,
        (formats.weights, formats.activations, formats.kv),
        layout.tp,
        layout.pp,
        layout.dp_attention,
        layout.ep,
        column.token_budget,
        column.max_num_seqs,
    )


def place(space: CandidateSpace, column: Column) -> tuple[object, ...]:
    """The order of columns: the value of the objective, then the order of ties."""
    return (column.value, *tie_key(space, column))


def exact_columns(
    space: CandidateSpace, physics: Physics, question: Question, demand: Demand, refinement: Refinement
) -> tuple[Column, ...]:
    """Columns within the search's threshold, in the order of ties."""
    found = np.argwhere(refinement.units > 0)
    if not len(found):
        return ()
    placements, budgets = found[:, 0], found[:, 1]
    units = refinement.units[placements, budgets]
    cheapest_usd_micro = refinement.prices[placements] * units
    threshold = refinement.threshold_usd_micro
    if threshold is not None:
        kept = cheapest_usd_micro <= threshold
        placements, budgets, units = placements[kept], budgets[kept], units[kept]
        cheapest_usd_micro = cheapest_usd_micro[kept]
    rate = rate_per_replica(demand, units, space.replicas_per_unit[placements])
    best = cheapest_usd_micro == cheapest_usd_micro.min()
    rows = Rows(placements, budgets, units, np.zeros(len(units), dtype=np.int64), best)
    return columns_of(space, physics, question, rate, rows)


@dataclass(frozen=True)
class Rows:
    """Candidates with their fewest units and their value, (R,) each; `best` marks those that no other beats."""

    placements: Integers
    budgets: Integers
    units: Integers
    values: Integers
    best: NDArray[np.bool_]


def columns_of(
    space: CandidateSpace, physics: Physics, question: Question, rate: NDArray[np.float64], rows: Rows
) -> tuple[Column, ...]:
    """Columns of candidates that meet their requirements at `rate` (R,) per replica, in the order of columns.

    Of a placement's offers, those of the best rows become columns each if they cost the same; of the others only the
    cheapest does, since it is no worse in any field that the order of ties compares before the name.
    """
    placements, budgets, units = rows.placements, rows.budgets, rows.units
    candidates = tabulate(
        physics,
        space.placement_key[placements],
        TOKEN_BUDGETS[budgets],
        np.full(len(placements), MAX_NUM_SEQS[-1]),
    )
    ratios = np.round(largest_ratio(candidates, rate, question), RATIO_DIGITS)
    slots = mean_state(candidates, rate, question).sequences_needed
    smallest_slots = MAX_NUM_SEQS[np.searchsorted(MAX_NUM_SEQS, slots)]

    columns = []
    for row, placement in enumerate(placements.tolist()):
        offers = space.offers_of_machine[space.placement_machine[placement]]
        instances = int(units[row] * space.instances_per_unit[placement])
        for offer in offers:
            price = space.offers[offer].usd_micro_per_hour
            dearer = price > space.offers[offers[0]].usd_micro_per_hour
            if offer != offers[0] and (dearer or not rows.best[row]):
                break
            columns.append(
                Column(
                    placement=placement,
                    offer=offer,
                    key=int(space.placement_key[placement]),
                    token_budget=int(TOKEN_BUDGETS[budgets[row]]),
                    max_num_seqs=int(smallest_slots[row]),
                    units=int(units[row]),
                    replicas=int(units[row] * space.replicas_per_unit[placement]),
                    instances=instances,
                    accelerators=int(units[row] * space.accelerators_per_unit[placement]),
                    usd_micro_per_hour=price * instances,
                    largest_ratio=float(ratios[row]),
                    value=int(rows.values[row]),
                )
            )
    return tuple(sorted(columns, key=lambda column: place(space, column)))
