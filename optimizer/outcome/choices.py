"""What a user may choose instead."""

from optimizer.outcome.design import FormatsOut, LayoutOut
from optimizer.outcome.result import Result


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
