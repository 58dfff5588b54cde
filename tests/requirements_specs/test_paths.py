from collections.abc import Callable

import pytest

from requirements_specs.paths import value_at, with_values
from requirements_specs.serving import IntegerChoice, ServingSpec

Read = Callable[[str], ServingSpec]


@pytest.fixture
def spec(read: Read, minimal: str) -> ServingSpec:
    return read(
        minimal
        + "slo: {ttft: {p99: 200 ms}, tpot: {mean: 0.05 s}}\n"
        + "budget: {usd_per_hour: $60/h}\n"
        + "inventory: {providers: [aws], max_accelerators: 64}\nlayout: {tp: 2}\n"
    )


def test_values_are_read_by_their_paths(spec: ServingSpec) -> None:
    assert value_at(spec, "slo.ttft.p99") == 0.2
    assert value_at(spec, "slo.e2e.p99") is None
    assert value_at(spec, "budget.usd_per_hour") == 60.0
    assert value_at(spec, "inventory.providers") == ("aws",)
    assert value_at(spec, "layout.tp") == IntegerChoice(values=(2,))
    assert value_at(spec, "engines") == ("vllm",)
    assert value_at(spec, "risk") == 0.1


def test_several_values_are_written_at_once_and_nothing_else_changes(spec: ServingSpec) -> None:
    values = {
        "slo.ttft.p99": 0.3,
        "budget.usd_per_hour": None,
        "inventory.providers": ("aws", "oci"),
        "inventory.max_accelerators": 65,
        "engines": ("vllm", "sglang"),
        "risk": 0.5,
    }
    other = with_values(spec, values)
    assert {path: value_at(other, path) for path in values} == values
    assert value_at(other, "slo.tpot.mean") == 0.05
    assert other.layout == spec.layout
    assert with_values(other, {path: value_at(spec, path) for path in values}) == spec


def test_none_drops_a_latency_limit(spec: ServingSpec) -> None:
    assert [limit.id for limit in with_values(spec, {"slo.ttft.p99": None}).slo] == ["slo.tpot.mean"]
