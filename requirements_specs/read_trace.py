"""`workload.trace` -> the rate of a trace's busiest window and the lengths of its requests."""

from dataclasses import dataclass
from pathlib import Path

from requirements_specs import convert
from requirements_specs.errors import SpecError, ValueProblem
from requirements_specs.lengths import LengthDistribution
from requirements_specs.quantity import Dimension, format_quantity
from requirements_specs.section import Findings, Section
from requirements_specs.source import Mapping
from requirements_specs.workload import ArrivalTrace, Dispersion

_KEY = "workload.trace"
_STATED_BY_TRACE = ("request_rate", "offline", "prompt_tokens", "output_tokens")


@dataclass(frozen=True)
class Traced:
    """What a trace states of a workload."""

    rate_per_s: float
    prompt_tokens: LengthDistribution
    output_tokens: LengthDistribution
    trace: ArrivalTrace


def read_traced(workload: Section, findings: Findings) -> Traced | None:
    """Return what the trace under `workload.trace` states; its path is relative to the spec."""
    for key in _STATED_BY_TRACE:
        if key in workload:
            workload.refuse_key(key, "the trace states this", read=f"{key} and trace", allowed="one of the two")
    window_s: float | None = None
    if isinstance(workload.node("trace"), Mapping):
        section = workload.section("trace", ("file", "window"))
        if section is None:
            return None
        section.require(file="requests.csv")
        file, mark = section.value("file", convert.name), section.mark("file")
        window_s = section.value("window", convert.quantity(Dimension.TIME, above=0.0, at_most=1e9))
        window_mark = section.mark("window")
        if "window" in section and window_s is None:
            return None
    else:
        file, mark = workload.value("trace", convert.name), workload.mark("trace")
        window_mark = mark
    if file is None:
        return None
    # Here, so that a spec without a trace does not pay for it.
    from requirements_specs.traces.facts import facts_of
    from requirements_specs.traces.read import read_trace

    try:
        facts = facts_of(read_trace(Path(findings.path).parent / file), window_s)
    except SpecError as error:
        for problem in error.problems:
            if problem.mark is None:
                what = f"{problem.path}: {problem.what}"
                findings.refuse(mark, _KEY, what, read=problem.read, allowed=problem.allowed)
            else:
                findings.problems.append(problem)
        return None
    except ValueProblem as error:
        findings.refuse(window_mark, f"{_KEY}.window", error.what, read=error.read, allowed=error.allowed)
        return None
    window, trace = facts.busiest, facts.trace
    if window.rate_per_s > convert.HIGHEST_REQUEST_RATE_PER_S:
        rate, most = (
            format_quantity(each, Dimension.REQUEST_RATE, 3)
            for each in (window.rate_per_s, convert.HIGHEST_REQUEST_RATE_PER_S)
        )
        what = f"{file}: more requests arrive than a specification may ask for; are its times in the right unit?"
        findings.refuse(mark, _KEY, what, read=rate, allowed=f"at most {most}")
        return None
    length = format_quantity(window.length_s, Dimension.TIME, 4)
    if window_s is None:
        findings.assume(f"{_KEY}.window", length, "no window is given")
    findings.assume(
        "workload.request_rate",
        format_quantity(window.rate_per_s, Dimension.REQUEST_RATE, 4),
        f"{window.requests:,} of {trace.requests:,} requests of {file} arrive in the {length} from "
        f"{trace.moment(window.start_s)}, its busiest",
    )
    return Traced(
        rate_per_s=window.rate_per_s,
        prompt_tokens=facts.prompt_tokens,
        output_tokens=facts.output_tokens,
        trace=ArrivalTrace(
            file=file,
            path=str(Path(findings.path).parent / file),
            sha256=trace.sha256,
            requests=trace.requests,
            window_start=trace.moment(window.start_s),
            window_s=window.length_s,
            window_requests=window.requests,
            dispersions=tuple(
                Dispersion(scale_s=scale_s, index=index)
                for scale_s, index in facts.dispersion.items()
                if index is not None
            ),
            correlation=facts.correlation,
            prefix_hit_ceiling=trace.prefix_hit_ceiling,
            longest_prompt_tokens=int(trace.prompt_tokens.max()),
            longest_output_tokens=int(trace.output_tokens.max()),
        ),
    )
