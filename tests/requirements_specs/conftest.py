from collections.abc import Callable

import pytest

from requirements_specs.errors import SpecError
from requirements_specs.known import KnownNames
from requirements_specs.read import spec_from_text
from requirements_specs.serving import ServingSpec

MODELS = ("llama-3.1-8b", "llama-3.1-70b", "deepseek-v3")
PARTS = ("h100-sxm-80gb", "h100-pcie-80gb", "h100-nvl-94gb", "a100-sxm-80gb", "a100-pcie-80gb")


@pytest.fixture(scope="session")
def names() -> KnownNames:
    """A small catalog's names."""
    return KnownNames(
        models={name: name for name in MODELS} | {"meta-llama/Llama-3.1-70B-Instruct": "llama-3.1-70b"},
        accelerators={name: name for name in PARTS}
        | {"h100-sxm": "h100-sxm-80gb", "a100-80gb": "a100-sxm-80gb", "A100_80GB": "a100-pcie-80gb"},
        providers=frozenset({"aws", "azure", "lambda"}),
        regions=frozenset({"us-east-1", "eu-west-1"}),
        tiers=frozenset({"on_demand", "spot"}),
        engines=frozenset({"vllm"}),
        formats=frozenset({"bf16", "fp8", "int4"}),
        offers=frozenset({"lambda/gpu_8x_h100_sxm5/global/on_demand"}),
    )


@pytest.fixture(scope="session")
def read(names: KnownNames) -> Callable[[str], ServingSpec]:
    """Read the text of a spec named `chat.yaml`."""
    return lambda text: spec_from_text(text, "chat.yaml", names)


@pytest.fixture(scope="session")
def refused(read: Callable[[str], ServingSpec]) -> Callable[[str], str]:
    """The message with which the text of a spec is refused."""

    def message(text: str) -> str:
        with pytest.raises(SpecError) as error:
            read(text)
        return str(error.value)

    return message


@pytest.fixture(scope="session")
def minimal() -> str:
    """The shortest spec; its workload begins in line 3."""
    return (
        "kind: serving\n"
        "model: llama-3.1-70b\n"
        "workload:\n"
        "  request_rate: 10 req/s\n"
        "  prompt_tokens: 512 tokens\n"
        "  output_tokens: 200 tokens\n"
    )
