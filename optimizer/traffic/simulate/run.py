"""Several seeds of one fleet under one workload, or a trace, without what the empty start and the end distort."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic.simulate.requests import Requests, Stream, draw_requests
from optimizer.traffic.simulate.router import Router, Served, serve
from optimizer.traffic.simulate.steps import PipelineSteps
from optimizer.traffic.simulate.stepwise import EngineLimits
from requirements_specs.requirement import Metric
from requirements_specs.workload import Workload

if TYPE_CHECKING:
    from optimizer.arithmetic.speculative import Speculation

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fleet:
    """Equal pipelines behind a router.

    host_s: time of a request outside the steps, before its first token. own_prefill_factor: measured ratio of the wait
    for the own prefill to its work; what exceeds 1 is added to the first token, as the law of the first token does.
    speculation: where the steps are those that draft and verify.
    """

    steps: PipelineSteps
    limits: EngineLimits
    pipelines: int
    router: Router
    host_s: float
    own_prefill_factor: float
    speculation: Speculation | None = None


@dataclass(frozen=True)
class Plan:
    """What is run.

    requests: counted of each seed. margin: requests before and after them that load the fleet and are not counted.
    """

    seeds: tuple[int, ...]
    requests: int
    margin: int
    burstiness: float = 1.0


@dataclass(frozen=True)
class Sample:
    """Counted requests of S seeds, (S, n) seconds each, in the order of arrival.

    Infinite where a request was not finished in time; TPOT is NaN where there is one output token.
    slots_filled: whether all slots of a pipeline were ever taken; if not, more of them would change nothing.
    prefix_hit: share of the prompt tokens that a simulated prefix cache held; None without one.
    """

    ttft_s: Floats
    tpot_s: Floats
    e2e_s: Floats
    preemptions: int
    slots_filled: bool
    prefix_hit: float | None = None

    def of(self, metric: Metric) -> Floats:
        """The samples of a metric."""
        return {Metric.TTFT: self.ttft_s, Metric.TPOT: self.tpot_s, Metric.E2E: self.e2e_s}[metric]

    @property
    def unfinished(self) -> int:
        """Requests that were not finished in time."""
        return int(np.isinf(self.e2e_s).sum())


def run(
    fleet: Fleet, workload: Workload, rate_per_s: float, plan: Plan, after_seed: Callable[[], None] = lambda: None
) -> Sample:
    """Simulate every seed, and call `after_seed` after each."""
    counted = slice(plan.margin, plan.margin + plan.requests)
    samples = []
    for seed in plan.seeds:
        requests = draw_requests(workload, rate_per_s, plan.requests + 2 * plan.margin, seed, plan.burstiness)
        samples.append(replay(fleet, Stream(requests, counted)))
        after_seed()
    return Sample(
        ttft_s=np.concatenate([sample.ttft_s for sample in samples]),
        tpot_s=np.concatenate([sample.tpot_s for sample in samples]),
        e2e_s=np.concatenate([sample.e2e_s for sample in samples]),
        preemptions=sum(sample.preemptions for sample in samples),
        slots_filled=any(sample.slots_filled for sample in samples),
    )


def replay(fleet: Fleet, stream: Stream) -> Sample:
    """Serve a stream once and return what counts of it, (1, n).

    After the last arrival the fleet runs on for as long again as all took to come.
    """
    requests = stream.requests
    served = serve(
        fleet.steps,
        fleet.limits,
        fleet.pipelines,
        requests,
        fleet.router,
        horizon_of(requests),
        speculation=fleet.speculation,
    )
    return sample_of(fleet, stream, served)


def horizon_of(requests: Requests) -> float:
    """When a simulation ends, seconds."""
    return 2.0 * float(requests.arrival_s[-1])


def sample_of(fleet: Fleet, stream: Stream, served: Served) -> Sample:
    """What counts of served requests, (1, n), whose first tokens came from the fleet."""
    requests, counted, found = stream.requests, stream.counted, served.found_tokens
    computed = requests.new_tokens if found is None else requests.new_tokens - found
    before_s = fleet.host_s + max(fleet.own_prefill_factor - 1.0, 0.0) * fleet.steps.beside(computed)
    first_s, end_s = served.first_s[counted], served.end_s[counted]
    decoding_s = np.subtract(end_s, first_s, out=np.full_like(end_s, np.inf), where=np.isfinite(end_s))
    further_tokens = requests.output_tokens[counted] - 1.0
    since_s = (requests.arrival_s - before_s)[counted]
    tpot_s = np.where(further_tokens > 0.0, decoding_s / np.maximum(further_tokens, 1.0), np.nan)
    return Sample(
        ttft_s=(first_s - since_s)[None, :],
        tpot_s=tpot_s[None, :],
        e2e_s=(end_s - since_s)[None, :],
        preemptions=served.preemptions,
        slots_filled=served.slots_filled,
        prefix_hit=None if found is None else float(found[counted].sum() / requests.prompt_tokens[counted].sum()),
    )
