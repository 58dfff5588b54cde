"""The facts of a trace, for people and as JSON."""

from __future__ import annotations

from collections.abc import Mapping

from optimizer.deliver.figures import long_duration, request_rate
from requirements_specs.lengths import LengthDistribution
from requirements_specs.quantity import Dimension, format_quantity
from requirements_specs.traces.facts import SCALES_S, TraceFacts

_LABEL_WIDTH = 14
_UNKNOWN = "not known"
_QUANTILES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))


def trace_content(facts: TraceFacts) -> dict[str, object]:
    """The facts under the keys of the JSON answer, SI; None where one is not known."""
    trace, busiest = facts.trace, facts.busiest
    return {
        "sha256": trace.sha256,
        "requests": trace.requests,
        "span_s": trace.span_s,
        "request_rate_per_s": trace.requests / trace.span_s,
        "busiest_window": {
            "start": trace.moment(busiest.start_s),
            "start_s": busiest.start_s,
            "window_s": busiest.length_s,
            "requests": busiest.requests,
            "request_rate_per_s": busiest.rate_per_s,
            "prompt_tokens": _statistics(facts.prompt_tokens),
            "output_tokens": _statistics(facts.output_tokens),
            "correlation": facts.correlation,
        },
        "requests_by_window": facts.windows.tolist(),
        "index_of_dispersion": [
            {"scale_s": scale, "busiest_window": facts.dispersion[scale], "whole": facts.whole_dispersion[scale]}
            for scale in SCALES_S
        ],
        "prefix_hit_ceiling": trace.prefix_hit_ceiling,
    }


def trace_text(facts: TraceFacts) -> str:
    """The facts in labelled lines."""
    trace, busiest = facts.trace, facts.busiest
    rate = request_rate(trace.requests / trace.span_s)
    busiest_rate = request_rate(busiest.rate_per_s)
    rows = [
        ("Requests", f"{trace.requests:,} in {long_duration(trace.span_s)}, {rate}"),
        (
            "Busiest",
            f"{long_duration(busiest.length_s)} from {trace.moment(busiest.start_s)}: {busiest.requests:,} requests, "
            f"{busiest_rate}; what a specification is sized on",
        ),
        ("  dispersion", _dispersion(facts)),
        ("  prompt", _length(facts.prompt_tokens)),
        ("  output", _length(facts.output_tokens)),
        (
            "  correlation",
            _UNKNOWN
            if facts.correlation is None
            else f"{facts.correlation:.2f} of prompt and output".replace("-", "−"),
        ),
        (
            "By window",
            f"{len(facts.windows):,} of {long_duration(busiest.length_s)} from the first request: "
            f"{facts.windows.min():,} to {facts.windows.max():,} requests",
        ),
        ("Prefix cache", _ceiling(trace.prefix_hit_ceiling)),
    ]
    return "\n".join(f"{label:<{_LABEL_WIDTH}}{text}" for label, text in rows)


def _dispersion(facts: TraceFacts) -> str:
    return f"{_indices(facts.dispersion)}; whole trace {_indices(facts.whole_dispersion)} (Poisson: 1)"


def _indices(dispersion: Mapping[float, float | None]) -> str:
    known = [f"{index:.3g} in {long_duration(scale)}" for scale, index in dispersion.items() if index is not None]
    return ", ".join(known) or _UNKNOWN


def _ceiling(ceiling: float | None) -> str:
    if ceiling is None:
        return "not known, the trace has no hashes of prompts"
    return f"at most {format_quantity(ceiling, Dimension.SHARE, 3)} of all prompt tokens were seen before"


def _statistics(length: LengthDistribution) -> dict[str, float]:
    quantiles = {name: length.quantile(probability) for name, probability in _QUANTILES}
    return {"mean": length.mean, **quantiles, "longest": length.maximum}


def _length(length: LengthDistribution) -> str:
    return " ".join(f"{name} {value:,.0f}" for name, value in _statistics(length).items()) + " tokens"
