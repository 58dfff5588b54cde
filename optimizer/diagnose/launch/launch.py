"""What a launch command says of one server, in the words of no engine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum

from optimizer.errors import QuestionError


class LaunchError(QuestionError):
    """A launch command that cannot be read or run as written; the message says what is allowed."""


class PoolRole(StrEnum):
    """What a server of a disaggregated deployment does."""

    PREFILL = "prefill"
    DECODE = "decode"


class DataParallel(Enum):
    """What an engine's data parallelism means."""

    REPLICAS = "whole copies of the model"
    ATTENTION_OF_EXPERT_MODELS = "attention groups beside shared experts where the model has experts, else copies"


class MemoryRule(Enum):
    """What an engine's memory fraction is a fraction of."""

    WHOLE = "of the memory, for weights, activations and KV cache"
    STATIC = "of the memory, for weights and KV cache"
    FREE = "of what weights and buffers leave, for the KV cache"


@dataclass(frozen=True)
class MemoryShare:
    """A memory fraction that the command states."""

    rule: MemoryRule
    share: float


@dataclass(frozen=True)
class Speculation:
    """Speculative decoding: its method, as the command names it, and tokens drafted per step (None: not stated)."""

    method: str
    tokens: int | None


@dataclass(frozen=True)
class Unmodelled:
    """A flag that changes the speed in a way that the prediction does not count."""

    flag: str
    effect: str


@dataclass(frozen=True)
class Launch:
    """One server.

    `tp` counts the ranks that the command's tensor parallelism names, beside `data_parallel` groups where the engine
    adds them. `expert_parallel`: ranks that experts are divided over, None for all. `attention_groups`: attention
    data parallelism inside `tp`. `seats_per_group`: whether `max_num_seqs` holds for each attention group.
    """

    engine: str
    model: str
    tp: int = 1
    pp: int = 1
    data_parallel: int = 1
    data_parallel_means: DataParallel = DataParallel.REPLICAS
    expert_parallel: int | None = 1
    attention_groups: int = 1
    weights: str | None = None
    half_precision: bool = False
    kv: str | None = None
    max_num_seqs: int | None = None
    seats_per_group: bool = True
    max_num_batched_tokens: int | None = None
    longest_request: int | None = None
    memory: MemoryShare | None = None
    prefix_caching: bool | None = None
    speculation: Speculation | None = None
    role: PoolRole | None = None
    unmodelled: tuple[Unmodelled, ...] = ()
    settings_file: str | None = None
