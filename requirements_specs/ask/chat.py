"""The lengths of a chat, which are assumed where nobody states any."""

from __future__ import annotations

from collections.abc import Mapping

from requirements_specs.write import Tree

CHAT: Mapping[str, Mapping[str, float]] = {
    "prompt_tokens": {"mean": 512.0, "p50": 400.0, "p90": 1000.0, "p99": 1500.0},
    "output_tokens": {"mean": 200.0, "p50": 150.0, "p90": 420.0, "p99": 800.0},
}
"""Tokens, by the key of `workload`; prompts are short enough that 200 ms to the first token can be met."""


def chat_lengths(key: str) -> Tree:
    """Return the statistics under a key of `CHAT` as a spec writes them."""
    return {name: f"{value:.0f} tokens" for name, value in CHAT[key].items()}
