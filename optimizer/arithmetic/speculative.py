"""Speculative decoding: K drafted tokens per sequence are verified in one step, up to the first that is rejected.

A step that verifies multiplies K + 1 tokens per sequence and reads weights and cache once, so it is short while reading
binds and long once multiplying does. Each drafted token is accepted with chance a, whatever came before it; drafting
takes K·c decode steps. Per time of a decode step that keeps (1 + a + … + a^K)/(V/D + K·c) tokens, V the step that
verifies and D the one that decodes: above 1 it is faster.

The draft's own memory and its prefill are not counted, nor is the room of drafts in the token budget, so that what is
said of speculation is rather too good.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from optimizer.arithmetic.arrays import Floats
from optimizer.arithmetic.replicas import Replicas

_ACCEPTANCE_BISECTIONS = 50


@dataclass(frozen=True)
class Speculation:
    """How tokens are drafted.

    drafted: tokens per sequence and step. acceptance: chance of each, 0 to 1. draft_cost: of each, in decode steps.
    """

    drafted: int
    acceptance: float
    draft_cost: float

    @property
    def kept(self) -> float:
        """Mean tokens that a sequence gets per step."""
        return kept_tokens(self.acceptance, self.drafted)


def kept_tokens(acceptance: float, drafted: int) -> float:
    """1 + a + … + a^K: a step keeps what is accepted before the first rejection, and one token of its own."""
    return sum(acceptance**power for power in range(drafted + 1))


def needed_tokens(verify_steps: Floats, drafted: int, draft_cost: float) -> Floats:
    """Tokens per sequence that a step must keep to be no slower than decoding; `verify_steps`: V/D, any shape."""
    return verify_steps + drafted * draft_cost


def acceptance_for(needed: float, drafted: int) -> float | None:
    """The least chance per drafted token at which so many are kept; None if not even all of them are enough."""
    if needed > drafted + 1:
        return None
    if needed <= 1.0:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(_ACCEPTANCE_BISECTIONS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if kept_tokens(middle, drafted) < needed else (low, middle)
    return high


def verify_seconds(replicas: Replicas, drafted: int, sequences: ArrayLike, context: ArrayLike) -> Floats:
    """A step that verifies the drafts of `sequences`, seconds; arguments broadcast as those of `step_seconds`."""
    return _verifying(replicas, drafted).step_seconds(0.0, 0.0, 0.0, *_tokens(drafted, sequences, context))


def _verifying(replicas: Replicas, drafted: int) -> Replicas:
    """Replicas that verify where they are asked to decode `_tokens`: the host's time of a sequence is paid once."""
    engine = replicas.engine
    return replace(replicas, engine=replace(engine, sequence_s=engine.sequence_s / (drafted + 1)))


def _tokens(drafted: int, sequences: ArrayLike, context: ArrayLike) -> tuple[Floats, Floats]:
    """K + 1 sequences, each with its share of the context, in place of one that is verified.

    So every token is multiplied and sampled, and the cache is read once. The attention of MLA, where multiplying may
    bind, is counted as if reading did.
    """
    return np.multiply(sequences, drafted + 1.0), np.divide(context, drafted + 1.0)


@dataclass(frozen=True)
class SpeculativeReplicas(Replicas):
    """Replicas of which every step drafts and verifies; every step must decode. Build it with `speculating`."""

    drafted: int
    draft_cost: float

    def step_seconds(
        self,
        prefill_tokens: ArrayLike,
        prefill_sequences: ArrayLike,
        prefix_tokens: ArrayLike,
        decode_sequences: ArrayLike,
        decode_context: ArrayLike,
    ) -> Floats:
        """As of `Replicas`; the drafts are verified beside the prompts."""
        tokens = _tokens(self.drafted, decode_sequences, decode_context)
        verified_s = self._verifying.step_seconds(prefill_tokens, prefill_sequences, prefix_tokens, *tokens)
        return verified_s + self._drafting_s(decode_sequences, decode_context)

    def floor_seconds(
        self,
        prefill_tokens: ArrayLike,
        prefill_sequences: ArrayLike,
        prefix_tokens: ArrayLike,
        decode_sequences: ArrayLike,
        decode_context: ArrayLike,
    ) -> Floats:
        """As of `Replicas`; the drafts are verified beside the prompts."""
        tokens = _tokens(self.drafted, decode_sequences, decode_context)
        verified_s = self._verifying.floor_seconds(prefill_tokens, prefill_sequences, prefix_tokens, *tokens)
        return verified_s + self._drafting_s(decode_sequences, decode_context)

    @cached_property
    def _verifying(self) -> Replicas:
        return _verifying(self._decoding, self.drafted)

    def _drafting_s(self, sequences: ArrayLike, context: ArrayLike) -> Floats:
        decode_s = self._decoding.step_seconds(0.0, 0.0, 0.0, sequences, context)
        return self.drafted * self.draft_cost * decode_s

    @cached_property
    def _decoding(self) -> Replicas:
        """The same replicas without speculation."""
        return Replicas(**{field.name: getattr(self, field.name) for field in fields(Replicas)})


def speculating(replicas: Replicas, speculation: Speculation) -> SpeculativeReplicas:
    """The replicas with drafts in every step."""
    plain = {field.name: getattr(replicas, field.name) for field in fields(Replicas)}
    return SpeculativeReplicas(**plain, drafted=speculation.drafted, draft_cost=speculation.draft_cost)
