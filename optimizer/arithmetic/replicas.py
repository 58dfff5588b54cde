"""Step times, memory and KV capacity of serving replicas: the physics provider of the catalog's real parts."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from catalog.models import Model
from optimizer.arithmetic.added import step_added_block
from optimizer.arithmetic.arrays import Floats, Integers, map_arrays
from optimizer.arithmetic.floor import step_floor_block
from optimizer.arithmetic.memory import (
    kv_bytes_per_token,
    kv_bytes_per_token_and_layer,
    kv_capacity_tokens,
    layers_per_stage,
    weight_bytes_per_accelerator,
)
from optimizer.arithmetic.replica_rows import Fits
from optimizer.arithmetic.roofline import PartRates
from optimizer.arithmetic.step import Load, step_block
from optimizer.arithmetic.step_coefficients import EngineCosts, StepCoefficients, Wiring, step_coefficients
from optimizer.arithmetic.step_times import MemorySplit, Resource

# Elements of a block of the grid: temporaries of a few kernels at once then stay in the second-level cache.
BLOCK_ELEMENTS = 8192


@dataclass(frozen=True)
class Replicas:
    """K physics keys of one model as a struct of arrays; build it with `build_replicas`.

    All arrays are (K,). `estimates` holds `Estimate` bits.
    """

    model: Model
    tp: Integers
    pp: Integers
    ep: Integers
    dp_attention: Integers
    rates: PartRates
    fits: Fits
    wiring: Wiring
    engine: EngineCosts
    memory_fraction: Floats
    cache_fraction: Floats
    overhead_bytes: Floats
    kv_block_tokens: int
    host_s: Floats
    own_prefill_factor: Floats
    prefill_factor: Floats
    prefill_event_s: Floats
    interference: Floats
    extra_steps: Floats
    burst_share: Floats
    waiting_clients: Floats
    prefill_chunk_tokens: Floats
    estimates: Integers

    @property
    def count(self) -> int:
        """K."""
        return len(self.tp)

    @property
    def accelerators(self) -> Integers:
        """Accelerators of a replica, (K,)."""
        return self.tp * self.pp

    @cached_property
    def coefficients(self) -> StepCoefficients:
        """Everything above folded into one step; made when a step is first asked for."""
        return step_coefficients(
            self.model, self.tp, self.pp, self.ep, self.dp_attention, self.rates, self.fits, self.wiring, self.engine
        )

    @cached_property
    def weight_bytes_per_accelerator(self) -> Floats:
        """Bytes of weights on an accelerator of the fullest stage, (K,)."""
        return weight_bytes_per_accelerator(self.model, self.tp, self.pp, self.dp_attention, self.fits.weights)

    @cached_property
    def kv_bytes_per_token(self) -> Floats:
        """Bytes of one cached token in the whole replica, replication included, (K,)."""
        return kv_bytes_per_token(self.model, self.tp, self.dp_attention, self.fits.kv_bytes)

    @cached_property
    def memory(self) -> MemorySplit:
        """Bytes of an accelerator of the fullest stage; the engine's overhead includes activations."""
        weights, overhead = self.weight_bytes_per_accelerator, self.overhead_bytes
        cache = self.cache_fraction * (self.memory_fraction * self.rates.memory_bytes - overhead - weights)
        unused = self.rates.memory_bytes - weights - overhead - cache
        return MemorySplit(weights=weights, kv_cache=cache, overhead=overhead, unused=unused)

    @cached_property
    def kv_capacity_tokens(self) -> Floats:
        """Tokens that the whole replica caches, (K,); every stage caches its own layers of every token."""
        per_layer = kv_bytes_per_token_and_layer(self.model, self.tp, self.dp_attention, self.fits.kv_bytes)
        bytes_per_token = per_layer * layers_per_stage(self.model, self.pp)
        return kv_capacity_tokens(self.memory.kv_cache, bytes_per_token, self.kv_block_tokens, self.dp_attention)

    def take(self, indices: Integers) -> Self:
        """The rows `indices`, in that order."""
        return map_arrays(self, lambda array: array[indices])

    def scaled(self, resource: Resource, factor: float | Floats) -> Self:
        """The same keys on hypothetical parts with `factor` times as much of one resource.

        COMPUTE scales the FLOP/s of every format and the multiprocessors; NETWORK the bandwidth of every collective
        and stage hop. Launch times, efficiencies and the engine's memory overhead stay.
        """
        rates, fits, wiring = self.rates, self.fits, self.wiring
        match resource:
            case Resource.MEMORY_CAPACITY:
                rates = replace(rates, memory_bytes=rates.memory_bytes * factor)
            case Resource.MEMORY_BANDWIDTH:
                rates = replace(rates, memory_bytes_per_s=rates.memory_bytes_per_s * factor)
            case Resource.COMPUTE:
                rates = replace(
                    rates,
                    bf16_flop_per_s=rates.bf16_flop_per_s * factor,
                    multiprocessors=rates.multiprocessors * factor,
                )
                fits = fits.faster(factor)
            case Resource.NETWORK:
                wiring = wiring.faster(factor)
        return replace(self, rates=rates, fits=fits, wiring=wiring)

    def step_seconds(
        self,
        prefill_tokens: ArrayLike,
        prefill_sequences: ArrayLike,
        prefix_tokens: ArrayLike,
        decode_sequences: ArrayLike,
        decode_context: ArrayLike,
    ) -> Floats:
        """Seconds of one forward step of the whole replica; the protocol `StepTimes` says how arguments broadcast.

        A step is kernel_scale·(kernels and collectives of all layers and stages), no less than their launches take the
        host, + engine and hop times. A prompt share below one sequence is a mean over steps: its attention runs in
        that share of them.
        """
        return self._evaluate(
            step_block, prefill_tokens, prefill_sequences, prefix_tokens, decode_sequences, decode_context
        )

    def floor_seconds(
        self,
        prefill_tokens: ArrayLike,
        prefill_sequences: ArrayLike,
        prefix_tokens: ArrayLike,
        decode_sequences: ArrayLike,
        decode_context: ArrayLike,
    ) -> Floats:
        """Seconds below the mean step of any schedule with these mean prompt tokens per step; see floor.py."""
        return self._evaluate(
            step_floor_block, prefill_tokens, prefill_sequences, prefix_tokens, decode_sequences, decode_context
        )

    def added_seconds(self, prefill_tokens: ArrayLike, prefix_tokens: ArrayLike) -> Floats:
        """Seconds that a chunk of one prompt adds at most to a step that decodes anyway; see added.py."""
        return self._evaluate(step_added_block, prefill_tokens, 1.0, prefix_tokens, 0.0, 0.0)

    def _evaluate(self, law: Callable[[Model, StepCoefficients, Load], Floats], *arguments: ArrayLike) -> Floats:
        given = [np.asarray(values, dtype=np.float64) for values in arguments]
        _check(given)
        axes = max(2, *(values.ndim for values in given))
        shape = np.broadcast_shapes((self.count, *(1,) * (axes - 1)), *(values.shape for values in given))
        if shape[0] != self.count:
            raise ValueError(f"arguments have {shape[0]} rows, the replicas {self.count}")
        flat = [_flat(values, shape[1:]) for values in given]
        skip_prefill, skip_decode = _is_zero(given[0]), _is_zero(given[3])
        result = np.empty((self.count, flat[0].shape[1]))
        for rows, columns in _blocks(*result.shape):
            tokens, sequences, prefix, decoding, context = (
                values[rows if len(values) > 1 else slice(None), columns] for values in flat
            )
            load = Load(tokens, sequences, prefix, decoding, context, not skip_prefill, not skip_decode)
            whole = rows == slice(0, self.count)
            coefficients = self.coefficients if whole else map_arrays(self.coefficients, partial(_rows, rows=rows))
            result[rows, columns] = law(self.model, coefficients, load)
        return result.reshape(shape)


def _rows(array: NDArray[np.float64], rows: slice) -> NDArray[np.float64]:
    return array[..., rows, :]


def _is_zero(values: Floats) -> bool:
    return values.ndim == 0 and float(values) == 0.0


def _check(given: list[Floats]) -> None:
    for values in given:
        if values.ndim == 1:
            raise ValueError("a one-dimensional argument is ambiguous: give (1, G) or (K, 1)")
        if not (values.min() >= 0.0 and values.max() < np.inf):
            raise ValueError("arguments must be finite and not negative")


def _flat(values: Floats, tail: tuple[int, ...]) -> Floats:
    """`values` as (1, G) or (K, G) with the trailing axes of the result joined into G."""
    rows = values.shape[0] if values.ndim > 1 else 1
    return np.broadcast_to(values, (rows, *tail)).reshape(rows, -1)


def _blocks(rows: int, columns: int) -> list[tuple[slice, slice]]:
    """Blocks that cover a grid; a block is whole rows unless one row alone is larger than a block."""
    if columns > BLOCK_ELEMENTS:
        return [
            (slice(row, row + 1), slice(start, min(start + BLOCK_ELEMENTS, columns)))
            for row in range(rows)
            for start in range(0, columns, BLOCK_ELEMENTS)
        ]
    step = max(1, BLOCK_ELEMENTS // max(columns, 1))
    return [(slice(row, min(row + step, rows)), slice(0, columns)) for row in range(0, rows, step)]
