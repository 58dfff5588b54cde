"""A replica whose step time is a formula, so that everything built on it has a closed form.

step = fixed + network + per_sequence·N + per_context·N·c + per_token·P + per_pair·P·(prefix + chunk/2)

N sequences of context c decode beside P prompt tokens; the last term counts the pairs of causal attention, so a prompt
costs the same however it is cut into chunks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optimizer.arithmetic.arrays import map_arrays
from optimizer.arithmetic.step_times import MemorySplit, Resource

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BLOCK_TOKENS = 16


@dataclass(frozen=True)
class LinearSteps:
    """K keys; every array is (K,)."""

    fixed_s: Floats
    network_s: Floats
    per_sequence_s: Floats
    per_context_s: Floats
    per_token_s: Floats
    per_pair_s: Floats
    pp: Integers
    dp_attention: Integers
    accelerators: Integers
    host_s: Floats
    own_prefill_factor: Floats
    prefill_factor: Floats
    prefill_event_s: Floats
    interference: Floats
    extra_steps: Floats
    burst_share: Floats
    waiting_clients: Floats
    prefill_chunk_tokens: Floats
    memory: MemorySplit
    weight_bytes_per_accelerator: Floats
    kv_bytes_per_token: Floats
    kv_capacity_tokens: Floats
    kv_block_tokens: int = BLOCK_TOKENS

    @property
    def count(self) -> int:
        return len(self.fixed_s)

    def step_seconds(
        self,
        prefill_tokens: ArrayLike,
        prefill_sequences: ArrayLike,
        prefix_tokens: ArrayLike,
        decode_sequences: ArrayLike,
        decode_context: ArrayLike,
    ) -> Floats:
        tokens, prompts, prefix, sequences, context = (
            np.asarray(values, dtype=np.float64)
            for values in (prefill_tokens, prefill_sequences, prefix_tokens, decode_sequences, decode_context)
        )
        axes = max(2, *(values.ndim for values in (tokens, prompts, prefix, sequences, context)))

        def constant(values: Floats) -> Floats:
            return values.reshape(-1, *(1,) * (axes - 1))

        chunk = np.divide(tokens, prompts, out=np.zeros(np.broadcast(tokens, prompts).shape), where=prompts > 0.0)
        return np.asarray(
            constant(self.fixed_s)
            + constant(self.network_s)
            + constant(self.per_sequence_s) * sequences
            + constant(self.per_context_s) * sequences * context
            + constant(self.per_token_s) * tokens
            + constant(self.per_pair_s) * tokens * (prefix + chunk / 2.0)
        )

    floor_seconds = step_seconds

    def added_seconds(self, prefill_tokens: ArrayLike, prefix_tokens: ArrayLike) -> Floats:
        tokens, prefix = (np.asarray(values, dtype=np.float64) for values in (prefill_tokens, prefix_tokens))
        return np.asarray(
            self.per_token_s[:, None] * tokens + self.per_pair_s[:, None] * tokens * (prefix + tokens / 2.0)
        )

    def take(self, indices: Integers) -> Self:
        return map_arrays(self, lambda array: array[indices])

    def scaled(self, resource: Resource, factor: float | Floats) -> Self:
        """Bandwidth speeds up decoding, compute speeds up prompts, the network its own term."""
        match resource:
            case Resource.MEMORY_CAPACITY:
                return replace(self, kv_capacity_tokens=self.kv_capacity_tokens * factor)
            case Resource.MEMORY_BANDWIDTH:
                return replace(
                    self,
                    per_sequence_s=self.per_sequence_s / factor,
                    per_context_s=self.per_context_s / factor,
                )
            case Resource.NETWORK:
                return replace(self, network_s=self.network_s / factor)
            case Resource.COMPUTE:
                return replace(self, per_token_s=self.per_token_s / factor, per_pair_s=self.per_pair_s / factor)


def linear_steps(keys: int = 1, **values: float) -> LinearSteps:
    """Keys that are all alike; what is not given costs nothing, and the KV cache is ample."""

    def whole(name: str) -> Integers:
        return np.full(keys, int(values.pop(name, 1)), dtype=np.int64)

    def real(name: str, default: float = 0.0) -> Floats:
        return np.full(keys, float(values.pop(name, default)))

    steps = LinearSteps(
        fixed_s=real("fixed_s"),
        network_s=real("network_s"),
        per_sequence_s=real("per_sequence_s"),
        per_context_s=real("per_context_s"),
        per_token_s=real("per_token_s"),
        per_pair_s=real("per_pair_s"),
        pp=whole("pp"),
        dp_attention=whole("dp_attention"),
        accelerators=whole("accelerators"),
        host_s=real("host_s"),
        own_prefill_factor=real("own_prefill_factor", 1.0),
        prefill_factor=real("prefill_factor", 1.0),
        prefill_event_s=real("prefill_event_s"),
        interference=real("interference"),
        extra_steps=real("extra_steps"),
        burst_share=real("burst_share"),
        waiting_clients=real("waiting_clients"),
        prefill_chunk_tokens=real("prefill_chunk_tokens", 8192.0),
        memory=MemorySplit(real("weights"), real("kv_cache", 1e9), real("overhead"), real("unused")),
        weight_bytes_per_accelerator=real("weight_bytes_per_accelerator"),
        kv_bytes_per_token=real("kv_bytes_per_token", 1.0),
        kv_capacity_tokens=real("kv_capacity_tokens", 1e9),
    )
    assert not values, f"unknown: {sorted(values)}"
    return steps
