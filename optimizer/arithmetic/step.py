"""One forward step of a model: which kernels run on how many tokens, and their sum."""

from dataclasses import dataclass

import numpy as np

from catalog.models import Model
from optimizer.arithmetic.arrays import Floats
from optimizer.arithmetic.attention import (
    DecodeLatentAttention,
    context_attention_seconds,
    decode_attention_seconds,
    decode_latent_attention_seconds,
)
from optimizer.arithmetic.collectives import all_reduce_seconds
from optimizer.arithmetic.roofline import expert_seconds, gemm_seconds
from optimizer.arithmetic.step_coefficients import StepCoefficients


@dataclass(frozen=True)
class Load:
    """What one step computes; arrays (K or 1, G). The flags say which half may be left out for all elements."""

    prefill_tokens: Floats
    prefill_sequences: Floats
    prefix_tokens: Floats
    decode_sequences: Floats
    decode_context: Floats
    has_prefill: bool
    has_decode: bool


def attention_layers(model: Model) -> tuple[tuple[int, float | None], ...]:
    """(layers, window) of each kind of attention layer of a model; no window is full attention."""
    kinds = ((model.layers - model.windowed_layers, None), (model.windowed_layers, float(model.window)))
    return tuple((layers, window) for layers, window in kinds if layers)


def fullest_group(sequences: Floats, group_share: Floats) -> Floats:
    """Decoding sequences on the fullest attention group: an even share, but never less than one whole sequence."""
    return np.maximum(sequences * group_share, np.minimum(sequences, 1.0))


def step_block(model: Model, coefficients: StepCoefficients, load: Load) -> Floats:
    """Seconds of a step, (K, G); every element must compute at least one token.

    Raises ValueError for a step without tokens.
    """
    tokens = load.prefill_tokens + load.decode_sequences
    sequences = load.prefill_sequences + load.decode_sequences
    if not tokens.min() > 0.0:
        raise ValueError("a step without tokens has no time")
    rank_decode = fullest_group(load.decode_sequences, coefficients.group_share)
    rank_tokens = rank_decode
    prompts = None
    if load.has_prefill:
        prompts = _prompts(coefficients, load)
        rank_tokens = rank_decode + load.prefill_tokens * coefficients.group_share
    total = gemm_seconds(coefficients.rank_gemms, rank_tokens)
    total += coefficients.rank_token_s * rank_tokens
    total += coefficients.fixed_s
    if coefficients.stage_gemms is not None:
        total += gemm_seconds(coefficients.stage_gemms, tokens)
        total += coefficients.stage_token_s * tokens
    if coefficients.experts is not None:
        total += expert_seconds(coefficients.experts, tokens)
    total += all_reduce_seconds(coefficients.stage_reduce, tokens)
    if coefficients.attention_reduce.times.any():
        total += all_reduce_seconds(coefficients.attention_reduce, rank_tokens)
    total += gemm_seconds(coefficients.head, sequences)
    if load.has_decode:
        total += decode_seconds(model, coefficients, rank_decode, load)
    if prompts is not None:
        total += _prompt_seconds(model, coefficients, prompts)
    total *= coefficients.kernel_scale
    np.maximum(total, coefficients.eager_s, out=total)
    total += coefficients.sequence_s * (sequences * coefficients.group_share)
    total += coefficients.hop_token_s * tokens
    total += coefficients.engine_s
    return total


@dataclass(frozen=True)
class _Prompts:
    """Prompts of one attention group, (K, G): `sequences` of `new_tokens` each, in `share` of the steps.

    Attention groups share the prompts of a step evenly: they prefill at the same time, so this is what a prompt costs
    the replica, and less than the latency of a prompt that comes alone.
    """

    sequences: Floats
    new_tokens: Floats
    prefix: Floats
    share: Floats


def _prompts(coefficients: StepCoefficients, load: Load) -> _Prompts:
    present = load.prefill_tokens > 0.0
    if np.any(present & (load.prefill_sequences <= 0.0)):
        raise ValueError("prefill tokens belong to no sequence")
    sequences = np.maximum(load.prefill_sequences, 1.0) * coefficients.group_share
    with np.errstate(divide="ignore", invalid="ignore"):  # absent prompts are replaced
        new_tokens = np.where(present, load.prefill_tokens / load.prefill_sequences, 1.0)
    shape = np.broadcast_shapes(sequences.shape, new_tokens.shape, load.prefix_tokens.shape)
    return _Prompts(
        sequences=np.broadcast_to(sequences, shape),
        new_tokens=np.broadcast_to(new_tokens, shape),
        prefix=np.broadcast_to(load.prefix_tokens, shape),
        share=np.where(present, np.minimum(load.prefill_sequences, 1.0), 0.0),
    )


def prefill_seconds(model: Model, coefficients: StepCoefficients, load: Load) -> Floats:
    """Seconds of the kernels that only prompts need: their attention and, in MLA, the expansion of keys and values."""
    return _prompt_seconds(model, coefficients, _prompts(coefficients, load))


def _prompt_seconds(model: Model, coefficients: StepCoefficients, prompts: _Prompts) -> Floats:
    total: Floats | float = 0.0
    for layers, window in attention_layers(model):
        total = total + layers * context_attention_seconds(
            coefficients.context, prompts.sequences, prompts.new_tokens, prompts.prefix, window
        )
    if coefficients.prefill_gemms is not None:
        total = total + gemm_seconds(coefficients.prefill_gemms, prompts.new_tokens * prompts.sequences)
    return total * prompts.share


def decode_seconds(model: Model, coefficients: StepCoefficients, sequences: Floats, load: Load) -> Floats:
    """Attention of the decoding sequences; elements without any contribute nothing."""
    kernel = coefficients.decode
    present = load.decode_sequences > 0.0
    if isinstance(kernel, DecodeLatentAttention):
        return (present * model.layers) * decode_latent_attention_seconds(kernel, sequences, load.decode_context)
    total: Floats | float = 0.0
    for layers, window in attention_layers(model):
        total = total + layers * decode_attention_seconds(kernel, sequences, load.decode_context, window)
    return np.asarray(total * present)
