"""What arrives: how many requests, how long they are, and how much of a prompt is already cached."""

from math import fsum, isclose
from typing import Self

from pydantic import Field, model_validator

from requirements_specs.lengths import LengthDistribution
from requirements_specs.profile import CYCLES_HOURS, Growth, Period
from requirements_specs.requirement import Frozen

LEAST_REQUEST_RATE_PER_S = 1e-6
"""The rate that is taken where the highest is sought and no least rate is given: one request in twelve days."""


class Offline(Frozen):
    """A job: all requests wait at the start, and the last must be done when the window ends."""

    requests: int = Field(ge=1)
    window_s: float = Field(gt=0)


class Dispersion(Frozen):
    """Variance over mean of the requests in bins of `scale_s` seconds: 1 for Poisson arrivals, more for bursts."""

    scale_s: float = Field(gt=0)
    index: float = Field(ge=0)


class ArrivalTrace(Frozen):
    """The trace that a workload was read from: its file, its busiest window, and what the workload does not hold.

    `file` is as the specification names it, `path` where it was read. `window_start` is a date or a time as the file
    has it. `correlation` of prompt and output lengths and `dispersions` are those of the window, where they are known;
    `prefix_hit_ceiling` is the share of prompt tokens that a cache without end would find, None for a trace without
    hashes. The longest prompt and output are of the whole trace.
    """

    file: str
    path: str
    sha256: str
    requests: int = Field(ge=2)
    window_start: str
    window_s: float = Field(gt=0)
    window_requests: int = Field(ge=1)
    dispersions: tuple[Dispersion, ...] = ()
    correlation: float | None = None
    prefix_hit_ceiling: float | None = None
    longest_prompt_tokens: int = Field(ge=1)
    longest_output_tokens: int = Field(ge=1)

    @property
    def burstiest(self) -> Dispersion | None:
        """The greatest dispersion, None if none is known."""
        return max(self.dispersions, key=lambda each: each.index, default=None)


class Workload(Frozen):
    """Independent requests: with Poisson arrivals, or with `offline` all there at the start.

    `request_rate_per_s` is the mean rate, the least one where the objective is most requests; with `offline` the one
    that the window asks for: requests over seconds. The design is sized for `peak_factor` times it. With a `profile`
    it is the rate of factor 1, and the design is sized for the highest factor; with `growth` it is the rate of today,
    and the design is sized for the last month. `prefix_cache_hit` is the share of prompt tokens whose keys and values
    are found in the prefix cache. Prompt and output lengths are independent of each other. `index_of_dispersion` is
    the variance over the mean of the number of requests in a time: 1 for Poisson arrivals, more for bursts. `trace` is
    where rate and lengths were read from, if from a trace.
    """

    request_rate_per_s: float = Field(gt=0)
    prompt_tokens: LengthDistribution
    output_tokens: LengthDistribution
    prefix_cache_hit: float = Field(default=0.0, ge=0, lt=1)
    peak_factor: float = Field(default=1.0, ge=1)
    index_of_dispersion: float = Field(default=1.0, ge=1)
    offline: Offline | None = None
    trace: ArrivalTrace | None = None
    profile: tuple[Period, ...] = ()
    growth: Growth | None = None

    @model_validator(mode="after")
    def _rate_of_the_window(self) -> Self:
        job = self.offline
        if job is not None and not isclose(self.request_rate_per_s, job.requests / job.window_s):
            raise ValueError("the rate of an offline workload is its requests over its window")
        return self

    @model_validator(mode="after")
    def _hours_of_a_cycle(self) -> Self:
        if self.profile and not any(isclose(self.cycle_hours, hours) for hours in CYCLES_HOURS):
            raise ValueError("the hours of a profile are those of a day or of a week")
        if self.profile and self.peak_factor != 1.0:
            raise ValueError("the peak of a profile is its highest factor")
        return self

    @property
    def cycle_hours(self) -> float:
        """Hours after which the profile begins again."""
        return fsum(period.hours for period in self.profile)

    @property
    def shares_of_peak(self) -> tuple[float, ...]:
        """The rate of each period over the highest."""
        highest = max((period.factor for period in self.profile), default=1.0)
        return tuple(period.factor / highest for period in self.profile)

    @property
    def grown(self) -> float:
        """The rate at the end of the growth over that of today."""
        return 1.0 if self.growth is None else self.growth.factor(self.growth.months)

    @property
    def mean_request_rate_per_s(self) -> float:
        """The rate over a whole profile, requests per second, at the end of the growth: what the design serves."""
        mean = 1.0
        if self.profile:
            mean = fsum(period.hours * period.factor for period in self.profile) / self.cycle_hours
        return self.request_rate_per_s * mean * self.grown

    @property
    def bursty(self) -> bool:
        """Whether requests come in bursts, and not as Poisson arrivals do."""
        return self.index_of_dispersion > 1.0

    @property
    def peak_request_rate_per_s(self) -> float:
        """The rate that the design must carry, requests per second."""
        peak = max((period.factor for period in self.profile), default=self.peak_factor)
        return self.request_rate_per_s * peak * self.grown
