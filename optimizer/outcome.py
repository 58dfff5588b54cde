"""The answer, as every command prints it with `--json`.

One object with the same keys in every answer; null where a key has no value. Latencies in seconds, money in dollars,
memory in bytes.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1


class Result(BaseModel):
    """Base of every part of an answer: immutable, no NaN or infinity can leave."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


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
    verified_by: str = "none"


class Scope(Result):
    """What the proof covers; `custom_parts` are those that the specification brings, measured or not."""

    pools: str
    engines: tuple[str, ...]
    formats: tuple[str, ...]
    estimated_parts: bool
    undated: bool
    custom_parts: tuple[str, ...] = ()


class Assumed(Result):
    """Something that the user did not state."""

    key: str
    value: str
    why: str


class Cost(Result):
    """Cost of the design; each per-million figure divides the whole cost by that kind of token served.

    An offline job costs `usd_per_hour` while it runs, and nothing by the month; its `idle_share` is the drain's.
    """

    usd_per_hour: float
    usd_per_month: float | None
    usd_per_million_input_tokens: float
    usd_per_million_output_tokens: float
    usd_per_million_tokens: float
    idle_share: float


class LayoutOut(Result):
    """Parallelism of one replica."""

    tp: int
    pp: int
    ep: int
    dp_attention: int


class FormatsOut(Result):
    """Number formats of a design."""

    weights: str
    activations: str
    kv: str


class EngineOut(Result):
    """Engine and its limits."""

    name: str
    max_num_seqs: int
    max_num_batched_tokens: int


class Pool(Result):
    """Equal replicas on equal instances; `available_instances` is null where nobody says how many there are."""

    role: str = "mixed"
    accelerator: str
    evidence: str
    offer: str
    price_kind: str
    price_date: str | None
    price_source: str
    usd_per_hour_per_instance: float
    available_instances: int | None
    instances: int
    replicas: int
    accelerators: int
    accelerators_per_replica: int
    layout: LayoutOut
    formats: FormatsOut
    engine: EngineOut


class Design(Result):
    """The system."""

    pools: tuple[Pool, ...]


class Latency(Result):
    """One latency metric; `p99_interval` is the central 90 % interval, its end null where the replica overloads."""

    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    p99_interval: tuple[float, float | None]


class Predicted(Result):
    """What the design will do at the stated rate, as a point prediction, and at the scenario of the risk.

    `output_tokens_per_s` is served by all replicas together. `utilization` is the rate over the highest rate. A job
    has no latencies: its requests wait for their turn; its duration at the risk stands beside its window.
    """

    ttft_s: Latency | None
    tpot_s: Latency | None
    e2e_s: Latency | None
    at_risk_s: dict[str, float]
    output_tokens_per_s: float
    utilization: float
    memory_bytes_per_accelerator: float
    highest_rate_per_s: float


class Padding(Result):
    """Prompt tokens that a static batch would add by padding, as a share, with prompts sorted into length buckets."""

    buckets: int
    overhead: float


class OfflineOut(Result):
    """An offline job: what it asks for, how long it takes and what it costs.

    `duration_s`, `drain_s` and `usd_per_job` are at the risk's scenario, the `expected_` ones point predictions;
    `duration_interval_s` is the central 90 % interval, its end null where the longest request no longer fits.
    `interruptions` is the expected number over all instances. `padding` and `longest_output_overhead` are of engines
    that run static batches; those of this answer batch continuously and pad nothing.
    """

    requests: int
    window_s: float
    duration_s: float
    drain_s: float
    expected_duration_s: float
    duration_interval_s: tuple[float, float | None]
    expected_requests_per_s: float
    expected_tokens_per_s: float
    sequences_per_replica: float
    interruptions: float
    usd_per_job: float
    expected_usd_per_job: float
    padding: tuple[Padding, ...]
    longest_output_overhead: float


class WallOut(Result):
    """One wall beside the design. Null where the figure does not apply.

    `gain_of_10_percent`: more requests per second, or more speed where the fastest is sought, with a tenth more of it.
    """

    id: str
    number: int | None
    utilization: float | None
    binding: bool
    gain_of_10_percent: float | None
    cost_falls_at_factor: float | None


class PartNumbers(Result):
    """Numbers of one accelerator: dense FLOP/s, links in one direction; null where a design does not use one."""

    memory_bytes: float
    memory_bandwidth_bytes_per_s: float
    compute_flop_per_s: float
    link_bytes_per_s: float | None


class JointPoint(Result):
    """Numbers that are enough together, none of which can be 1 % less.

    `least` is the resource that is as low as it can be alone; null for the balanced point.
    """

    least: str | None
    needs: PartNumbers


class CountOut(Result):
    """The layout that asks least of its accelerators when there are so many, and what it asks together."""

    accelerators: int
    replicas: int
    accelerators_per_replica: int
    layout: LayoutOut
    needs: PartNumbers


class Lack(Result):
    """A number of a part that is below the nearest joint point."""

    resource: str
    has: float
    needs: float


class Rented(Result):
    """The fewest accelerators of a part that meet the requirements, and the prices at which they cost the optimum.

    `listed_usd_per_hour_per_instance` is the cheapest price of the same machine among the providers, regions and
    tiers of the spec; null where there is none.
    """

    accelerators: int
    instances: int
    accelerators_per_instance: int
    layout: LayoutOut
    formats: FormatsOut
    break_even_usd_per_hour_per_accelerator: float
    break_even_usd_per_hour_per_instance: float
    listed_usd_per_hour_per_instance: float | None


class RivalOut(Result):
    """A part that was not chosen.

    `numbers`: in the design's layout and formats, null where it cannot run them. `covers`: the chosen part would do
    with these numbers; else `lacks` names what is below the nearest joint point. `meets`: as many accelerators in the
    same layout meet every requirement when evaluated. `rented` is null, with `refusal` saying why, where no number of
    accelerators meets them.
    """

    accelerator: str
    evidence: str
    numbers: PartNumbers | None
    covers: bool
    meets: bool
    lacks: tuple[Lack, ...]
    rented: Rented | None
    refusal: str | None


class MinimumHardware(Result):
    """What hardware would be just enough for the design's layout, formats and count, per accelerator.

    Each number of `alone` is enough beside the other numbers of `part`, `precision` is the matrix unit whose FLOP/s are
    quoted. `joint`, `best_count` and `parts` are empty until `roofplan inverse` fills them.
    """

    accelerator: str
    accelerators: int
    accelerators_per_replica: int
    precision: str
    part: PartNumbers
    alone: PartNumbers
    joint: tuple[JointPoint, ...] = ()
    best_count: tuple[CountOut, ...] = ()
    parts: tuple[RivalOut, ...] = ()


class Floor(Result):
    """Why nothing is feasible: a requirement and the least number that any admitted design reaches."""

    requirement: str
    limit: float
    least: float
    accelerator: str
    explanation: str


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


class Choice(Result):
    """A design in short."""

    accelerator: str
    offer: str
    instances: int
    replicas: int
    layout: LayoutOut
    formats: FormatsOut
    price_kind: str
    price_date: str | None
    price_source: str
    usd_per_hour: float


class Alternative(Choice):
    """The best of the designs with one part, layout and choice of formats, and what it lacks.

    `value` is of the objective's metric. The figures are null unless alternatives are asked for; latencies are point
    predictions. `usd_per_job` is null unless there is an offline job.
    """

    value: float
    usd_per_job: float | None = None
    why_not: str
    ttft_p99_s: float | None
    tpot_p99_s: float | None
    binding_wall: str | None


class NearOptimum(Result):
    """Every distinct design whose objective is within `share` of the optimum, which is the first."""

    share: float
    count: int
    designs: tuple[Choice, ...]


class FrontierStep(Choice):
    """A step of the staircase: the tightest limit, in seconds at the risk's scenario, that such a cost meets."""

    limit_s: float


class FrontierOut(Result):
    """Least cost at every limit on one statistic, from the tightest to where a looser limit saves nothing.

    Exact for limits of `digits` digits. `complete`: nothing meets a tighter limit than the first; else the list ends at
    `most_steps`.
    """

    requirement: str
    digits: int
    most_steps: int
    complete: bool
    steps: tuple[FrontierStep, ...]


class Allowance(Result):
    """What the answer would cost if the spec allowed more, or asked for less certainty; of a job, its fleet too."""

    change: str
    usd_per_hour: float | None
    usd_per_job: float | None = None
    accelerators: int | None = None


class PriceFileOut(Result):
    """The user's own prices beside the catalog: the file as the spec names it, and the SHA-256 of its bytes.

    `offers` is how many offers it prices, `admitted` how many of these the inventory admits.
    """

    file: str
    sha256: str
    offers: int
    admitted: int


class DispersionOut(Result):
    """Variance over mean of the requests in bins of `scale_s` seconds: 1 for Poisson arrivals, more for bursts."""

    scale_s: float
    index: float


class TraceOut(Result):
    """The trace that rate and lengths were read from: its file, the SHA-256 of its bytes, and its busiest window.

    `correlation` of prompt and output lengths and `index_of_dispersion` are of the window, where they are known;
    `prefix_hit_ceiling` is the share of all prompt tokens that came before, None for a trace without hashes.
    """

    file: str
    sha256: str
    requests: int
    window_start: str
    window_s: float
    window_requests: int
    index_of_dispersion: tuple[DispersionOut, ...]
    correlation: float | None
    prefix_hit_ceiling: float | None


SpecValue = bool | int | float | str | tuple[str, ...] | tuple[int, ...] | dict[str, int]
"""A value as a specification writes it: SI for latencies, dollars for budgets, a range as its ends."""


class Change(Result):
    """One requirement of the specification: what it states (`from` in JSON), and what it would have to state."""

    model_config = ConfigDict(serialize_by_alias=True)

    requirement: str
    stated: SpecValue = Field(serialization_alias="from")
    to: SpecValue


class Relaxation(Result):
    """Changes that together give a design at this cost; `verified`: the changed specification was solved once more."""

    changes: tuple[Change, ...]
    usd_per_hour: float
    verified: bool


class Verdict(StrEnum):
    """What a simulation says of a limit: the whole 95 % interval within it, across it, or beyond it."""

    HOLDS = "holds"
    UNDECIDED = "undecided"
    VIOLATED = "violated"


class SimulatedStatistic(Result):
    """A latency statistic as the law predicts it and as requests had it; null where unfinished requests reach it.

    `interval_s` is the 95 % interval of the simulated value; its ends are null as the value is.
    """

    metric: str
    statistic: str
    predicted_s: float
    simulated_s: float | None
    interval_s: tuple[float | None, float | None]


class SimulatedLimit(Result):
    """A limit of the specification against the simulation at the scenario of its risk; null as in the statistics."""

    requirement: str
    limit_s: float
    predicted_s: float
    simulated_s: float | None
    interval_s: tuple[float | None, float | None]
    verdict: Verdict


class SimulatedScenario(Result):
    """One scenario: its risk, all statistics, and the share of requests that were not finished in time."""

    risk: float
    statistics: tuple[SimulatedStatistic, ...]
    unfinished_share: float
    preemptions: int


class SimulationOut(Result):
    """The design under simulated requests, `requests` counted of each seed.

    `burstiness` is the squared coefficient of variation of the time between arrivals; the law takes it as 1.
    `scenarios`: the point prediction, then the one of the risk if that is another; `limits` speak of the last.
    """

    seeds: tuple[int, ...]
    requests: int
    router: str
    burstiness: float
    request_rate_per_s: float
    replicas: int
    scenarios: tuple[SimulatedScenario, ...]
    limits: tuple[SimulatedLimit, ...]


class Timing(Result):
    """Wall time of the answer."""

    seconds: float


class Outcome(Result):
    """The whole answer.

    conflicts: every minimal set of requirements that cannot be met together, and relaxations: cheapest first; both null
    where there is a design. simulation: null unless it is asked for.
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
    allowances: tuple[Allowance, ...] = ()
    search: SearchOut
    catalog_hash: str
    prices: PriceFileOut | None = None
    trace: TraceOut | None = None
    warnings: tuple[str, ...] = ()
    timing: Timing = Field(default=Timing(seconds=0.0))
