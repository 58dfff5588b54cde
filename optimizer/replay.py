"""The design of an answer under the requests of a trace, as they came.

Steps are tabulated anew for the lengths of the trace, and the laws speak of its rate and lengths as if it were Poisson.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from catalog.models import Model
from optimizer.answers import Answer
from optimizer.errors import QuestionError
from optimizer.evaluate import prepare
from optimizer.simulation import (
    MARGIN_STAYS,
    Law,
    Recording,
    Replayed,
    Runs,
    Simulation,
    compared,
    deviations_of,
    fleet_of,
    risks_of,
    working_replicas,
)
from optimizer.traffic.simulate import Router, replay, requests_of
from optimizer.traffic.workload_bins import WorkloadBins, bin_workload
from requirements_specs.serving import ServingSpec
from requirements_specs.traces.facts import Window, lengths
from requirements_specs.traces.trace import Trace

# A margin lies outside of the window as far as the trace goes, and else takes at most this share of it.
MOST_OF_A_WINDOW = 0.25
# Of fewer the 99th percentile is the slowest one.
FEWEST_COUNTED = 100
SHORTEST_PROMPT_TOKENS = 16.0


def replay_trace(
    spec: ServingSpec,
    model: Model,
    found: Answer,
    recording: Recording,
    router: Router,
    after_run: Callable[[], None] = lambda: None,
) -> Simulation:
    """Serve the requests of a trace, at its own rate, on the design of an answer, spare replicas left out.

    Those count that arrive in the window, but for a margin at either end of the trace. `after_run` is called after each
    risk.

    Raises:
        QuestionError: too few requests count, or one exceeds the context of the model.

    """
    trace, window = recording.trace, recording.window
    _refuse_overlong(model, trace)
    part = window.of(trace)
    if part.span_s == 0.0:
        raise QuestionError("--window: all requests of the busiest window arrive at once; take a longer one")
    workload = spec.workload.model_copy(
        update={"prompt_tokens": lengths(part.prompt_tokens), "output_tokens": lengths(part.output_tokens)}
    )
    demand = replace(found.problem.demand, rate_per_s=window.rate_per_s)
    asked = replace(found, problem=replace(found.problem, demand=demand))
    laws = [Law(_with_bins(asked, bin_workload(workload)), risk) for risk in risks_of(spec)]
    margin_s = min(MARGIN_STAYS * laws[-1].mean_e2e_s, MOST_OF_A_WINDOW * window.length_s)
    served, counted = _around(trace, window, margin_s)
    requests = counted.stop - counted.start
    if requests < FEWEST_COUNTED:
        raise QuestionError(
            f"--trace: {requests} requests count, a 99th percentile needs {FEWEST_COUNTED}; the window has "
            f"{window.requests:,} of {trace.requests:,}, less {margin_s:.3g} s at either end of the trace; "
            "take a longer window or trace"
        )
    # Where blocks are known the cache is simulated, and steps are those of prompts of which nothing is found.
    if trace.prefix_blocks is not None:
        workload = workload.model_copy(update={"prefix_cache_hit": 0.0})
    stepping = _with_bins(asked, _with_all_prompts(bin_workload(workload), float(trace.prompt_tokens.max())))
    arriving = requests_of(trace.part(served.start, served.stop), workload.prefix_cache_hit)
    scenarios = []
    for law in laws:
        scenarios.append(compared(law, replay(fleet_of(stepping, deviations_of(law.risk), router), arriving, counted)))
        after_run()
    gaps_s = np.diff(part.arrival_s)
    return Simulation(
        Runs(seeds=0, requests=requests, router=router, burstiness=float(gaps_s.var() / gaps_s.mean() ** 2)),
        working_replicas(found),
        window.rate_per_s,
        tuple(scenarios),
        Replayed(recording, found.problem.demand.rate_per_s),
    )


def _with_bins(found: Answer, bins: WorkloadBins) -> Answer:
    """The answer with the steps of its design, and of nothing else, for other lengths."""
    physics, key = found.problem.physics, np.array([found.design.key])
    alone = prepare(physics.step_times.take(key), bins, physics.step_deviation[key])
    return replace(found, problem=replace(found.problem, physics=alone), design=replace(found.design, key=0))


def _with_all_prompts(bins: WorkloadBins, longest: float) -> WorkloadBins:
    """The bins with more prompts beside them, powers of two up to the longest, that are no share of the requests.

    A bin is the mean of many prompts; single ones, and what a prefix cache leaves of them, are shorter and longer.
    """
    doublings = max(int(np.ceil(np.log2(longest / SHORTEST_PROMPT_TOKENS))), 0)
    more = np.append(SHORTEST_PROMPT_TOKENS * 2.0 ** np.arange(doublings), longest)
    one_is_new = 1.0 / (1.0 - bins.prefix_cache_hit[0, 0])
    prompts = np.union1d(bins.prompt_tokens[0], more[more > one_is_new])
    share = np.zeros(len(prompts))
    share[np.searchsorted(prompts, bins.prompt_tokens[0])] = bins.prompt_share
    return replace(bins, prompt_tokens=prompts[None, :], prompt_share=share)


def _around(trace: Trace, window: Window, margin_s: float) -> tuple[slice, slice]:
    """The requests of a trace that are served for a window, and of those the ones that count.

    A prefix cache remembers what came long before, so where it is simulated the trace is served from its start on.
    """
    arrival_s = trace.arrival_s
    window_end_s = window.start_s + window.length_s
    first_s, last_s = float(arrival_s[0]), min(float(arrival_s[-1]), window_end_s + margin_s)
    if trace.prefix_blocks is None:
        first_s = max(first_s, window.start_s - margin_s)
    ends_s = (first_s, max(window.start_s, first_s + margin_s), min(window_end_s, last_s - margin_s))
    first, begin, end = np.searchsorted(arrival_s, ends_s).tolist()
    after = int(np.searchsorted(arrival_s, last_s, side="right"))
    return slice(first, after), slice(begin - first, max(begin, end) - first)


def _refuse_overlong(model: Model, trace: Trace) -> None:
    longest = int((trace.prompt_tokens.astype(np.int64) + trace.output_tokens).max())
    if longest > model.max_context:
        raise QuestionError(
            f"--trace: the longest request has {longest:,} tokens, the context of {model.id} holds "
            f"{model.max_context:,}; leave such requests out, or take another model"
        )
