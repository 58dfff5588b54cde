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
from optimizer.question import Problem
from optimizer.simulation import (
    MARGIN_STAYS,
    Law,
    Recording,
    Replayed,
    Runs,
    Simulation,
    compared,
    deviations_of,
    risks_of,
    working_replicas,
)
from optimizer.traffic.simulate import Router, replay, stream_of
from optimizer.traffic.speculative_bins import in_steps
from optimizer.traffic.workload_bins import WorkloadBins, bin_workload
from optimizer.verification import FEWEST_COUNTED, at_lengths, trace_fleet
from requirements_specs.serving import ServingSpec
from requirements_specs.traces.facts import lengths
from requirements_specs.traces.trace import Trace
from requirements_specs.workload import Workload


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
    laws = [Law(_under(found, workload, window.rate_per_s), risk) for risk in risks_of(spec)]
    # Where blocks are known the cache is simulated, and steps are those of prompts of which nothing is found.
    if trace.prefix_blocks is not None:
        workload = workload.model_copy(update={"prefix_cache_hit": 0.0})
    stream = stream_of(trace, window, MARGIN_STAYS * laws[-1].mean_e2e_s, workload.prefix_cache_hit)
    counted = stream.counted.stop - stream.counted.start
    if counted < FEWEST_COUNTED:
        raise QuestionError(
            f"--trace: {counted} requests count, a 99th percentile needs {FEWEST_COUNTED}; the window has "
            f"{window.requests:,} of {trace.requests:,}, less those at either end of the trace that load the design; "
            "take a longer window or trace"
        )
    bins, longest_prompt = _bins_of(found.problem, workload), int(trace.prompt_tokens.max())
    scenarios = []
    for law in laws:
        fleet = trace_fleet(found.problem, found.design, deviations_of(law.risk), router, bins, longest_prompt)
        scenarios.append(compared(law, replay(fleet, stream)))
        after_run()
    gaps_s = np.diff(part.arrival_s)
    return Simulation(
        Runs(seeds=0, requests=counted, router=router, burstiness=float(gaps_s.var() / gaps_s.mean() ** 2)),
        working_replicas(found),
        window.rate_per_s,
        tuple(scenarios),
        found.problem.speculation,
        Replayed(recording, found.problem.demand.rate_per_s),
    )


def _under(found: Answer, workload: Workload, rate_per_s: float) -> Answer:
    """The answer with its design alone, under another workload."""
    problem, design = at_lengths(found.problem, found.design, _bins_of(found.problem, workload))
    return replace(found, problem=problem.carrying(rate_per_s), design=design)


def _bins_of(problem: Problem, workload: Workload) -> WorkloadBins:
    """A workload as the physics of a problem counts it."""
    bins = bin_workload(workload)
    return bins if problem.speculation is None else in_steps(bins, problem.speculation.kept)


def _refuse_overlong(model: Model, trace: Trace) -> None:
    longest = int((trace.prompt_tokens.astype(np.int64) + trace.output_tokens).max())
    if longest > model.max_context:
        raise QuestionError(
            f"--trace: the longest request has {longest:,} tokens, the context of {model.id} holds "
            f"{model.max_context:,}; leave such requests out, or take another model"
        )
