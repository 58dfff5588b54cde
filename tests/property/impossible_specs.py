"""Random specifications that nothing meets, and their atoms told apart and dropped without the code under test."""

from __future__ import annotations

import random
from collections.abc import Collection
from functools import cache
from itertools import combinations
from typing import Any

from catalog.offers import Offer, Tier
from catalog.read import load
from optimizer.errors import QuestionError
from optimizer.question import pose
from requirements_specs.lengths import LengthDistribution
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from requirements_specs.serving import (
    Assumption,
    Availability,
    Budget,
    Formats,
    IntegerChoice,
    Inventory,
    Layout,
    ServingSpec,
)
from requirements_specs.workload import Workload
from tests.property.small_spaces import (
    LIMITS_S,
    MODELS,
    PARTS,
    PROVIDERS,
    REGIONS,
    USD_MICRO_PER_ACCELERATOR,
    Case,
    offer_of,
    with_offers,
)
from tests.property.solved import NOTHING, cost_of

MOST_ATOMS = 12
ASSUMED = {"inventory.tiers": "on_demand", "inventory.estimated_parts": "false", "inventory.undated": "false"}


@cache
def impossible_case(seed: int, most_atoms: int = MOST_ATOMS) -> Case:
    """A specification without an answer, with at most so many stated atoms, over a few offers."""
    draw = random.Random(seed)
    while True:
        case = Case(with_offers(_offers(draw)), _spec(draw))
        try:
            pose(case.spec, case.snapshot)
        except QuestionError:
            continue
        if len(stated(case.spec)) <= most_atoms and cost_of(case) == NOTHING:
            return case


def _offers(draw: random.Random) -> tuple[Offer, ...]:
    catalog = load()
    parts = draw.sample(PARTS, draw.randint(1, 3))
    found: dict[str, Offer] = {}
    for _ in range(draw.randint(2, 6)):
        offer = offer_of(
            catalog.accelerators[draw.choice(parts)],
            draw.choice((1, 2, 4, 8)),
            draw.choice(USD_MICRO_PER_ACCELERATOR),
            provider=draw.choice(PROVIDERS),
            region=draw.choice(REGIONS),
            network_bytes_per_s=draw.choice((None, 400e9)),
            dated=draw.random() < 0.8,
        )
        if draw.random() < 0.25:
            offer = offer.model_copy(update={"tier": Tier.SPOT, "id": offer.id.replace("on_demand", "spot")})
        found[offer.id] = offer
    return tuple(found.values())


def _spec(draw: random.Random) -> ServingSpec:
    def now_and_then(probability: float, value: Any) -> Any:
        return value if draw.random() < probability else None

    metrics = draw.sample(tuple(Metric), draw.randint(1, 3))
    limits = {
        (limit := LatencyLimit(
            metric=metric, statistic=draw.choice(tuple(Statistic)), limit_s=draw.choice(LIMITS_S[metric][1:])
        )).id: limit
        for metric in (*metrics, draw.choice(metrics))
    }  # fmt: skip
    tiers = draw.choice((("on_demand",), ("on_demand",), ("spot",), ("on_demand", "spot")))
    assumed = draw.random() < 0.5
    return ServingSpec(
        name="impossible",
        model=draw.choice(MODELS),
        risk=draw.choice((0.1, 0.5)),
        workload=Workload(
            request_rate_per_s=draw.choice((0.5, 5.0, 40.0)),
            prompt_tokens=LengthDistribution.constant(draw.choice((100.0, 1500.0, 4000.0))),
            output_tokens=LengthDistribution.constant(draw.choice((20.0, 100.0, 400.0))),
        ),
        slo=tuple(limits.values()),
        budget=Budget(
            usd_per_hour=now_and_then(0.3, draw.choice((2.5, 7.0, 15.5))),
            usd_per_month=now_and_then(0.1, draw.choice((1500.0, 5000.0))),
            usd_per_million_output_tokens=now_and_then(0.1, draw.choice((1.37, 9.1))),
        ),
        inventory=Inventory(
            providers=now_and_then(0.3, (draw.choice(PROVIDERS),)),
            regions=now_and_then(0.2, (draw.choice(REGIONS),)),
            tiers=("on_demand",) if assumed else tiers,
            accelerators=now_and_then(0.3, (draw.choice(PARTS),)),
            max_accelerators=now_and_then(0.3, draw.choice((1, 2, 4, 8))),
            undated=False if assumed else draw.random() < 0.5,
            estimated_parts=False if assumed else draw.random() < 0.5,
        ),
        formats=Formats(
            weights=now_and_then(0.3, draw.choice((("bf16",), ("fp8",)))),
            activations=now_and_then(0.1, ("bf16",)),
            kv=now_and_then(0.1, ("fp8",)),
        ),
        layout=Layout(
            tp=now_and_then(0.3, draw.choice((IntegerChoice(values=(1,)), IntegerChoice(least=2, greatest=4)))),
            pp=now_and_then(0.2, IntegerChoice(values=(draw.choice((1, 2)),))),
            accelerators_per_replica=now_and_then(0.1, IntegerChoice(greatest=2)),
        ),
        availability=Availability(spare_replicas=draw.choice((0, 0, 1))),
        assumed=tuple(Assumption(key=key, value=value, why="not stated") for key, value in ASSUMED.items())
        if assumed
        else (),
    )


def stated(spec: ServingSpec) -> tuple[str, ...]:
    """Paths of what the user stated that could be in the way."""
    paths = [limit.id for limit in spec.slo]
    for section in ("budget", "inventory", "formats", "layout"):
        for key, value in getattr(spec, section):
            path = f"{section}.{key}"
            restricts = value is not None and value is not True and value != ()
            if restricts and path not in {each.key for each in spec.assumed}:
                paths.append(path)
    return tuple(paths)


def dropped(spec: ServingSpec, paths: Collection[str]) -> ServingSpec:
    """The specification as if some of these had not been stated; a list of formats also keeps what it states."""
    own = {"weights": ("bf16", "fp8"), "kv": ("bf16",), "activations": ("bf16", "fp8")}
    anything = {"tiers": ("on_demand", "spot"), "exclude_offers": (), "undated": True, "estimated_parts": True}
    spec = spec.model_copy(update={"slo": tuple(limit for limit in spec.slo if limit.id not in paths)})
    for path in paths:
        section, _, key = path.partition(".")
        if section == "slo":
            continue
        part = getattr(spec, section)
        value = (*getattr(part, key), *own[key]) if section == "formats" else anything.get(key)
        unique = tuple(dict.fromkeys(value)) if isinstance(value, tuple) else value
        spec = spec.model_copy(update={section: part.model_copy(update={key: unique})})
    return spec


class BruteForce:
    """Every subset of the stated atoms, solved.

    Of more than FEW atoms, a subset is not solved where another tells its answer (see test_loosening): without more
    than what is enough there is a design too, and without less than what is not enough there is none either. No such
    subset changes what is minimal.
    """

    FEW = 5

    def __init__(self, case: Case) -> None:
        paths = stated(case.spec)
        self.paths = frozenset(paths)
        self.feasible_without: dict[frozenset[str], bool] = {}
        solved: dict[frozenset[str], bool] = {}
        sizes = sorted(range(len(paths) + 1), key=lambda size: min(size, len(paths) - size))
        for without in (frozenset(each) for size in sizes for each in combinations(paths, size)):
            known = None
            if len(paths) > self.FEW:
                known = next(
                    (held for other, held in solved.items() if (other <= without if held else without <= other)), None
                )
            if known is None:
                known = solved[without] = self._solve(case, without)
            self.feasible_without[without] = known

    @staticmethod
    def _solve(case: Case, without: frozenset[str]) -> bool:
        return cost_of(Case(case.snapshot, dropped(case.spec, without))) < NOTHING

    def conflicts(self) -> set[frozenset[str]]:
        """Minimal sets that cannot be met together, whatever becomes of the others."""
        impossible = {self.paths - without for without, feasible in self.feasible_without.items() if not feasible}
        return {each for each in impossible if not any(other < each for other in impossible)}

    def relaxations(self) -> set[frozenset[str]]:
        """Minimal sets without which there is a design."""
        enough = {without for without, feasible in self.feasible_without.items() if feasible}
        return {each for each in enough if not any(other < each for other in enough)}
