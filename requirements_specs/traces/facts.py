"""What a trace says about a workload; pure functions of arrival times and lengths."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from requirements_specs.errors import ValueProblem
from requirements_specs.lengths import LengthDistribution
from requirements_specs.quantity import Dimension, format_quantity
from requirements_specs.traces.trace import Trace

DEFAULT_WINDOW_S = 600.0
SCALES_S = (1.0, 10.0, 60.0)
"""Lengths of the bins in which arrivals are counted for the index of dispersion."""

FEWEST_BINS = 30
"""Bins below which an index of dispersion is mostly noise: for Poisson arrivals it is then 1 ± 0.26 or worse."""

MOST_WINDOWS = 1_000_000
"""Windows of ten minutes in 19 years; a trace that needs more has a time that is wrong."""


@dataclass(frozen=True)
class Window:
    """The requests `first` … `first + requests − 1` of a trace, which arrive in `length_s` seconds from `start_s`."""

    start_s: float
    length_s: float
    first: int
    requests: int

    @property
    def rate_per_s(self) -> float:
        """Requests per second."""
        return self.requests / self.length_s

    def of(self, trace: Trace) -> Trace:
        """Return the part of the trace in the window; what is known of the whole file stays."""
        return trace.part(self.first, self.first + self.requests)


@dataclass(frozen=True)
class TraceFacts:
    """What a design needs to know of a trace.

    `windows`: requests in each whole window from the first request on, (W,). `busiest` is the window of that length,
    begun at any request, with the most requests; the dispersions, the lengths and their correlation are of its
    requests, `whole_dispersion` is of all. An index of dispersion is None at a scale with too few bins, the
    correlation where all prompts or all outputs are equally long.
    """

    trace: Trace
    windows: NDArray[np.int64]
    busiest: Window
    dispersion: Mapping[float, float | None]
    whole_dispersion: Mapping[float, float | None]
    prompt_tokens: LengthDistribution
    output_tokens: LengthDistribution
    correlation: float | None


def facts_of(trace: Trace, window_s: float | None = None) -> TraceFacts:
    """Return the facts of a trace for windows of `window_s` seconds; None: ten minutes, or all of a shorter trace.

    Raises:
        ValueProblem: a window longer than the trace, or shorter than a millionth of it.
    """
    length_s = min(DEFAULT_WINDOW_S, trace.span_s) if window_s is None else window_s
    busiest = busiest_window_of(trace, length_s)
    part = busiest.of(trace)
    start_s, end_s = float(trace.arrival_s[0]), float(trace.arrival_s[-1])
    return TraceFacts(
        trace=trace,
        windows=counts(trace.arrival_s, length_s, start_s, end_s),
        busiest=busiest,
        dispersion=_dispersions(part.arrival_s, busiest.start_s, busiest.start_s + length_s),
        whole_dispersion=_dispersions(trace.arrival_s, start_s, end_s),
        prompt_tokens=lengths(part.prompt_tokens),
        output_tokens=lengths(part.output_tokens),
        correlation=correlation(part.prompt_tokens, part.output_tokens),
    )


def whole(trace: Trace) -> Window:
    """Return all of a trace, its last request included."""
    return Window(float(trace.arrival_s[0]), trace.span_s, 0, trace.requests)


def busiest_window_of(trace: Trace, length_s: float) -> Window:
    """Return the busiest window of a length.

    Raises:
        ValueProblem: it is longer than the trace, or shorter than a millionth of it.
    """
    if not trace.span_s / MOST_WINDOWS <= length_s <= trace.span_s:
        least, most = (format_quantity(each, Dimension.TIME, 4) for each in (trace.span_s / MOST_WINDOWS, trace.span_s))
        raise ValueProblem(
            "no window of this trace",
            read=format_quantity(length_s, Dimension.TIME, 4),
            allowed=f"{least} to {most}, from the first request to the last",
        )
    return busiest_window(trace.arrival_s, length_s)


def busiest_window(arrival_s: NDArray[np.float64], length_s: float) -> Window:
    """Return the first window [arrival, arrival + length) with the most requests; `arrival_s` (N,) is sorted."""
    after = np.searchsorted(arrival_s, arrival_s + length_s, side="left")
    requests = after - np.arange(len(arrival_s))
    first = int(np.argmax(requests))
    return Window(float(arrival_s[first]), length_s, first, int(requests[first]))


def counts(arrival_s: NDArray[np.float64], bin_s: float, start_s: float, end_s: float) -> NDArray[np.int64]:
    """Return the requests in each whole bin from `start_s` to `end_s`, (B,); at least one bin must fit."""
    filled, requests, bins = _filled(arrival_s, bin_s, start_s, end_s)
    each = np.zeros(bins, dtype=np.int64)
    each[filled] = requests
    return each


def index_of_dispersion(arrival_s: NDArray[np.float64], bin_s: float, start_s: float, end_s: float) -> float | None:
    """Return the variance over the mean of the requests in each whole bin of `bin_s` from `start_s` to `end_s`.

    It is 1 for Poisson arrivals at any scale, b for batches of b requests at Poisson times, and grows with the scale
    where the rate itself moves. None with fewer than 30 bins, or without a request in them. Empty bins take no memory.
    """
    filled, requests, bins = _filled(arrival_s, bin_s, start_s, end_s)
    if bins < FEWEST_BINS or not len(filled):
        return None
    mean = float(requests.sum()) / bins
    empty = bins - len(filled)
    squares = float(np.square(requests - mean).sum()) + empty * mean**2
    return squares / (bins - 1) / mean


def _filled(
    arrival_s: NDArray[np.float64], bin_s: float, start_s: float, end_s: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """The whole bins that hold requests, how many each, and how many bins there are."""
    bins = int((end_s - start_s) / bin_s * (1 + 1e-12))  # a span that is a multiple of the bin loses none to rounding
    index = np.floor((arrival_s - start_s) / bin_s).astype(np.int64)
    filled, requests = np.unique(index[index < bins], return_counts=True)
    return filled, requests.astype(np.int64), bins


def _dispersions(arrival_s: NDArray[np.float64], start_s: float, end_s: float) -> dict[float, float | None]:
    """Each index; None where times are rounded so coarsely that no two of them are as near as the scale."""
    gaps = np.diff(arrival_s)
    shortest_s = float(gaps[gaps > 0.0].min()) if (gaps > 0.0).any() else 0.0
    return {
        scale: index_of_dispersion(arrival_s, scale, start_s, end_s) if shortest_s <= scale else None
        for scale in SCALES_S
    }


def lengths(tokens: NDArray[np.int32]) -> LengthDistribution:
    """Return the distribution of the lengths (N,), each with its share: mean and quantiles are those of the sample."""
    values, requests = np.unique(tokens, return_counts=True)
    shares = requests / len(tokens)
    return LengthDistribution.histogram([float(each) for each in values], [float(each) for each in shares])


def correlation(prompt_tokens: NDArray[np.int32], output_tokens: NDArray[np.int32]) -> float | None:
    """Return Pearson's coefficient of two lengths, (N,) each; None where one of them never changes."""
    if len(prompt_tokens) < 2 or np.ptp(prompt_tokens) == 0 or np.ptp(output_tokens) == 0:
        return None
    return float(np.corrcoef(prompt_tokens, output_tokens)[0, 1])
