"""Exact integer columns: one per candidate that could be the answer, with the units that it needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.evaluate import Physics, Question, largest_ratio, mean_state, tabulate
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
    largest_ratio: of predicted to limit, to RATIO_DIGITS.
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
    job: JobCost | None = None

    @property
    def cost_usd_micro(self) -> int:
        """What is minimised: of the whole job where there is one, else of an hour."""
        return self.usd_micro_per_hour if self.job is None else self.job.usd_micro


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


def exact_columns(
    space: CandidateSpace, physics: Physics, question: Question, demand: Demand, refinement: Refinement
) -> tuple[Column, ...]:
    """Columns within the search's threshold, in the order of ties.

    Of a placement's offers, those at the least cost of all become columns each; of the dearer ones only the cheapest
    does, since it is no worse in any field that the order of ties compares before the name.
    """
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

    candidates = tabulate(
        physics,
        space.placement_key[placements],
        TOKEN_BUDGETS[budgets],
        np.full(len(placements), MAX_NUM_SEQS[-1]),
    )
    rate = rate_per_replica(demand, units, space.replicas_per_unit[placements])
    ratios = np.round(largest_ratio(candidates, rate, question), RATIO_DIGITS)
    slots = mean_state(candidates, rate, question).sequences_needed
    smallest_slots = MAX_NUM_SEQS[np.searchsorted(MAX_NUM_SEQS, slots)]

    least = int(cheapest_usd_micro.min())
    columns = []
    for row, placement in enumerate(placements.tolist()):
        offers = space.offers_of_machine[space.placement_machine[placement]]
        instances = int(units[row] * space.instances_per_unit[placement])
        for offer in offers:
            cost = space.offers[offer].usd_micro_per_hour * instances
            if offer != offers[0] and cost > least:
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
                    usd_micro_per_hour=cost,
                    largest_ratio=float(ratios[row]),
                )
            )
    return tuple(sorted(columns, key=lambda column: tie_key(space, column)))
