"""The mechanisms of an engine as choices: each is turned on or off at the hardware, layout and count of a design.

Every figure comes from the evaluation of the search. What a mechanism gains is the rate that the design carries with
it over that without it; where it gains nothing, its reason says why.
"""

from __future__ import annotations

from dataclasses import dataclass

from catalog.read import Snapshot
from optimizer.answers import Answer
from optimizer.mechanisms.choices import chunked_prefill, dp_attention, fp8_kv, prefix_cache
from optimizer.mechanisms.chosen import Chosen
from optimizer.mechanisms.effect import Effect, Figures, Resolved, Setting
from optimizer.mechanisms.speculation import AtSequences, BreakEven, Drafts, break_even, speculative_decoding
from requirements_specs.serving import ServingSpec

__all__ = [
    "AtSequences",
    "BreakEven",
    "Drafts",
    "Effect",
    "Figures",
    "Mechanisms",
    "Resolved",
    "Setting",
    "mechanisms_of",
]


@dataclass(frozen=True)
class Mechanisms:
    """Every mechanism at a design, and where drafted tokens pay."""

    effects: tuple[Effect, ...]
    break_even: BreakEven


def mechanisms_of(spec: ServingSpec, found: Answer, snapshot: Snapshot, drafts: Drafts) -> Mechanisms:
    """What each mechanism does to the design of an answer to the specification."""
    chosen = Chosen.of(spec, found, snapshot)
    drafted = break_even(chosen, drafts)
    return Mechanisms(
        effects=(
            chunked_prefill(chosen),
            prefix_cache(chosen),
            fp8_kv(chosen),
            dp_attention(chosen),
            speculative_decoding(chosen, drafted),
        ),
        break_even=drafted,
    )
