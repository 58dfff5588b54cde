"""What simulated requests say of the design."""

from enum import StrEnum

from optimizer.outcome.design import EngineOut, FormatsOut, LayoutOut
from optimizer.outcome.result import Result


class VerifiedBy(StrEnum):
    """What confirmed a design beside the laws of the evaluation."""

    SIMULATION = "simulation"
    NONE = "none"


class Verdict(StrEnum):
    """What a simulation says of a limit: the whole 95 % interval within it, across it, or beyond it."""

    HOLDS = "holds"
    UNDECIDED = "undecided"
    VIOLATED = "violated"


class SimulatedStatistic(Result):
    """A latency statistic as the law predicts it and as requests had it; null where unfinished requests reach it.

    `predicted_s` is null where more comes than the design carries by the laws, from a trace or with drafts.
    `interval_s` is the 95 % interval of the simulated value; its ends are null as the value is.
    """

    metric: str
    statistic: str
    predicted_s: float | None
    simulated_s: float | None
    interval_s: tuple[float | None, float | None]


class SimulatedLimit(Result):
    """A limit of the specification against the simulation at the scenario of its risk; null as in the statistics."""

    requirement: str
    limit_s: float
    predicted_s: float | None
    simulated_s: float | None
    interval_s: tuple[float | None, float | None]
    verdict: Verdict


class SimulatedScenario(Result):
    """One scenario: its risk, all statistics, and the share of requests that were not finished in time.

    `prefix_hit` is the share of prompt tokens that a simulated prefix cache held, null without one.
    """

    risk: float
    statistics: tuple[SimulatedStatistic, ...]
    unfinished_share: float
    preemptions: int
    prefix_hit: float | None


class SimulatedTrace(Result):
    """The trace whose requests were replayed, and its window: the busiest of its length, or all of the trace.

    The design carries `design_rate_per_s`. `prefix_hit_ceiling` is what a cache without end would find in the trace.
    """

    file: str
    sha256: str
    requests: int
    window_start: str
    window_s: float
    window_requests: int
    design_rate_per_s: float
    prefix_hit_ceiling: float | None


class SimulatedDrafts(Result):
    """How the simulated design drafts: tokens a step, each accepted with a chance and drafted in so many decode steps.

    `kept_tokens` is the mean that a step keeps, where the answer does not end.
    """

    drafted: int
    acceptance: float
    draft_cost: float
    kept_tokens: float


class SimulationOut(Result):
    """The design under simulated requests, `requests` counted of each seed, or of the trace, which has none.

    `burstiness` is the squared coefficient of variation of the time between arrivals; the law knows of it, too, but for
    a trace, where it takes what the specification says.
    `scenarios`: the point prediction, then the one of the risk if that is another; `limits` speak of the last.
    `drafts`: of a design that drafts, in the law and in the simulation; null without.
    """

    seeds: tuple[int, ...]
    requests: int
    router: str
    burstiness: float
    request_rate_per_s: float
    replicas: int
    scenarios: tuple[SimulatedScenario, ...]
    limits: tuple[SimulatedLimit, ...]
    drafts: SimulatedDrafts | None
    trace: SimulatedTrace | None


class Refused(Result):
    """A candidate that simulation refuses with so many replicas or fewer; `limits` are what it had with so many."""

    accelerator: str
    layout: LayoutOut
    formats: FormatsOut
    engine: EngineOut
    replicas: int
    usd_per_hour: float
    limits: tuple[SimulatedLimit, ...]


class VerificationOut(Result):
    """How search and simulation came to the design.

    `analytic_bound` of the objective is the optimum of the laws, which `refusals` cut off; the model was solved
    `rounds` times. `requests` were counted of each seed, or of a trace, which has no seeds, on `pipelines` of the
    design that got `request_rate_per_s` together, in the scenario of the risk. Where no design was accepted, all that
    tells of the simulated design is null.
    """

    rounds: int
    seeds: tuple[int, ...] | None
    requests: int | None
    pipelines: int | None
    request_rate_per_s: float | None
    limits: tuple[SimulatedLimit, ...] | None
    unfinished_share: float | None
    preemptions: int | None
    refusals: tuple[Refused, ...]
