"""What a question may name, handed in by whoever knows the catalog."""

from collections.abc import Mapping, Set
from dataclasses import dataclass

from requirements_specs.known import KnownNames


@dataclass(frozen=True)
class Vocabulary:
    """The names of a catalog, and the facts that a question takes for granted.

    `context_tokens` maps a model's id to the tokens of its context; `estimated` are parts without measured step times.
    """

    names: KnownNames
    context_tokens: Mapping[str, int]
    estimated: Set[str] = frozenset()


OTHER_PROVIDER_NAMES: Mapping[str, str] = {
    "amazon": "aws",
    "microsoft": "azure",
    "google": "gcp",
    "google cloud": "gcp",
    "oracle": "oci",
    "lambda labs": "lambda",
    "lambdalabs": "lambda",
}
"""What people call a provider -> its id."""

OTHER_ENGINE_NAMES: Mapping[str, str] = {
    "tensorrt-llm": "trtllm",
    "tensorrt llm": "trtllm",
    "trt-llm": "trtllm",
    "tensorrt": "trtllm",
}
"""What people call an engine -> its id."""

UNKNOWN_ENGINES = ("tgi", "lmdeploy", "ollama", "llama.cpp", "deepspeed-mii", "mlc-llm", "aphrodite")
"""Engines that people name and no catalog of ours holds."""
