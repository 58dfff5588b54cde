"""The stream that a window of a trace makes: what is served around it, and what counts."""

from dataclasses import replace

import numpy as np
import pytest

from optimizer.traffic.simulate import Stream, stream_of
from requirements_specs.traces.facts import Window, busiest_window_of, whole
from requirements_specs.traces.trace import PrefixBlocks, Trace

SPAN_S = 1000.0


def trace_of(count: int = 5000) -> Trace:
    random = np.random.default_rng(3)
    arrival_s = np.sort(random.uniform(0.0, SPAN_S, count)) + 50.0
    prompts, outputs = random.integers(1, 900, count), random.integers(1, 90, count)
    return Trace(arrival_s, prompts.astype(np.int32), outputs.astype(np.int32))


def window_at(trace: Trace, start_s: float, length_s: float) -> Window:
    first, end = np.searchsorted(trace.arrival_s, [start_s, start_s + length_s]).tolist()
    return Window(start_s, length_s, first, end - first)


def counted(stream: Stream) -> tuple[int, ...]:
    return tuple(stream.requests.prompt_tokens[stream.counted].tolist())


def test_a_window_within_the_trace_counts_whole_and_is_loaded_on_both_sides() -> None:
    trace = trace_of()
    window = window_at(trace, 400.0, 100.0)
    stream = stream_of(trace, window, 20.0, 0.0)
    assert counted(stream) == tuple(window.of(trace).prompt_tokens.tolist())
    arrival_s = stream.requests.arrival_s
    assert arrival_s[0] == 0.0
    assert arrival_s[stream.counted.start] == pytest.approx(20.0, abs=1.0)
    assert arrival_s[-1] - arrival_s[stream.counted.stop - 1] == pytest.approx(20.0, abs=1.0)
    np.testing.assert_array_equal(stream.requests.new_tokens, stream.requests.prompt_tokens)


@pytest.mark.parametrize(("margin_s", "left_out"), [(30.0, 0.06), (np.inf, 0.5)])
def test_all_of_a_trace_gives_its_margins_and_at_most_a_quarter_at_either_end(margin_s: float, left_out: float) -> None:
    trace = trace_of()
    stream = stream_of(trace, whole(trace), margin_s, 0.0)
    assert len(stream.requests) == trace.requests
    assert len(counted(stream)) == pytest.approx((1.0 - left_out) * trace.requests, rel=0.03)


def test_a_window_at_the_start_of_the_trace_gives_the_margin_there_only() -> None:
    trace = trace_of()
    window = window_at(trace, float(trace.arrival_s[0]), 200.0)
    stream = stream_of(trace, window, 25.0, 0.0)
    assert stream.counted.start == (trace.arrival_s < window.start_s + 25.0).sum()
    assert stream.counted.stop == window.requests < len(stream.requests)


def test_a_cache_remembers_all_that_came_before() -> None:
    trace = trace_of()
    ends = np.cumsum(np.full(trace.requests, 2))
    hashed = replace(trace, prefix_blocks=PrefixBlocks(np.arange(ends[-1], dtype=np.int32), ends, 512))
    window = busiest_window_of(trace, 60.0)
    plain, cached = stream_of(trace, window, 10.0, 0.3), stream_of(hashed, window, 10.0, 0.3)
    assert counted(plain) == counted(cached)
    assert len(cached.requests) > len(plain.requests)
    blocks = cached.requests.prefix_blocks
    assert blocks is not None
    assert len(blocks.ends) == len(cached.requests)
    assert cached.requests.new_tokens.sum() == cached.requests.prompt_tokens.sum()
    assert plain.requests.new_tokens.sum() == pytest.approx(0.7 * plain.requests.prompt_tokens.sum(), rel=0.01)
