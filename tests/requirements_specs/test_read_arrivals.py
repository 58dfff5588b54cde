"""`workload.arrivals`: what a specification may say of bursts."""

from collections.abc import Callable

import pytest

from requirements_specs.named_workloads import named_workloads
from requirements_specs.restate import restate
from requirements_specs.serving import ServingSpec

Read = Callable[[str], ServingSpec]
SPEC = """kind: serving
model: llama-3.1-8b
workload: {{request_rate: 5 req/s, prompt_tokens: 512 tokens, output_tokens: 100 tokens{}}}
"""


@pytest.mark.parametrize(
    ("arrivals", "index", "asked"),
    [
        ("", 1.0, "5 req/s Poisson"),
        (", arrivals: poisson", 1.0, "5 req/s Poisson"),
        (", arrivals: {index_of_dispersion: 4}", 4.0, "5 req/s in bursts of dispersion 4"),
        (", arrivals: azure-code", 14.8, "5 req/s in bursts of dispersion 14.8"),
    ],
)
def test_bursts_are_stated_or_taken_from_a_name(read: Read, arrivals: str, index: float, asked: str) -> None:
    spec = read(SPEC.format(arrivals))
    assert spec.workload.index_of_dispersion == index
    assert asked in restate(spec)[0]


def test_what_a_name_says_is_assumed_with_its_source(read: Read) -> None:
    (assumed,) = (
        each for each in read(SPEC.format(", arrivals: azure-conv")).assumed if each.key == "workload.arrivals"
    )
    assert assumed.value == "index of dispersion 1.09"
    assert named_workloads()["azure-conv"].source in assumed.why
