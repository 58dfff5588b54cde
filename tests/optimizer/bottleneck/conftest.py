from collections.abc import Callable, Sequence

import pytest

from catalog.read import Snapshot, load
from requirements_specs.lengths import LengthDistribution
from requirements_specs.requirement import LatencyLimit
from requirements_specs.serving import Budget, Formats, IntegerChoice, Inventory, Layout, ServingSpec
from requirements_specs.workload import Workload


@pytest.fixture(scope="session")
def snapshot() -> Snapshot:
    return load()


@pytest.fixture(scope="session")
def spec_of() -> Callable[..., ServingSpec]:
    """A bf16 model on H100 SXM with constant lengths and one pinned layout, one rank if nothing else is said."""

    def build(
        *,
        model: str = "llama-3.1-8b",
        rate: float = 10.0,
        prompt: float = 500.0,
        output: float = 200.0,
        slo: Sequence[LatencyLimit] = (),
        risk: float = 0.1,
        tp: int = 1,
        part: str = "h100-sxm-80gb",
        most: int | None = None,
        budget: Budget | None = None,
    ) -> ServingSpec:
        return ServingSpec(
            name="bottleneck",
            model=model,
            risk=risk,
            slo=tuple(slo),
            workload=Workload(
                request_rate_per_s=rate,
                prompt_tokens=LengthDistribution.constant(prompt),
                output_tokens=LengthDistribution.constant(output),
            ),
            inventory=Inventory(accelerators=(part,), max_accelerators=most),
            layout=Layout(tp=IntegerChoice(values=(tp,)), pp=IntegerChoice(values=(1,))),
            formats=Formats(weights=("bf16",)),
            budget=budget or Budget(),
        )

    return build
