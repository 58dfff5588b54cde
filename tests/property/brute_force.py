"""The optimum by trying everything: every offer, layout, format, token budget and number of engine slots, one by one.

Written from `evaluate` alone. Units are counted up from one; there are no bounds, no dominance, no shared keys, no
bisection and no columns. What `search` means by a unit, a rate per replica, a cap and the order of ties is said here
once more in other words.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from hypothesis import reject
from numpy.typing import NDArray

from catalog.offers import Offer
from optimizer.evaluate import Candidates, Physics, Question, largest_ratio, meets, tabulate
from optimizer.question import Nothing, pose
from optimizer.search.columns import Column
from optimizer.topology.format_choices import FormatChoice
from optimizer.topology.layouts import CandidateSpace, ParallelLayout
from requirements_specs.serving import ServingSpec
from tests.property.small_spaces import Case, with_offers

TOKEN_BUDGETS = (512, 1024, 2048, 3072, 4096, 8192, 16384, 32768)
MAX_NUM_SEQS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 640, 768, 1024)
# Units are counted up to the first, then from one power of two to the next as long as something holds at the next.
# A case whose answer lies beyond the second is given up, for counting so far takes minutes.
COUNTED = 48
MOST_COUNTED = 256
POWERS = 20

TieKey = tuple[object, ...]


@dataclass(frozen=True)
class Rows:
    """All rows of one offer; one key per layout and format choice."""

    offer: Offer
    engine: str
    layouts: tuple[ParallelLayout, ...]
    formats: tuple[FormatChoice, ...]
    physics: Physics
    question: Question
    candidates: Candidates

    def instances_per_unit(self) -> NDArray[np.int64]:
        """Instances that are rented together: as many as a replica spans, at least one, (R,)."""
        return np.maximum(self._ranks() // self.offer.accelerators, 1)

    def replicas_per_unit(self) -> NDArray[np.int64]:
        """Replicas on a unit, (R,)."""
        return np.maximum(self.offer.accelerators // self._ranks(), 1)

    def _ranks(self) -> NDArray[np.int64]:
        ranks = np.array([layout.tp * layout.pp for layout in self.layouts], dtype=np.int64)
        return ranks[self.candidates.keys]

    def rate(self, units: NDArray[np.int64], spec: ServingSpec) -> NDArray[np.float64]:
        """Arrivals at one of the replicas that work; NaN where all are spare."""
        working = units * self.replicas_per_unit() - spec.availability.spare_replicas
        peak = spec.workload.request_rate_per_s * spec.workload.peak_factor
        return np.where(working > 0, peak / np.where(working > 0, working, 1), np.nan)


def rows_of(case: Case) -> Iterator[Rows]:
    """The legal rows, each offer posed as if it were the only one."""
    inventory = case.spec.inventory
    for offer in case.snapshot.offers:
        if inventory.providers is not None and offer.provider not in inventory.providers:
            continue
        if inventory.regions is not None and offer.region not in inventory.regions:
            continue
        if inventory.accelerators is not None and offer.accelerator not in inventory.accelerators:
            continue
        if offer.id in inventory.exclude_offers:
            continue
        problem = pose(case.spec, with_offers((offer,), case.snapshot))
        if isinstance(problem, Nothing):
            continue
        space = problem.space
        grid = np.meshgrid(np.arange(len(space.keys)), TOKEN_BUDGETS, MAX_NUM_SEQS, indexing="ij")
        keys, budgets, slots = (axis.ravel() for axis in grid)
        yield Rows(
            offer=offer,
            engine=case.spec.engines[0],
            layouts=space.layouts,
            formats=space.formats,
            physics=problem.physics,
            question=problem.question,
            candidates=tabulate(
                problem.physics, keys.astype(np.int64), budgets.astype(np.float64), slots.astype(np.float64)
            ),
        )


def affordable(spec: ServingSpec, usd_micro_per_hour: int, accelerators: int) -> bool:
    """Whether a plan is within every cap; money is exact."""
    cost = Fraction(usd_micro_per_hour, 10**6)
    budget = spec.budget
    if spec.inventory.max_accelerators is not None and accelerators > spec.inventory.max_accelerators:
        return False
    if budget.usd_per_hour is not None and cost > Fraction(repr(budget.usd_per_hour)):
        return False
    if budget.usd_per_month is not None and cost * 730 > Fraction(repr(budget.usd_per_month)):
        return False
    per_million = budget.usd_per_million_output_tokens
    if per_million is not None:
        tokens = Fraction(repr(spec.workload.request_rate_per_s)) * Fraction(repr(spec.workload.output_tokens.mean))
        return cost <= Fraction(repr(per_million)) * tokens * 3600 / 10**6
    return True


def within_caps(rows: Rows, spec: ServingSpec, units: int) -> NDArray[np.bool_]:
    """Whether each row may have that many units."""
    instances = rows.instances_per_unit() * units
    price, accelerators, most = rows.offer.usd_micro_per_hour, rows.offer.accelerators, rows.offer.most_instances
    judged = {
        count: (most is None or count <= most) and affordable(spec, price * count, accelerators * count)
        for count in np.unique(instances).tolist()
    }
    return np.array([judged[count] for count in instances.tolist()])


def fewest_units(rows: Rows, spec: ServingSpec, most: int) -> NDArray[np.int64]:
    """Fewest units of every row that hold, counted up from one to at most `most`; 0 where none does, (R,)."""
    found = np.zeros(len(rows.candidates), dtype=np.int64)
    for units in range(1, most + 1):
        trial = np.full(len(found), units, dtype=np.int64)
        rate = rows.rate(trial, spec)
        tried = np.flatnonzero((found == 0) & np.isfinite(rate))
        held = meets(rows.candidates.take(tried), rate[tried], rows.question)
        found[tried[held]] = units
    return found


def tie_key(
    offer: Offer,
    engine: str,
    layout: ParallelLayout,
    formats: FormatChoice,
    *,
    usd_micro_per_hour: int,
    ratio: float,
    accelerators: int,
    token_budget: int,
    max_num_seqs: int,
) -> TieKey:
    """The order of ties as DESIGN rule 4 words it."""
    return (
        usd_micro_per_hour,
        round(ratio, 9),
        accelerators,
        -8.0 * formats.weight_format.bytes_per_element,
        -8.0 * formats.kv_format.bytes_per_element,
        (
            offer.provider,
            offer.instance,
            offer.region,
            offer.tier.value,
            engine,
            (formats.weights, formats.activations, formats.kv),
            layout.tp,
            layout.pp,
            layout.dp_attention,
            layout.ep,
            token_budget,
            max_num_seqs,
        ),
    )


def tie_key_of_column(space: CandidateSpace, column: Column) -> TieKey:
    """The same for what the search returned."""
    return tie_key(
        space.offers[column.offer],
        space.keys[column.key].engine.id,
        space.layouts[column.key],
        space.formats[column.key],
        usd_micro_per_hour=column.usd_micro_per_hour,
        ratio=column.largest_ratio,
        accelerators=column.accelerators,
        token_budget=column.token_budget,
        max_num_seqs=column.max_num_seqs,
    )


@dataclass(frozen=True)
class Best:
    """The least of everything: its tie key, and how many designs cost as little (engine limits aside)."""

    key: TieKey
    usd_micro_per_hour: int
    equally_cheap: int


def best_of(case: Case) -> Best | None:
    """The optimum; None where no row holds at any number of units that was tried."""
    cheapest: int | None = None
    found: list[TieKey] = []
    for rows in rows_of(case):
        for key in _rows_no_dearer(rows, case.spec, cheapest):
            found.append(key)
            cost = cost_in(key)
            cheapest = cost if cheapest is None else min(cheapest, cost)
    if cheapest is None:
        return None
    least = [key for key in found if key[0] == cheapest]
    designs = {(key[3:5], key[5][:10]) for key in least}  # type: ignore[index]
    return Best(min(least), cheapest, len(designs))


def _rows_no_dearer(rows: Rows, spec: ServingSpec, cheapest: int | None) -> list[TieKey]:
    """Tie keys of the rows of an offer at their fewest units, as far as they cost no more than `cheapest`."""
    found: list[TieKey] = []
    waiting = np.arange(len(rows.candidates))
    for units in range(1, COUNTED + 1):
        waiting, keys = _try_units(rows, spec, cheapest, waiting, units)
        found += keys
        cheapest = min([cost_in(key) for key in keys], default=cheapest)
    start = COUNTED + 1
    for stop in (2**power for power in range(COUNTED.bit_length(), POWERS + 1)):
        if not len(waiting):
            break
        for units in range(start, stop + 1) if _any_holds(rows, spec, waiting, stop) else ():
            if units > MOST_COUNTED:
                reject()
            waiting, keys = _try_units(rows, spec, cheapest, waiting, units)
            found += keys
            cheapest = min([cost_in(key) for key in keys], default=cheapest)
        start = stop + 1
    return found


def _try_units(
    rows: Rows, spec: ServingSpec, cheapest: int | None, waiting: NDArray[np.int64], units: int
) -> tuple[NDArray[np.int64], list[TieKey]]:
    """Rows that still wait after some units were tried and may have more, and the tie keys of those that held."""
    cost = rows.offer.usd_micro_per_hour * units * rows.instances_per_unit()
    rate = rows.rate(np.full(len(cost), units, dtype=np.int64), spec)
    allowed = within_caps(rows, spec, units)
    if cheapest is not None:
        allowed &= cost <= cheapest
    tried = waiting[allowed[waiting] & np.isfinite(rate[waiting])]
    if not len(tried):
        return waiting[allowed[waiting]], []
    held = tried[meets(rows.candidates.take(tried), rate[tried], rows.question)]
    if not len(held):
        return waiting[allowed[waiting]], []
    ratios = largest_ratio(rows.candidates.take(held), rate[held], rows.question)
    keys = [key_of(rows, row, int(cost[row]), ratio) for row, ratio in zip(held.tolist(), ratios.tolist(), strict=True)]
    return np.setdiff1d(waiting[allowed[waiting]], held), keys


def _any_holds(rows: Rows, spec: ServingSpec, waiting: NDArray[np.int64], units: int) -> bool:
    """Whether any waiting row holds at some units at whatever cost: fewer of them may be affordable."""
    rate = rows.rate(np.full(len(rows.candidates), units, dtype=np.int64), spec)[waiting]
    working = np.isfinite(rate)
    return bool(meets(rows.candidates.take(waiting[working]), rate[working], rows.question).any())


def key_of(rows: Rows, row: int, usd_micro_per_hour: int, ratio: float) -> TieKey:
    """The tie key of one row at its cost."""
    key = int(rows.candidates.keys[row])
    return tie_key(
        rows.offer,
        rows.engine,
        rows.layouts[key],
        rows.formats[key],
        usd_micro_per_hour=usd_micro_per_hour,
        ratio=ratio,
        accelerators=usd_micro_per_hour // rows.offer.usd_micro_per_hour * rows.offer.accelerators,
        token_budget=int(rows.candidates.token_budget[row]),
        max_num_seqs=int(rows.candidates.max_num_seqs[row]),
    )


def cost_in(key: TieKey) -> int:
    """The cost is the first field of the order of ties."""
    cost = key[0]
    assert isinstance(cost, int)
    return cost
