"""The requests of a specification's trace, as they came, for a judge to put to designs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from optimizer.errors import QuestionError
from optimizer.traffic.simulate import Stream, stream_of
from requirements_specs.traces.facts import Window, busiest_window_of
from requirements_specs.traces.read import read_trace
from requirements_specs.traces.trace import Trace
from requirements_specs.workload import ArrivalTrace, Workload

# Of fewer the 99th percentile is the slowest one.
FEWEST_COUNTED = 100


@dataclass(frozen=True)
class RecordedWindow:
    """A trace and the window of it that counts; prompts find `prefix_cache_hit` of themselves in the prefix cache."""

    trace: Trace
    window: Window
    prefix_cache_hit: float

    def stream(self, rate_per_s: float, margin_s: float) -> Stream | None:
        """The window sped up to a mean rate, of which the requests after a margin count; None where too few do."""
        faster = rate_per_s / self.window.rate_per_s
        trace = replace(self.trace, arrival_s=self.trace.arrival_s / faster)
        window = replace(self.window, start_s=self.window.start_s / faster, length_s=self.window.length_s / faster)
        stream = stream_of(trace, window, margin_s, self.prefix_cache_hit)
        counted = stream.counted.stop - stream.counted.start
        return stream if counted >= FEWEST_COUNTED else None


def recorded_window(workload: Workload, trace: ArrivalTrace) -> RecordedWindow:
    """Read again what a workload was read from.

    What only loads a design before and after the window is cut to the lengths that the design is sized for. What the
    trace says of its own prefixes is left out: a design is sized for the stated share.

    Raises:
        QuestionError: the file is no longer what was read of it.

    """
    read = read_trace(Path(trace.path))
    if read.sha256 != trace.sha256:
        raise QuestionError(f"workload.trace: {trace.file} was changed while it was being used; start again")
    cut = replace(
        read,
        prompt_tokens=np.minimum(read.prompt_tokens, int(workload.prompt_tokens.maximum)),
        output_tokens=np.minimum(read.output_tokens, int(workload.output_tokens.maximum)),
        prefix_blocks=None,
    )
    return RecordedWindow(cut, busiest_window_of(read, trace.window_s), workload.prefix_cache_hit)
