"""The trace that a workload was read from, and what to doubt because of it."""

from __future__ import annotations

from optimizer.answers import Verification
from optimizer.outcome import DispersionOut, TraceOut
from requirements_specs.quantity import Dimension, format_quantity
from requirements_specs.workload import ArrivalTrace, Workload

MOVING = 2.0
"""How much more dispersed arrivals are, over a longer time than that of the laws, where their rate itself moves."""


def trace_read(trace: ArrivalTrace | None) -> TraceOut | None:
    """The trace of a workload; None for one that was stated."""
    if trace is None:
        return None
    return TraceOut(
        file=trace.file,
        sha256=trace.sha256,
        requests=trace.requests,
        window_start=trace.window_start,
        window_s=trace.window_s,
        window_requests=trace.window_requests,
        index_of_dispersion=tuple(DispersionOut(scale_s=each.scale_s, index=each.index) for each in trace.dispersions),
        correlation=trace.correlation,
        prefix_hit_ceiling=trace.prefix_hit_ceiling,
    )


def arrival_doubts(workload: Workload, verification: Verification | None) -> tuple[str, ...]:
    """What to doubt about the traffic of a design, where it was read from a trace that did not confirm the design."""
    trace = workload.trace
    if trace is None:
        return ()
    warnings = []
    burstiest = trace.burstiest
    judged = None if verification is None else verification.judgement
    replayed = judged is not None and not judged.seeds
    if burstiest is not None and burstiest.index > MOVING * workload.index_of_dispersion and not replayed:
        scale = format_quantity(burstiest.scale_s, Dimension.TIME)
        warnings.append(
            f"the rate itself moves (dispersion {burstiest.index:.3g} in {scale}, {workload.index_of_dispersion:.3g} "
            "in the laws): requests wait longer than predicted; a shorter window is sized for the higher rate"
        )
    longest = (trace.longest_prompt_tokens, trace.longest_output_tokens)
    if longest[0] > workload.prompt_tokens.maximum or longest[1] > workload.output_tokens.maximum:
        warnings.append(
            f"{trace.file} has longer requests outside its busiest window: prompts of up to {longest[0]:,} and outputs "
            f"of up to {longest[1]:,} tokens"
        )
    return tuple(warnings)
