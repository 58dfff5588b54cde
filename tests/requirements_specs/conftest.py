from collections.abc import Callable

import pytest

from requirements_specs.errors import SpecError
from requirements_specs.known import KnownNames
from requirements_specs.read import spec_from_text
from requirements_specs.serving import ServingSpec

MODELS = ("llama-3.1-8b", "llama-3.1-70b", "deepseek-v3")
PARTS = ("h100-sxm-80gb", "h100-pcie-80gb", "h100-nvl-94gb", "a100-sxm-80gb", "a100-pcie-80gb")
FULL = """\
kind: serving
name: chat
model: meta-llama/Llama-3.1-70B-Instruct
objective: cheapest
risk: 20 %
workload:
  request_rate: 600 rpm
  prompt_tokens: {mean: 512 tokens, p99: 1.5k tokens}
  output_tokens:
    - {tokens: 100, share: 40 %}
    - {tokens: 200 tokens, share: 0.6}
  prefix_cache_hit: 30 %
  peak_factor: 1.5
slo:
  ttft: {p99: 200 ms, p50: 100 ms}
  e2e: {mean: 5 s}
budget:
  usd_per_hour: $60/h
  usd_per_month: $40k/month
  usd_per_million_output_tokens: $0.60/M tokens
inventory:
  providers: [AWS, lambda]
  regions: us-east-1
  tiers: [on_demand, spot]
  accelerators: [H100_SXM, h100-sxm-80gb, h100-pcie-80gb]
  exclude_offers: [lambda/gpu_8x_h100_sxm5/global/on_demand]
  max_accelerators: 64
  estimated_parts: true
  undated: true
formats: {weights: [bf16, fp8], activations: bf16, kv: [fp8]}
layout:
  tp: 4
  pp: [2, 1]
  ep: {max: 8}
  dp_attention: {min: 2}
  accelerators_per_replica: {min: 2, max: 8}
engines: [vllm]
pools: mixed
availability: {spare_replicas: 1, load_cap: 70 %}
"""


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


@pytest.fixture(scope="session")
def full() -> str:
    """A spec with every key."""
    return FULL
