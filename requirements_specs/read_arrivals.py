"""`workload.arrivals` -> how bursty requests come: an index of dispersion, or that of a named workload."""

from requirements_specs import convert
from requirements_specs.errors import ValueProblem
from requirements_specs.known import resolve
from requirements_specs.quantity import Dimension, format_quantity
from requirements_specs.section import Findings, Section
from requirements_specs.source import Mapping
from requirements_specs.workload import ArrivalTrace

_KEY = "workload.arrivals"
_POISSON = "poisson"
_HIGHEST_INDEX = 1000.0


def read_arrivals(workload: Section, trace: ArrivalTrace | None, findings: Findings) -> float:
    """Return the index of dispersion of the arrivals: 1, Poisson, where nothing is stated or it was refused."""
    if trace is not None:
        return _of_trace(workload, trace, findings)
    if "arrivals" not in workload:
        findings.assume(_KEY, "Poisson", "no burstiness is stated")
        return 1.0
    if isinstance(workload.node("arrivals"), Mapping):
        section = workload.section("arrivals", ("index_of_dispersion",))
        if section is None:
            return 1.0
        section.require(index_of_dispersion="4")
        return section.value("index_of_dispersion", convert.factor(at_least=1.0, at_most=_HIGHEST_INDEX)) or 1.0

    def named(text: str) -> float:
        return _named(text, findings)

    return workload.value("arrivals", named) or 1.0


def _of_trace(workload: Section, trace: ArrivalTrace, findings: Findings) -> float:
    """The index in the shortest time over which it is known: bursts that are shorter than a wait are what waits."""
    if "arrivals" in workload:
        workload.refuse_key("arrivals", "the trace states this", read="arrivals and trace", allowed="one of the two")
    if not trace.dispersions:
        findings.assume(_KEY, "Poisson", f"{trace.file} has too few requests to tell")
        return 1.0
    shortest = min(trace.dispersions, key=lambda each: each.scale_s)
    index = max(shortest.index, 1.0)
    within = format_quantity(shortest.scale_s, Dimension.TIME)
    findings.assume(_KEY, f"index of dispersion {index:.3g}", f"in bins of {within}; Poisson: 1")
    return index


def _named(text: str, findings: Findings) -> float:
    from requirements_specs.named_workloads import named_workloads  # here, so that only a spec with a name reads them

    timed = {
        name: (workload, index)
        for name, workload in named_workloads().items()
        if (index := workload.index_of_dispersion) is not None
    }
    if text in named_workloads() and text not in timed:
        raise ValueProblem(f"{text} was published without times", read=text, allowed=f"{_POISSON}, {', '.join(timed)}")
    if not text[:1].isalpha():
        raise ValueProblem("a number needs its key", read=text, allowed=f"{{index_of_dispersion: 4}}, or {_POISSON}")
    name = resolve(text, frozenset({*timed, _POISSON}), "arrivals")
    if name == _POISSON:
        return 1.0
    workload, index = timed[name]
    findings.assume(_KEY, f"index of dispersion {index:.3g}", f"{name}: {workload.origin}, its busiest 10 min")
    return index
