"""The spec of one serving system: model, workload, limits, and what may be used to meet them. All numbers are SI."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from requirements_specs.owned import OwnedMachines
from requirements_specs.prices import Discount, PriceFile
from requirements_specs.quantity import HOURS_PER_MONTH, floor_micro_dollars
from requirements_specs.requirement import BudgetMetric, Frozen, LatencyLimit, Requirement
from requirements_specs.workload import Workload

Names = Annotated[tuple[str, ...], Field(min_length=1)]


LEAST_RISK = 1e-6
"""Nobody knows step times so well that a smaller share of being wrong would mean anything."""


class Objective(StrEnum):
    """What is optimised; `needs_cap`: where without a budget or an inventory more would always be better.

    fastest: the least mean time from arrival to the last token. most_requests: the highest request rate.
    """

    CHEAPEST = "cheapest"
    FASTEST = "fastest"
    MOST_REQUESTS = "most_requests"
    SMALLEST_FLEET = "smallest_fleet"

    @property
    def needs_cap(self) -> bool:
        """Whether a specification with this objective must cap what may be rented."""
        return self in (Objective.FASTEST, Objective.MOST_REQUESTS)


class Pools(StrEnum):
    """Whether prefill and decode share their replicas."""

    MIXED = "mixed"


class Budget(Frozen):
    """Upper limits of the cost in dollars; None where there is none. A month has 730 h."""

    usd_per_hour: float | None = Field(default=None, gt=0)
    usd_per_month: float | None = Field(default=None, gt=0)
    usd_per_million_output_tokens: float | None = Field(default=None, gt=0)

    @property
    def usd_micro_per_hour(self) -> int | None:
        """The most whole micro-dollars per hour within both the hourly and the monthly limit; None without either."""
        limits = []
        if self.usd_per_hour is not None:
            limits.append(floor_micro_dollars(self.usd_per_hour))
        if self.usd_per_month is not None:
            limits.append(floor_micro_dollars(self.usd_per_month) // HOURS_PER_MONTH)
        return min(limits, default=None)

    @property
    def requirements(self) -> tuple[Requirement, ...]:
        """The limits that are given."""
        limits = ((metric, getattr(self, metric.value)) for metric in BudgetMetric)
        return tuple(
            Requirement(id=f"budget.{metric}", metric=metric, limit=limit)
            for metric, limit in limits
            if limit is not None
        )


class Spot(Frozen):
    """How often the provider takes a spot instance back, and how long its replicas then need to serve again."""

    interruptions_per_hour: float = Field(ge=0)
    restart_s: float = Field(ge=0)


class Inventory(Frozen):
    """What may be rented; None: everything that the catalog holds.

    `accelerators` are part ids, `exclude_offers` offer ids. `custom_accelerators` are the ids of the parts that the
    spec brings, which are admitted beside those of the catalog. `estimated_parts` allows other parts without measured
    step times, `undated` offers without a price date. `owned` machines stand beside what is rented, whatever providers,
    regions and tiers say; `prices` and `discounts` are the user's own. `spot` is how spot instances are interrupted
    during an offline job.
    """

    providers: Names | None = None
    regions: Names | None = None
    tiers: Names = ("on_demand",)
    accelerators: Names | None = None
    custom_accelerators: tuple[str, ...] = ()
    exclude_offers: tuple[str, ...] = ()
    max_accelerators: int | None = Field(default=None, ge=1)
    estimated_parts: bool = False
    undated: bool = False
    owned: tuple[OwnedMachines, ...] = ()
    prices: PriceFile | None = None
    discounts: tuple[Discount, ...] = ()
    spot: Spot | None = None


class Formats(Frozen):
    """Number formats that may be used; None: the checkpoint's own, fp8 weights where the part is native, KV bf16."""

    weights: Names | None = None
    activations: Names | None = None
    kv: Names | None = None


class IntegerChoice(Frozen):
    """Integers that a layout may use: those of `values`, or all from `least` to `greatest` (None: no upper end)."""

    values: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] | None = None
    least: int = Field(default=1, ge=1)
    greatest: int | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.greatest is not None and self.greatest < self.least:
            raise ValueError(f"no integer lies between {self.least} and {self.greatest}")
        return self

    def allows(self, value: int) -> bool:
        """Whether a layout may have `value`."""
        if self.values is not None:
            return value in self.values
        return self.least <= value and (self.greatest is None or value <= self.greatest)


class Layout(Frozen):
    """Pins of the parallel layout of one replica; None: the solver chooses."""

    tp: IntegerChoice | None = None
    pp: IntegerChoice | None = None
    ep: IntegerChoice | None = None
    dp_attention: IntegerChoice | None = None
    accelerators_per_replica: IntegerChoice | None = None


class Availability(Frozen):
    """Replicas kept in spare, and the largest share of a replica's capacity that may be used.

    `cold_start_s`: from renting an instance until its replicas serve; None: not stated.
    """

    spare_replicas: int = Field(default=0, ge=0)
    load_cap: float = Field(default=0.8, gt=0, le=1)
    cold_start_s: float | None = Field(default=None, gt=0)


class Assumption(Frozen):
    """Something that the user did not state: the key, what was taken, and why."""

    key: str
    value: str
    why: str


class ServingSpec(Frozen):
    """`kind: serving`: the best replicas, by its objective, that carry a workload within its limits.

    `risk`: every limit must hold with probability 1 − risk; 0.5 is the point prediction. `model` is the
    id of a catalog model, or of one that the spec brings.
    """

    kind: Literal["serving"] = "serving"
    name: str
    model: str
    objective: Objective = Objective.CHEAPEST
    risk: float = Field(default=0.1, ge=LEAST_RISK, le=0.5)
    workload: Workload
    slo: tuple[LatencyLimit, ...] = ()
    budget: Budget = Budget()
    inventory: Inventory = Inventory()
    formats: Formats = Formats()
    layout: Layout = Layout()
    engines: Names = ("vllm",)
    pools: Pools = Pools.MIXED
    availability: Availability = Availability()
    assumed: tuple[Assumption, ...] = ()

    @property
    def requirements(self) -> tuple[Requirement, ...]:
        """Latency limits, then budget limits, in the order of the spec."""
        return (*(limit.requirement for limit in self.slo), *self.budget.requirements)


Spec = ServingSpec
"""Any spec, told apart by `kind`; serving is the only kind of this version."""
