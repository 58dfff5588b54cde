import pytest

from optimizer.report.trace_part import arrival_doubts, trace_read
from requirements_specs.lengths import LengthDistribution
from requirements_specs.workload import ArrivalTrace, Dispersion, Workload


def traced(*indices: tuple[float, float], longest_prompt: int = 100, planned: float = 1.0) -> Workload:
    trace = ArrivalTrace(
        file="requests.csv",
        path="requests.csv",
        sha256="0" * 64,
        requests=1000,
        window_start="0 s",
        window_s=600.0,
        window_requests=500,
        dispersions=tuple(Dispersion(scale_s=scale, index=index) for scale, index in indices),
        longest_prompt_tokens=longest_prompt,
        longest_output_tokens=50,
    )
    prompt, output = LengthDistribution.constant(100), LengthDistribution.constant(50)
    return Workload(
        request_rate_per_s=1.0,
        prompt_tokens=prompt,
        output_tokens=output,
        index_of_dispersion=planned,
        trace=trace,
    )


def test_a_rate_that_moves_is_doubted_at_its_burstiest_scale() -> None:
    (doubt,) = arrival_doubts(traced((1.0, 1.4), (10.0, 3.5), planned=1.4), None)
    assert doubt.startswith("the rate itself moves (dispersion 3.5 in 10 s, 1.4 in the laws)")


@pytest.mark.parametrize(("indices", "planned"), [((), 1.0), (((1.0, 2.0), (10.0, 0.3)), 1.0), (((1.0, 9.0),), 9.0)])
def test_what_the_laws_know_of_is_not(indices: tuple[tuple[float, float], ...], planned: float) -> None:
    assert arrival_doubts(traced(*indices, planned=planned), None) == ()


def test_longer_requests_outside_the_window_are_named() -> None:
    (doubt,) = arrival_doubts(traced(longest_prompt=2000), None)
    assert "prompts of up to 2,000 and outputs of up to 50 tokens" in doubt


def test_a_stated_workload_has_no_trace() -> None:
    stated = traced().model_copy(update={"trace": None})
    assert arrival_doubts(stated, None) == ()
    assert trace_read(stated.trace) is None
