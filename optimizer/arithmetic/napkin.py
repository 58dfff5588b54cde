"""Napkin step times: a roofline of two lines from numbers that the user states.

    step = max(2·parameters·tokens/(flops·compute), (weight bytes + sequences·context·kv bytes)/(bandwidth·share))

All parameters are read once a step and multiply every token; there are no attention FLOPs, tiles, launch times or
activation traffic. It reproduces what tutorials compute by hand, through the same evaluation as real parts.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, PositiveFloat

from catalog.engines import Engine
from optimizer.arithmetic.arrays import Floats, Integers, map_arrays
from optimizer.arithmetic.step_times import MemorySplit, Resource


class ContextRule(StrEnum):
    """What a decoding sequence attends to: `fixed` is the prompt, `mean` the prompt and half of the output."""

    FIXED = "fixed"
    MEAN = "mean"


class _Stated(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NapkinModel(_Stated):
    """Parameters and bytes of KV cache per token."""

    parameters: PositiveFloat
    kv_bytes_per_token: PositiveFloat


class NapkinPart(_Stated):
    """One accelerator: bytes, bytes/s, FLOP/s and dollars per hour."""

    memory_bytes: PositiveFloat
    bandwidth: PositiveFloat
    flops: PositiveFloat
    usd_per_hour: PositiveFloat


class NapkinEfficiency(_Stated):
    """Shares of the peaks that are reached (MFU, MBU)."""

    compute: PositiveFloat = 1.0
    bandwidth: PositiveFloat = 1.0


class NapkinOverride(_Stated):
    """The override file. `fixed_times` and `interference` multiply the engine's; `step_s` makes every step constant."""

    model: NapkinModel
    part: NapkinPart
    efficiency: NapkinEfficiency = NapkinEfficiency()
    overhead_bytes: float = 0.0
    memory_utilization: PositiveFloat = 1.0
    fixed_times: float = 0.0
    interference: float = 0.0
    context: ContextRule = ContextRule.MEAN
    host_s: float | None = None
    step_s: PositiveFloat | None = None


@dataclass(frozen=True)
class NapkinStepTimes:
    """K rows of one override, (K,) arrays; the provider of the protocol `StepTimes`."""

    parameters: Floats
    weight_bytes: Floats
    kv_bytes_per_token: Floats
    memory_bytes: Floats
    memory_bytes_per_s: Floats
    flop_per_s: Floats
    overhead_bytes: Floats
    memory_utilization: Floats
    engine_step_s: Floats
    engine_sequence_s: Floats
    constant_step_s: Floats | None
    tp: Integers
    pp: Integers
    dp_attention: Integers
    host_s: Floats
    own_prefill_factor: Floats
    prefill_factor: Floats
    prefill_event_s: Floats
    interference: Floats
    extra_steps: Floats
    burst_share: Floats
    waiting_clients: Floats
    prefill_chunk_tokens: Floats
    kv_block_tokens: int = 1

    @property
    def count(self) -> int:
        """K."""
        return len(self.tp)

    @property
    def accelerators(self) -> Integers:
        """Accelerators of a replica, (K,)."""
        return self.tp * self.pp

    @property
    def weight_bytes_per_accelerator(self) -> Floats:
        """Bytes of weights on an accelerator, (K,): split evenly."""
        return self.weight_bytes / self.accelerators

    @property
    def memory(self) -> MemorySplit:
        """Bytes of an accelerator."""
        usable = self.memory_utilization * self.memory_bytes
        weights = self.weight_bytes_per_accelerator
        return MemorySplit(
            weights, usable - self.overhead_bytes - weights, self.overhead_bytes, self.memory_bytes - usable
        )

    @property
    def kv_capacity_tokens(self) -> Floats:
        """Tokens that a replica caches, (K,)."""
        return np.floor(self.memory.kv_cache * self.accelerators / self.kv_bytes_per_token)

    def step_seconds(
        self,
        prefill_tokens: ArrayLike,
        prefill_sequences: ArrayLike,
        prefix_tokens: ArrayLike,
        decode_sequences: ArrayLike,
        decode_context: ArrayLike,
    ) -> Floats:
        """Seconds of one step; the prefix is not read, as prompts cost parameters only."""
        new = np.asarray(prefill_tokens, dtype=np.float64)
        prompts = np.asarray(prefill_sequences, dtype=np.float64)
        decoding = np.asarray(decode_sequences, dtype=np.float64)
        context = np.asarray(decode_context, dtype=np.float64)
        tokens = new + decoding
        if not tokens.min() > 0.0:
            raise ValueError("a step without tokens has no time")
        shape = np.broadcast_shapes(
            (self.count, 1), tokens.shape, prompts.shape, context.shape, np.shape(prefix_tokens)
        )

        def rows(values: Floats) -> Floats:
            return values.reshape((-1,) + (1,) * (len(shape) - 1))

        if self.constant_step_s is not None:
            return np.broadcast_to(rows(self.constant_step_s), shape).copy()
        compute_s = 2.0 * rows(self.parameters) * tokens / rows(self.flop_per_s * self.tp)
        read = rows(self.weight_bytes) + decoding * context * rows(self.kv_bytes_per_token)
        read_s = read / rows(self.memory_bytes_per_s * self.tp)
        engine_s = rows(self.engine_step_s) + rows(self.engine_sequence_s) * (prompts + decoding)
        return np.broadcast_to(np.maximum(compute_s, read_s) + engine_s, shape).copy()

    def floor_seconds(
        self,
        prefill_tokens: ArrayLike,
        prefill_sequences: ArrayLike,
        prefix_tokens: ArrayLike,
        decode_sequences: ArrayLike,
        decode_context: ArrayLike,
    ) -> Floats:
        """Seconds of one step: it is convex already."""
        return self.step_seconds(prefill_tokens, prefill_sequences, prefix_tokens, decode_sequences, decode_context)

    def added_seconds(self, prefill_tokens: ArrayLike, prefix_tokens: ArrayLike) -> Floats:
        """Seconds that a chunk adds at most to a step that decodes anyway: its multiplications."""
        new = np.asarray(prefill_tokens, dtype=np.float64)
        shape = np.broadcast_shapes((self.count, 1), new.shape, np.shape(prefix_tokens))
        if self.constant_step_s is not None:
            return np.zeros(shape)
        wide = (-1,) + (1,) * (len(shape) - 1)
        compute_s = (2.0 * self.parameters / (self.flop_per_s * self.tp)).reshape(wide)
        return np.broadcast_to(compute_s * new + self.engine_sequence_s.reshape(wide), shape).copy()

    def take(self, indices: Integers) -> "NapkinStepTimes":
        """Take the rows `indices`, in that order."""
        return map_arrays(self, lambda array: array[indices])

    def scaled(self, resource: Resource, factor: float | Floats) -> "NapkinStepTimes":
        """Scale one resource of every part; the napkin has no network."""
        match resource:
            case Resource.MEMORY_CAPACITY:
                return replace(self, memory_bytes=self.memory_bytes * factor)
            case Resource.MEMORY_BANDWIDTH:
                return replace(self, memory_bytes_per_s=self.memory_bytes_per_s * factor)
            case Resource.COMPUTE:
                return replace(self, flop_per_s=self.flop_per_s * factor)
            case Resource.NETWORK:
                return self


def napkin_step_times(
    override: NapkinOverride, engine: Engine, weight_bytes_per_parameter: float, tp: Integers, pp: Integers
) -> NapkinStepTimes:
    """Build one row per layout, (K,) `tp` and `pp`; work and memory divide evenly over accelerators."""
    count, fixed = len(tp), override.fixed_times

    def each(value: float) -> Floats:
        return np.full(count, value, dtype=np.float64)

    return NapkinStepTimes(
        parameters=each(override.model.parameters),
        weight_bytes=each(override.model.parameters * weight_bytes_per_parameter),
        kv_bytes_per_token=each(override.model.kv_bytes_per_token),
        memory_bytes=each(override.part.memory_bytes),
        memory_bytes_per_s=each(override.part.bandwidth * override.efficiency.bandwidth),
        flop_per_s=each(override.part.flops * override.efficiency.compute),
        overhead_bytes=each(override.overhead_bytes),
        memory_utilization=each(override.memory_utilization),
        engine_step_s=each(fixed * engine.step_s),
        engine_sequence_s=each(fixed * engine.sequence_s),
        constant_step_s=None if override.step_s is None else each(override.step_s),
        tp=tp,
        pp=pp,
        dp_attention=np.ones_like(tp),
        host_s=each(fixed * engine.host_s if override.host_s is None else override.host_s),
        own_prefill_factor=each(1.0 + fixed * (engine.own_prefill_factor - 1.0)),
        prefill_factor=each(1.0 + fixed * (engine.prefill_factor - 1.0)),
        prefill_event_s=each(fixed * engine.prefill_event_s),
        interference=each(override.interference * engine.interference),
        extra_steps=each(fixed * engine.extra_steps),
        burst_share=each(fixed * engine.burst_share),
        waiting_clients=each(fixed * engine.waiting_clients),
        prefill_chunk_tokens=each(engine.prefill_chunk_tokens),
    )
