"""What a prompt adds at most to a step that decodes anyway: its work, without what the step pays with or without it.

Weights of dense layers, launches and collectives' fixed times belong to the decoding step; a prompt adds its own
multiplies, its attention, the experts that it touches and its share of every transfer. A step is never longer than
the same step without the prompt plus this, and every term falls with the resource that it uses.
"""

import numpy as np

from catalog.models import Model
from optimizer.arithmetic.arrays import Floats
from optimizer.arithmetic.collectives import AllReduces
from optimizer.arithmetic.roofline import Experts, Gemms, expert_seconds, gemm_rows_seconds
from optimizer.arithmetic.step import Load, prefill_seconds
from optimizer.arithmetic.step_coefficients import StepCoefficients


def step_added_block(model: Model, coefficients: StepCoefficients, load: Load) -> Floats:
    """Seconds that the prompts of `load` add, (K, G); what it says of decoding sequences is not read."""
    tokens, sequences = load.prefill_tokens, load.prefill_sequences
    rank_tokens = tokens * coefficients.group_share
    total = _gemm_added(coefficients.rank_gemms, rank_tokens)
    total += coefficients.rank_token_s * rank_tokens
    if coefficients.stage_gemms is not None:
        total += _gemm_added(coefficients.stage_gemms, tokens)
        total += coefficients.stage_token_s * tokens
    if coefficients.experts is not None:
        total += _expert_added(coefficients.experts, tokens)
    total += _reduce_added(coefficients.stage_reduce, tokens)
    total += _reduce_added(coefficients.attention_reduce, rank_tokens)
    total += _gemm_added(coefficients.head, sequences)
    total += prefill_seconds(model, coefficients, load)
    total *= coefficients.kernel_scale
    total += coefficients.sequence_s * (sequences * coefficients.group_share)
    total += coefficients.hop_token_s * tokens
    return total


def _gemm_added(coefficients: Gemms, tokens: Floats) -> Floats:
    total = coefficients.token_s * tokens
    for time in gemm_rows_seconds(coefficients, tokens):
        total += time
    return total


def _expert_added(coefficients: Experts, tokens: Floats) -> Floats:
    return expert_seconds(coefficients, tokens) - coefficients.fixed_s


def _reduce_added(coefficients: AllReduces, tokens: Floats) -> Floats:
    ramp = coefficients.ramp_s * np.minimum(coefficients.ramp_per_token * tokens, 1.0)
    return coefficients.times * (ramp + coefficients.token_s * tokens)
