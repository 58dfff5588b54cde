"""What the search finds, and what an answer to a specification holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from optimizer.bottleneck.binding import Binding
from optimizer.question import Nothing, Problem
from optimizer.search.bounds import Demand
from optimizer.search.columns import Column
from optimizer.search.count_model import CountSolution
from optimizer.search.ledger import Ledger
from optimizer.search.refine import Refinement
from requirements_specs.requirement import LatencyLimit, Metric, Statistic

if TYPE_CHECKING:
    from optimizer.bottleneck.infeasible import Impossible
    from optimizer.search.frontier import Frontier
    from optimizer.search.sizing import Sizing
    from optimizer.traffic.simulate import Estimate
    from optimizer.ways_out import WaysOut

# The optimum and two alternatives.
DESIGNS_REPORTED = 3


@dataclass(frozen=True)
class Beside:
    """What is asked beside the optimum.

    alternatives: how many of the next distinct designs, with their figures, and all within `NEAR_PERCENT` of the
    optimum; None: two, without figures. frontier: the statistic whose limit is moved; None: no frontier.
    """

    alternatives: int | None = None
    frontier: tuple[Metric, Statistic] | None = None


NOTHING_BESIDE = Beside()


@dataclass(frozen=True)
class Alternative:
    """A design that loses, the demand that it carries, and what binds it; None if its figures are not asked for."""

    column: Column
    demand: Demand
    binding: Binding | None


@dataclass(frozen=True)
class HeldLimit:
    """A limit, its statistic as the laws predict it in seconds, and as simulated requests had it."""

    limit: LatencyLimit
    predicted_s: float
    simulated: Estimate


@dataclass(frozen=True)
class Judgement:
    """What simulated requests say of a design in the scenario of the risk.

    column: the design; simulation may have raised its engine slots. requests: counted of each seed. pipelines: those
    that were simulated, and rate_per_s: what they got together.
    """

    column: Column
    accepted: bool
    seeds: tuple[int, ...]
    requests: int
    pipelines: int
    rate_per_s: float
    limits: tuple[HeldLimit, ...]
    unfinished_share: float
    preemptions: int


@dataclass(frozen=True)
class Verification:
    """How search and simulation came to the design.

    analytic: the optimum of the laws alone. rounds: how often the model was solved. refusals: one for each cut, at the
    most replicas that were refused. judgement: of the design; None where no design was accepted.
    """

    analytic: Column
    rounds: int
    refusals: tuple[Judgement, ...]
    judgement: Judgement | None


@dataclass(frozen=True)
class Answer:
    """A proved design and what stands beside it.

    columns: exact candidates in their order, the first is the design. alternatives: the best column of each of the
    next distinct designs. near: the same of every design within `NEAR_PERCENT` of the optimum, itself included.
    problem: with the demand that the design carries, which is an answer itself where the most requests are sought.
    point_usd_micro: cost at the point prediction, None where that is what was asked. allowed_usd_micro: cost with
    estimated parts and undated prices; None where that finds nothing cheaper. poisson_usd_micro: cost with Poisson
    arrivals, None where the arrivals are. All three are None unless cost is the objective, and for a job, whose
    designs at these terms are point_column and allowed_column. All that stands beside the design is by the laws alone.
    verification: None where nothing was simulated. sizing: how many units of the design's candidate other rates
    need; None where the specification says nothing of other rates or of spare replicas. period_units: the units of
    each period, accepted by simulation; None where they are by the laws alone.
    """

    problem: Problem
    columns: tuple[Column, ...]
    design: Column
    alternatives: tuple[Alternative, ...]
    near: tuple[Column, ...] | None
    solution: CountSolution
    ledger: Ledger
    refined: int
    binding: Binding
    point_usd_micro: int | None
    allowed_usd_micro: int | None
    poisson_usd_micro: int | None = None
    point_column: Column | None = None
    allowed_column: Column | None = None
    frontier: Frontier | None = None
    verification: Verification | None = None
    sizing: Sizing | None = None
    period_units: tuple[int, ...] | None = None


@dataclass(frozen=True)
class NoAnswer:
    """No design meets the specification.

    impossible: the wall at any rate, None where only the caps are in the way. uncapped: the cheapest design without
    budget and accelerator cap and with any number of the owned machines, None where there is none. ways_out: the
    conflicts and the relaxations, None for a job.
    """

    problem: Problem | Nothing
    ledger: Ledger
    refined: int
    impossible: Impossible | None
    uncapped: Column | None
    ways_out: WaysOut | None
    frontier: Frontier | None = None


@dataclass(frozen=True)
class Found:
    """What the search found: exact columns in the order of ties, the first chosen by CP-SAT, and how rows ended."""

    columns: tuple[Column, ...]
    solution: CountSolution
    refinement: Refinement

    @property
    def design(self) -> Column:
        """The proved optimum."""
        return self.columns[self.solution.column]
