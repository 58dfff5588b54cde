"""What the traffic layer asks of a physics provider: step times, KV capacity and the engine's fixed times."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol, Self

from numpy.typing import ArrayLike

from optimizer.arithmetic.arrays import Floats, Integers


class Resource(Enum):
    """What can be scaled to ask which wall binds; prices, launch times and efficiencies stay fixed."""

    MEMORY_CAPACITY = "memory-capacity"
    MEMORY_BANDWIDTH = "memory-bandwidth"
    NETWORK = "network"
    COMPUTE = "compute"


@dataclass(frozen=True)
class MemorySplit:
    """Bytes of one accelerator of the fullest pipeline stage, (K,) arrays.

    `overhead` holds activations, graphs and the runtime; `unused` is what the engine leaves to others. `kv_cache` is
    what remains; it is negative where the weights do not fit.
    """

    weights: Floats
    kv_cache: Floats
    overhead: Floats
    unused: Floats


class LoadStepTimes(Protocol):
    """What the means of a load ask: steps of K physics keys of one model, every array is (K,).

    Engine times mean what `Engine` says.
    """

    @property
    def count(self) -> int:
        """K."""

    @property
    def pp(self) -> Integers:
        """Pipeline stages, which are interleaved virtual engines to the scheduler."""

    @property
    def dp_attention(self) -> Integers:
        """Attention-data-parallel ranks."""

    @property
    def host_s(self) -> Floats:
        """Host time before the first token."""

    @property
    def own_prefill_factor(self) -> Floats:
        """What a request's own prefill counts in its first token."""

    @property
    def prefill_factor(self) -> Floats:
        """Multiplier of the time that a prompt's kernels add to the steps that carry it."""

    @property
    def prefill_event_s(self) -> Floats:
        """Fixed time that each prompt adds."""

    @property
    def interference(self) -> Floats:
        """Share of other requests' prefills that a decoding request waits for in a closed loop."""

    @property
    def extra_steps(self) -> Floats:
        """Decode steps before the first token is seen in a closed loop."""

    @property
    def burst_share(self) -> Floats:
        """Share of the requests of a closed loop that see its start-up burst."""

    @property
    def waiting_clients(self) -> Floats:
        """Clients of a closed loop, on the average, that wait for another's answer to end though there is room."""

    @property
    def prefill_chunk_tokens(self) -> Floats:
        """Largest prefill chunk of a step in a closed loop."""

    @property
    def kv_capacity_tokens(self) -> Floats:
        """Tokens that the KV cache of the whole replica holds, in whole blocks; zero or less: does not fit."""

    def step_seconds(
        self,
        prefill_tokens: ArrayLike,
        prefill_sequences: ArrayLike,
        prefix_tokens: ArrayLike,
        decode_sequences: ArrayLike,
        decode_context: ArrayLike,
    ) -> Floats:
        """Seconds of one forward step of the whole replica.

        Arguments are scalars or broadcast against (K, 1, ...); the result has that shape, (K, 1) for scalars.

        Args:
            prefill_tokens: new prompt tokens of all sequences in the step; the scalar 0 skips the prefill.
            prefill_sequences: sequences that they belong to.
            prefix_tokens: cached tokens before them, per sequence.
            decode_sequences: sequences that each produce one token; the scalar 0 skips the decode.
            decode_context: mean tokens that a decoding sequence attends to.

        Raises:
            ValueError: if a step has no tokens, or a value is negative or not finite.

        """


class StepTimes(LoadStepTimes, Protocol):
    """What a search asks beside them: bounds, bytes, and the same keys on parts that do not exist."""

    @property
    def accelerators(self) -> Integers:
        """Accelerators of a replica."""

    @property
    def kv_block_tokens(self) -> int:
        """Tokens per KV block."""

    @property
    def memory(self) -> MemorySplit:
        """Bytes of one accelerator."""

    @property
    def weight_bytes_per_accelerator(self) -> Floats:
        """Bytes of weights on the fullest accelerator."""

    @property
    def kv_bytes_per_token(self) -> Floats:
        """Bytes that one cached token takes in the whole replica, replication included."""

    def floor_seconds(
        self,
        prefill_tokens: ArrayLike,
        prefill_sequences: ArrayLike,
        prefix_tokens: ArrayLike,
        decode_sequences: ArrayLike,
        decode_context: ArrayLike,
    ) -> Floats:
        """Seconds that the mean step of no schedule with these mean prompt tokens per step is below.

        Arguments as `step_seconds`; prompt tokens and sequences are means over steps, and every step decodes.
        """

    def added_seconds(self, prefill_tokens: ArrayLike, prefix_tokens: ArrayLike) -> Floats:
        """Seconds that a chunk of one prompt adds at most to a step that decodes anyway.

        Never less than what `step_seconds` grows by, and no longer on a part with more of any resource.
        """

    def take(self, indices: Integers) -> Self:
        """The rows `indices`, in that order."""

    def scaled(self, resource: Resource, factor: float | Floats) -> Self:
        """The same keys on hypothetical parts with `factor` times as much of one resource, one or a factor per key."""
