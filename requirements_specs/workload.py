"""What arrives: how many requests, how long they are, and how much of a prompt is already cached."""

from pydantic import Field

from requirements_specs.lengths import LengthDistribution
from requirements_specs.requirement import Frozen

LEAST_REQUEST_RATE_PER_S = 1e-6
"""The rate that is taken where the highest is sought and no least rate is given: one request in twelve days."""


class Workload(Frozen):
    """Independent requests with Poisson arrivals.

    `request_rate_per_s` is the mean rate, the least one where the objective is most requests; the design is sized for
    `peak_factor` times it. `prefix_cache_hit` is the share of prompt tokens whose keys and values are found in the
    prefix cache. Prompt and output lengths are independent of each other.
    """

    request_rate_per_s: float = Field(gt=0)
    prompt_tokens: LengthDistribution
    output_tokens: LengthDistribution
    prefix_cache_hit: float = Field(default=0.0, ge=0, lt=1)
    peak_factor: float = Field(default=1.0, ge=1)

    @property
    def peak_request_rate_per_s(self) -> float:
        """The rate that the design must carry, requests per second."""
        return self.request_rate_per_s * self.peak_factor
