"""The whole answer."""

from enum import StrEnum

from pydantic import ConfigDict, Field

from optimizer.outcome.asked import Assumed, PriceFileOut, Scope, TraceOut
from optimizer.outcome.choices import Allowance, Alternative, FrontierOut, NearOptimum
from optimizer.outcome.design import Cost, Design
from optimizer.outcome.hardware import MinimumHardware
from optimizer.outcome.mechanisms import MechanismsOut
from optimizer.outcome.operation import FailureOut, GrowthOut, ProfileOut
from optimizer.outcome.prediction import OfflineOut, Predicted, WallOut
from optimizer.outcome.result import Result
from optimizer.outcome.simulation import SimulationOut, VerificationOut, VerifiedBy
from optimizer.outcome.ways_out import Floor, Relaxation

SCHEMA_VERSION = 1


class Status(StrEnum):
    """What was found out."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    UNKNOWN = "unknown"


class ObjectiveMetric(StrEnum):
    """The unit of an objective.

    Made least: dollars of an hour, dollars of an offline job, accelerators of the smallest fleet, seconds from arrival
    to last token. Made most: requests per second.
    """

    USD_PER_HOUR = "usd_per_hour"
    USD = "usd"
    ACCELERATORS = "accelerators"
    E2E_MEAN_S = "e2e_mean_s"
    REQUESTS_PER_S = "requests_per_s"


class Objective(Result):
    """What was optimised. `analytic_bound` is the optimum before verification, `verified_by` what confirmed it."""

    metric: ObjectiveMetric = ObjectiveMetric.USD_PER_HOUR
    value: float | None
    bound: float | None
    analytic_bound: float | None
    verified_by: VerifiedBy = VerifiedBy.NONE


class SearchOut(Result):
    """The ledger in rows, and the solver."""

    candidates: int
    illegal: int
    illegal_by_reason: dict[str, int]
    bounded: int
    refused: int
    dominated: int
    optimal: int
    tied: int
    refined: int
    columns: int
    solver: str


class Timing(Result):
    """Wall time of the answer."""

    seconds: float


class Outcome(Result):
    """The whole answer.

    conflicts: every minimal set of requirements that cannot be met together, and relaxations: cheapest first; both null
    where there is a design. simulation, mechanisms: null unless asked for. verification: null where nothing was
    simulated to confirm the design. profile and growth: null unless the specification has one. failure: null without
    either, unless it asks for spare replicas.
    """

    # of its parts, only a change has another name in JSON
    model_config = ConfigDict(serialize_by_alias=True)

    schema_version: int = SCHEMA_VERSION
    status: Status
    proved: bool
    objective: Objective
    scope: Scope
    assumed: tuple[Assumed, ...]
    cost: Cost | None
    design: Design | None
    predicted: Predicted | None
    offline: OfflineOut | None = None
    profile: ProfileOut | None = None
    growth: GrowthOut | None = None
    failure: FailureOut | None = None
    binding_wall: str | None
    also_binding: tuple[str, ...] = ()
    walls: tuple[WallOut, ...]
    floor: Floor | None = None
    minimum_hardware: MinimumHardware | None = None
    conflicts: tuple[tuple[str, ...], ...] | None = None
    relaxations: tuple[Relaxation, ...] | None = None
    alternatives: tuple[Alternative, ...] = ()
    near_optimum: NearOptimum | None = None
    frontier: FrontierOut | None = None
    simulation: SimulationOut | None = None
    verification: VerificationOut | None = None
    mechanisms: MechanismsOut | None = None
    allowances: tuple[Allowance, ...] = ()
    search: SearchOut
    catalog_hash: str
    prices: PriceFileOut | None = None
    trace: TraceOut | None = None
    warnings: tuple[str, ...] = ()
    timing: Timing = Field(default=Timing(seconds=0.0))
