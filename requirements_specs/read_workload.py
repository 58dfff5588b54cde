"""`workload` -> what arrives: a rate and lengths, stated or read from a trace, or a job to finish."""

from dataclasses import dataclass

from requirements_specs import convert
from requirements_specs.lengths import LengthDistribution
from requirements_specs.quantity import Dimension, format_quantity
from requirements_specs.read_arrivals import read_arrivals
from requirements_specs.read_lengths import LENGTH_FORMS, read_lengths
from requirements_specs.read_offline import read_offline
from requirements_specs.read_profile import read_growth, read_profile
from requirements_specs.read_trace import read_traced
from requirements_specs.section import Findings, Section
from requirements_specs.serving import Objective
from requirements_specs.workload import LEAST_REQUEST_RATE_PER_S, ArrivalTrace, Offline, Workload

_HIGHEST_PEAK = 1000.0


@dataclass(frozen=True)
class _Requests:
    """The requests of a workload; None: not there, or refused."""

    rate_per_s: float | None
    prompt_tokens: LengthDistribution | None
    output_tokens: LengthDistribution | None
    offline: Offline | None = None
    trace: ArrivalTrace | None = None


def read_workload(section: Section, findings: Findings, objective: Objective) -> Workload | None:
    """Return the workload, None where anything about it was refused."""
    read = _from_trace if "trace" in section else _stated
    requests = read(section, findings, objective)
    trace = requests.trace
    hit = section.value("prefix_cache_hit", convert.quantity(Dimension.SHARE, at_least=0.0, below=1.0))
    if hit is None:
        hit = 0.0
        why = "no prompt shares a cached prefix"
        if trace is not None and trace.prefix_hit_ceiling is not None:
            ceiling = format_quantity(trace.prefix_hit_ceiling, Dimension.SHARE, 3)
            why = (
                f"a cache without end would find {ceiling} of the prompt tokens of {trace.file}; state what yours finds"
            )
        findings.assume("workload.prefix_cache_hit", "0", why)
    job = "offline" in section
    peak = 1.0 if job else _read_peak(section, findings)
    index = 1.0 if job else read_arrivals(section, trace, findings)
    profile = () if job else read_profile(section, findings, objective)
    growth = None if job else read_growth(section, objective)
    why = "no joint lengths are given"
    if trace is not None and trace.correlation is not None:
        why = f"their correlation in {trace.file}, {_signed(trace.correlation)}, is not used"
    findings.assume("workload.lengths", "prompt and output independent", why)
    if requests.rate_per_s is None or requests.prompt_tokens is None or requests.output_tokens is None:
        return None
    return Workload(
        request_rate_per_s=requests.rate_per_s,
        prompt_tokens=requests.prompt_tokens,
        output_tokens=requests.output_tokens,
        prefix_cache_hit=hit,
        peak_factor=peak,
        index_of_dispersion=index,
        offline=requests.offline,
        trace=trace,
        profile=profile,
        growth=growth,
    )


def _signed(number: float) -> str:
    return f"{number:.2f}".replace("-", "−")


def _stated(section: Section, findings: Findings, objective: Objective) -> _Requests:
    rate_is_sought = objective is Objective.MOST_REQUESTS
    job = read_offline(section, findings, rate_is_sought=rate_is_sought)
    section.require(prompt_tokens=LENGTH_FORMS, output_tokens=LENGTH_FORMS)
    rate = section.value("request_rate", convert.request_rate)
    if rate_is_sought and "request_rate" not in section:
        rate = LEAST_REQUEST_RATE_PER_S
        findings.assume("workload.request_rate", "none", "any rate will do where the highest is sought")
    prompt = read_lengths(section, "workload", "prompt_tokens", findings)
    output = read_lengths(section, "workload", "output_tokens", findings)
    return _Requests(rate if job is None else job.requests / job.window_s, prompt, output, offline=job)


def _from_trace(section: Section, findings: Findings, _objective: Objective) -> _Requests:
    traced = read_traced(section, findings)
    if traced is None:
        return _Requests(None, None, None)
    return _Requests(traced.rate_per_s, traced.prompt_tokens, traced.output_tokens, trace=traced.trace)


def _read_peak(section: Section, findings: Findings) -> float:
    peak = section.value("peak_factor", convert.factor(at_least=1.0, at_most=_HIGHEST_PEAK))
    if peak is None:
        peak = 1.0
        if "profile" not in section:
            findings.assume("workload.peak_factor", "1", "request_rate is the highest rate")
    return peak
