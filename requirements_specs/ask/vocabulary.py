"""What a question may name, handed in by whoever knows the catalog."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from requirements_specs.ask.spelling import bare, digits
from requirements_specs.known import KnownNames, resolve


@dataclass(frozen=True)
class NameTable:
    """Spellings without signs -> ids, and the same spellings by the numbers in them."""

    ids: Mapping[str, str]
    by_digits: Mapping[tuple[str, ...], tuple[str, ...]]

    @classmethod
    def of(cls, names: Mapping[str, str]) -> Self:
        """Return the table of `names`, which maps spellings of any kind to ids."""
        ids = {bare(name): target for name, target in names.items()}
        by_digits: dict[tuple[str, ...], tuple[str, ...]] = {}
        for name in ids:
            by_digits[digits(name)] = (*by_digits.get(digits(name), ()), name)
        return cls(ids, by_digits)


@dataclass(frozen=True)
class Vocabulary:
    """The names of a catalog, and the facts that a question takes for granted.

    `context_tokens` maps a model's id to the tokens of its context; `estimated` are parts without measured step times.
    """

    names: KnownNames
    context_tokens: Mapping[str, int]
    estimated: Set[str] = frozenset()

    def model_id(self, written: str) -> str:
        """Return the id of a model, of the catalog or of one that the user brings.

        Raises:
            ValueProblem: there is none, or it cannot be counted.
        """
        brought = self.names.bring_model(written)
        return resolve(written, self.names.models, "model") if brought is None else brought.id

    @cached_property
    def models(self) -> NameTable:
        """The names of models."""
        return NameTable.of(self.names.models)

    @cached_property
    def parts(self) -> NameTable:
        """The names of accelerators."""
        return NameTable.of(self.names.accelerators)


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
