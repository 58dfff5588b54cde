"""How far atoms must be relaxed: the least looser limits, and what a design needs that the specification excludes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal
from math import inf, nextafter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalog.read import Snapshot
from optimizer.arithmetic.money import HOURS_PER_MONTH, MICRO_DOLLARS, SECONDS_PER_HOUR
from optimizer.bottleneck.atoms import ACCELERATOR_CAP, Atoms
from optimizer.bottleneck.restrictions import READERS, OfKey, OfOffer
from optimizer.bottleneck.rows import Rows, bits
from optimizer.bottleneck.set_families import Members
from optimizer.bottleneck.signatures import LAWS, candidates_of_rows, optimistic
from optimizer.evaluate import Physics, Question, least_statistics, limits_that_may_hold, meets, statistics_of
from optimizer.search.bounds import OUTWARD
from optimizer.search.columns import Column
from optimizer.topology.layouts import CandidateSpace
from requirements_specs.requirement import BudgetMetric
from requirements_specs.serving import Inventory, ServingSpec

Floats = NDArray[np.float64]
# Digits of a limit that is proposed to a person.
DIGITS = 3
# Digits of a budget per million tokens.
BUDGET_DIGITS = 6


@dataclass(frozen=True)
class Change:
    """One atom, what the specification states of it, and what it would have to state."""

    requirement: str
    stated: Any
    allowed: Any


@dataclass(frozen=True)
class Relaxation:
    """Changes that together make the specification feasible, and what the cheapest design then costs per hour."""

    changes: tuple[Change, ...]
    usd_micro_per_hour: int


def least_looser_limits(
    rows: Rows, relaxed: Members, atoms: Atoms, physics: Physics, question: Question
) -> dict[str, float] | None:
    """Limits of the relaxed latency atoms at which some row holds, seconds by path, rounded up to `DIGITS` digits.

    Of all rows that miss nothing but relaxed atoms, the one whose largest predicted/limit over the relaxed limits is
    least; with one relaxed limit that is the least value that any row reaches. None where no row holds the others.
    """
    numbers = [number for number in atoms.limit_numbers if number in relaxed]
    loose = [question.limits[number] for number in numbers]
    kept = tuple(limit for number, limit in enumerate(question.limits) if number not in relaxed)
    rows = optimistic(rows, physics, question)
    rows = rows.take((rows.missed & ~bits(relaxed)) == 0)
    which, candidates, state = candidates_of_rows(rows, physics, question)
    may = np.flatnonzero(limits_that_may_hold(candidates, state, kept).all(axis=1))
    candidates, state, rate = candidates.take(may), state.take(may), rows.rate_per_s[which[may]]
    limits_s = np.array([limit.limit_s for limit in loose])
    bound = (least_statistics(candidates, state, loose) / limits_s).max(axis=1, initial=0.0) * (1.0 - OUTWARD)

    order = np.argsort(bound, kind="stable")
    least, best = np.inf, None
    for start in range(0, len(order), LAWS):
        tried = order[start : start + LAWS]
        tried = tried[bound[tried] < least]
        if not len(tried):
            break
        held = tried[meets(candidates.take(tried), rate[tried], replace(question, limits=kept))]
        if len(held):
            seconds = statistics_of(candidates.take(held), state.take(held), loose)
            ratios = (seconds / limits_s).max(axis=1)
            closest = int(ratios.argmin())
            if ratios[closest] < least:
                least, best = float(ratios[closest]), seconds[closest]
    if best is None:
        return None
    return {limit.id: rounded_up(value) for limit, value in zip(loose, best.tolist(), strict=True)}


def rounded_up(value: float, digits: int = DIGITS) -> float:
    """The least float of so many decimal digits that is not below a positive value, by more than float noise."""
    safe = Decimal(repr(value * (1.0 + OUTWARD)))
    return float(safe.quantize(Decimal(1).scaleb(safe.adjusted() + 1 - digits), rounding=ROUND_CEILING))


def caps_for(
    spec: ServingSpec, atoms: Atoms, relaxed: Members, usd_micro_per_hour: int, accelerators: int
) -> Mapping[str, float | int]:
    """Relaxed caps, by path, that just allow a cost and a number of accelerators."""
    per_hour = Decimal(usd_micro_per_hour) / MICRO_DOLLARS
    tokens_per_s = Decimal(repr(spec.workload.mean_request_rate_per_s)) * Decimal(
        repr(spec.workload.output_tokens.mean)
    )
    per_million = usd_micro_per_hour / (tokens_per_s * SECONDS_PER_HOUR)
    # the last one is no whole number of micro-dollars, so it is rounded to digits that a person can read
    least: Mapping[str, float | int] = {
        ACCELERATOR_CAP: accelerators,
        f"budget.{BudgetMetric.USD_PER_HOUR}": _at_least(per_hour),
        f"budget.{BudgetMetric.USD_PER_MONTH}": _at_least(per_hour * HOURS_PER_MONTH),
        f"budget.{BudgetMetric.USD_PER_MILLION_OUTPUT_TOKENS}": rounded_up(float(per_million), BUDGET_DIGITS),
    }
    return {cap: least[cap] for number, cap in zip(atoms.cap_numbers, atoms.caps, strict=True) if number in relaxed}


def _at_least(dollars: Decimal) -> float:
    """The float that prints as an amount, or the next one if it prints as less."""
    nearest = float(dollars)
    return nearest if Decimal(repr(nearest)) >= dollars else nextafter(nearest, inf)


def needed_by(
    space: CandidateSpace, column: Column, atoms: Atoms, relaxed: Members, inventory: Inventory, snapshot: Snapshot
) -> Mapping[str, Any]:
    """Relaxed restrictions, by path, that just admit a design."""
    offer, row = space.offers[column.offer], space.keys[column.key]
    found: dict[str, Any] = {}
    for number, atom in zip(atoms.restriction_numbers, atoms.restrictions, strict=True):
        if number in relaxed:
            match READERS[atom.id]:
                case OfOffer(reads=reads):
                    value = reads(offer, snapshot.accelerators[offer.accelerator], inventory.custom_accelerators)
                case OfKey(reads=reads):
                    value = reads(space.layouts[column.key], space.formats[column.key], row.engine.id)
            found[atom.id] = atom.restriction.widened(value)
    return found
