"""A floor under the mean step when prefill comes and goes: convex in the prompt tokens, and below every real step.

A real schedule prefills in some steps and not in others. The mean of `step_block` over any such schedule is at least
its floor at the mean prompt tokens, by Jensen's inequality, because the floor

- replaces every staircase (row tiles, waves) by the line below it,
- counts the experts that the decoding sequences alone touch (touched experts are concave in the tokens, so a mean
  batch touches more of them than the batches do on average),
- leaves out launch and serial times of kernels that only steps with prompts run.
"""

import numpy as np

from catalog.models import Model
from optimizer.arithmetic.arrays import Floats
from optimizer.arithmetic.attention import ContextAttention, computed_pairs
from optimizer.arithmetic.collectives import AllReduces
from optimizer.arithmetic.roofline import Experts, Gemms, least_row_seconds, touched_experts
from optimizer.arithmetic.step import Load, attention_layers, decode_seconds, fullest_group
from optimizer.arithmetic.step_coefficients import StepCoefficients


def step_floor_block(model: Model, coefficients: StepCoefficients, load: Load) -> Floats:
    """Floor of the mean step, (K, G) seconds; `load` holds mean prompt tokens and sequences per step.

    `decode_sequences` are those of every step, and positive.
    Raises ValueError otherwise.
    """
    if not load.decode_sequences.min() > 0.0:
        raise ValueError("the floor is of steps that decode")
    share = coefficients.group_share
    tokens = load.prefill_tokens + load.decode_sequences
    sequences = load.prefill_sequences + load.decode_sequences
    rank_decode = fullest_group(load.decode_sequences, share)
    rank_tokens = rank_decode + load.prefill_tokens * share
    total = _gemm_floor(coefficients.rank_gemms, rank_tokens)
    total += coefficients.rank_token_s * rank_tokens
    total += coefficients.fixed_s
    if coefficients.stage_gemms is not None:
        total += _gemm_floor(coefficients.stage_gemms, tokens)
        total += coefficients.stage_token_s * tokens
    if coefficients.experts is not None:
        total += _expert_floor(coefficients.experts, tokens, load.decode_sequences)
    total += _reduce_floor(coefficients.stage_reduce, tokens, load.decode_sequences)
    total += _reduce_floor(coefficients.attention_reduce, rank_tokens, rank_decode)
    total += _gemm_floor(coefficients.head, sequences)
    total += decode_seconds(model, coefficients, rank_decode, load)
    if load.has_prefill:
        total += share * _prefill_floor(model, coefficients, load)
    total *= coefficients.kernel_scale
    np.maximum(total, coefficients.eager_s, out=total)
    total += coefficients.sequence_s * (sequences * share)
    total += coefficients.hop_token_s * tokens
    total += coefficients.engine_s
    return total


def _gemm_floor(coefficients: Gemms, tokens: Floats) -> Floats:
    total = coefficients.token_s * tokens
    total += coefficients.fixed_s
    for row_s, weights_s in zip(least_row_seconds(coefficients), coefficients.weights_s, strict=True):
        total += np.maximum(row_s * tokens, weights_s)
    return total


def _expert_floor(coefficients: Experts, tokens: Floats, decoding: Floats) -> Floats:
    touched = touched_experts(coefficients, decoding)
    compute = coefficients.row_s * (coefficients.hot_rows * tokens + coefficients.padding_rows * touched)
    total = np.maximum(compute, coefficients.weights_s * touched)
    total += coefficients.token_s * tokens
    total += coefficients.fixed_s
    return total


def _reduce_floor(coefficients: AllReduces, tokens: Floats, decoding: Floats) -> Floats:
    ramp = coefficients.ramp_s * np.minimum(coefficients.ramp_per_token * decoding, 1.0)
    return coefficients.times * (coefficients.launch_s + ramp + coefficients.token_s * tokens)


def _prefill_floor(model: Model, coefficients: StepCoefficients, load: Load) -> Floats:
    """Seconds of all prompts on one attention group if they had it alone; linear in the number of prompts."""
    present = load.prefill_sequences > 0.0
    new_tokens = np.where(present, load.prefill_tokens, 1.0) / np.where(present, load.prefill_sequences, 1.0)
    prompt: Floats | float = 0.0
    for layers, window in attention_layers(model):
        prompt = prompt + layers * _context_floor(coefficients.context, new_tokens, load.prefix_tokens, window)
    if coefficients.prefill_gemms is not None:
        expand = coefficients.prefill_gemms
        prompt = prompt + (least_row_seconds(expand).sum(axis=0) + expand.token_s) * new_tokens
    return prompt * np.where(present, load.prefill_sequences, 0.0)


def _context_floor(coefficients: ContextAttention, new_tokens: Floats, prefix: Floats, window: float | None) -> Floats:
    pairs = computed_pairs(new_tokens, prefix, window)
    return np.maximum(coefficients.pair_s * pairs, coefficients.token_s * new_tokens)
