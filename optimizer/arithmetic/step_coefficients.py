"""Every kernel of one forward step as coefficients: gathered once per set of keys, evaluated at any load.

Which kernels a step runs depends on the model alone (latent attention or not, experts or not, windows or not), so that
all keys of a model are evaluated together.
"""

from dataclasses import dataclass, replace

import numpy as np

from catalog.models import Model
from optimizer.arithmetic.arrays import Floats, Integers, column
from optimizer.arithmetic.attention import (
    ContextAttention,
    DecodeAttention,
    DecodeFit,
    DecodeLatentAttention,
    context_attention,
    decode_attention,
    decode_latent_attention,
)
from optimizer.arithmetic.collectives import AllReduces
from optimizer.arithmetic.memory import kv_head_copies
from optimizer.arithmetic.replica_rows import Fits
from optimizer.arithmetic.roofline import Experts, GemmFit, Gemms, PartRates, Shape, experts, gemms
from optimizer.arithmetic.transformer import (
    cache_width,
    is_latent,
    mlp_matrices,
    query_key_width,
    shared_expert_width,
)

ELEMENTWISE_BANDWIDTH_SHARE = 0.6
ROUTER_S = 6e-6
LEAST_ROUTER_OUTPUTS = 256.0
ACTIVATION_BYTES = 2.0
# An all-gather or a reduce-scatter of attention data parallelism costs this share of the all-reduce of the same bytes.
HALF_REDUCE_SHARE = 0.75
LARGEST_REDUCED_EXPERT_GROUP = 8


@dataclass(frozen=True)
class Wiring:
    """Collective and hop constants of K rows, (K,); the all-reduce groups are a whole stage and one attention group."""

    stage_launch_s: Floats
    stage_ramp_s: Floats
    stage_ramp_bytes: Floats
    stage_bytes_per_s: Floats
    attention_launch_s: Floats
    attention_ramp_s: Floats
    attention_ramp_bytes: Floats
    attention_bytes_per_s: Floats
    exchange_launch_s: Floats
    exchange_s_per_element: Floats
    hop_launch_s: Floats
    hop_bytes_per_s: Floats

    def faster(self, factor: float | Floats) -> "Wiring":
        """Links of `factor` times the bandwidth; launch times stay."""
        return replace(
            self,
            stage_bytes_per_s=self.stage_bytes_per_s * factor,
            attention_bytes_per_s=self.attention_bytes_per_s * factor,
            exchange_s_per_element=self.exchange_s_per_element / factor,
            hop_bytes_per_s=self.hop_bytes_per_s * factor,
        )


@dataclass(frozen=True)
class EngineCosts:
    """Engine constants of K rows, (K,); `eager_layer_s` is that of the row's host."""

    kernel_scale: Floats
    step_s: Floats
    sequence_s: Floats
    layer_s: Floats
    eager_layer_s: Floats


@dataclass(frozen=True)
class StepCoefficients:
    """One step of K rows, columns (K, 1).

    `rank_gemms` see the tokens of one attention group, `stage_gemms` and experts all tokens, `prefill_gemms` the
    prompt tokens of one group, `head` the sequences. `context` and `decode` are one layer, all else all layers.
    `eager_s` is what the kernels never take less than.
    """

    rank_gemms: Gemms
    stage_gemms: Gemms | None
    prefill_gemms: Gemms | None
    head: Gemms
    experts: Experts | None
    context: ContextAttention
    decode: DecodeAttention | DecodeLatentAttention
    stage_reduce: AllReduces
    attention_reduce: AllReduces
    fixed_s: Floats
    rank_token_s: Floats
    stage_token_s: Floats
    kernel_scale: Floats
    eager_s: Floats
    engine_s: Floats
    sequence_s: Floats
    hop_token_s: Floats
    group_share: Floats


def step_coefficients(
    model: Model,
    tp: Integers,
    pp: Integers,
    ep: Integers,
    dp_attention: Integers,
    rates: PartRates,
    fits: Fits,
    wiring: Wiring,
    engine: EngineCosts,
) -> StepCoefficients:
    """Coefficients of K rows of one model; all arrays (K,)."""
    ranks = (tp // dp_attention).astype(np.float64)
    split = tp.astype(np.float64)
    hidden = np.full_like(split, model.hidden)
    rank_shapes, prefill_shapes = _attention_shapes(model, ranks, hidden, fits)
    stage_shapes: list[Shape] = []
    if model.dense_layers:
        stage_shapes += _feed_forward_shapes(model, model.ffn, model.dense_layers, split, hidden, fits.dense_gemm)
    if model.expert_layers:
        outputs = np.maximum(np.full_like(split, model.experts), LEAST_ROUTER_OUTPUTS)
        rank_shapes.append(Shape(outputs, hidden, model.expert_layers, fits.bf16_gemm))
        if model.shared_experts:
            width = shared_expert_width(model)
            stage_shapes += _feed_forward_shapes(model, width, model.expert_layers, split, hidden, fits.shared_gemm)
    elementwise = ELEMENTWISE_BANDWIDTH_SHARE * rates.memory_bytes_per_s
    value_width = model.v_head_dim if is_latent(model) else model.head_dim
    exchanged = (dp_attention > 1) & (ep > LARGEST_REDUCED_EXPERT_GROUP)
    message = ACTIVATION_BYTES * model.hidden
    fixed_s = model.expert_layers * (ROUTER_S + np.where(exchanged, wiring.exchange_launch_s, 0.0))
    exchange_token_s = np.where(exchanged, model.expert_layers * model.hidden * wiring.exchange_s_per_element, 0.0)
    rank_token_s = model.layers * (16.0 * hidden + 4.0 * model.heads * value_width / ranks) / elementwise
    return StepCoefficients(
        rank_gemms=gemms(rank_shapes, rates),
        stage_gemms=gemms(stage_shapes, rates) if stage_shapes else None,
        prefill_gemms=gemms(prefill_shapes, rates) if prefill_shapes else None,
        head=gemms([Shape(model.vocab / split, hidden, 1.0, fits.bf16_gemm)], rates),
        experts=None if fits.experts is None else _experts(model, split, ep, rates, fits),
        context=_context(model, ranks, rates, fits),
        decode=_decode(model, ranks, rates, fits),
        stage_reduce=AllReduces(
            times=column(_reduces_per_step(model, tp, dp_attention, exchanged)),
            launch_s=column(wiring.stage_launch_s),
            ramp_s=column(wiring.stage_ramp_s),
            ramp_per_token=column(message / wiring.stage_ramp_bytes),
            token_s=column(message / wiring.stage_bytes_per_s),
        ),
        attention_reduce=AllReduces(
            times=column(np.where((dp_attention > 1) & (ranks > 1), model.layers, 0)),
            launch_s=column(wiring.attention_launch_s),
            ramp_s=column(wiring.attention_ramp_s),
            ramp_per_token=column(message / wiring.attention_ramp_bytes),
            token_s=column(message / wiring.attention_bytes_per_s),
        ),
        fixed_s=column(fixed_s),
        rank_token_s=column(rank_token_s + exchange_token_s),
        stage_token_s=column(6.0 * model.dense_layers * model.ffn / split / elementwise),
        kernel_scale=column(engine.kernel_scale),
        eager_s=column(model.layers * engine.eager_layer_s),
        engine_s=column(
            engine.step_s + np.where(tp > 1, model.layers * engine.layer_s, 0.0) + (pp - 1) * wiring.hop_launch_s
        ),
        sequence_s=column(engine.sequence_s),
        hop_token_s=column((pp - 1) * message / wiring.hop_bytes_per_s),
        group_share=column(1.0 / dp_attention),
    )


def _attention_shapes(model: Model, ranks: Floats, hidden: Floats, fits: Fits) -> tuple[list[Shape], list[Shape]]:
    """Projections of all tokens, and those of prompt tokens only (MLA expands its latent keys and values)."""
    layers, fit = model.layers, fits.attention_gemm
    if not is_latent(model):
        heads = model.heads / ranks
        kv_heads = _kv_heads(model, ranks)
        width = model.head_dim
        return [
            Shape((heads + 2.0 * kv_heads) * width, hidden, layers, fit),
            Shape(hidden, heads * width, layers, fit),
        ], []
    heads = model.heads / ranks
    query = heads * query_key_width(model)
    cached = np.full_like(ranks, cache_width(model))
    if model.q_lora_rank:
        compressed = np.full_like(ranks, model.q_lora_rank)
        projections = [Shape(compressed + cached, hidden, layers, fit), Shape(query, compressed, layers, fit)]
    else:
        projections = [Shape(query + cached, hidden, layers, fit)]
    expanded = heads * (model.qk_nope_head_dim + model.v_head_dim)
    latent = np.full_like(ranks, model.kv_lora_rank)
    return (
        [*projections, Shape(hidden, heads * model.v_head_dim, layers, fit)],
        [Shape(expanded, latent, layers, fit)],
    )


def _kv_heads(model: Model, ranks: Floats) -> Floats:
    """KV heads of one accelerator, replicated when ranks outnumber them."""
    return model.kv_heads * kv_head_copies(model, ranks.astype(np.int64)) / ranks


def _feed_forward_shapes(
    model: Model, width: int, layers: int, split: Floats, hidden: Floats, fit: GemmFit
) -> list[Shape]:
    share = width / split
    return [
        Shape((mlp_matrices(model) - 1) * share, hidden, layers, fit),
        Shape(hidden, share, layers, fit),
    ]


def _experts(model: Model, split: Floats, ep: Integers, rates: PartRates, fits: Fits) -> Experts:
    if fits.experts is None:
        raise ValueError(f"{model.id} has experts but no expert constants were gathered")
    return experts(
        fits.experts,
        rates,
        hidden=model.hidden,
        width=model.expert_ffn,
        count=model.experts,
        active=model.active_experts,
        matrices=mlp_matrices(model),
        layers=model.expert_layers,
        tp=split,
        ep=ep.astype(np.float64),
    )


def _context(model: Model, ranks: Floats, rates: PartRates, fits: Fits) -> ContextAttention:
    heads = model.heads / ranks
    if is_latent(model):
        width = query_key_width(model) + model.v_head_dim
        return context_attention(fits.context, rates, heads, 2.0 * width, heads * 2.0 * width * ACTIVATION_BYTES)
    bytes_per_token = 2.0 * (heads + _kv_heads(model, ranks)) * model.head_dim * ACTIVATION_BYTES
    return context_attention(fits.context, rates, heads, 4.0 * model.head_dim, bytes_per_token)


def _decode(model: Model, ranks: Floats, rates: PartRates, fits: Fits) -> DecodeAttention | DecodeLatentAttention:
    heads = model.heads / ranks
    if isinstance(fits.decode, DecodeFit):
        return decode_attention(fits.decode, rates, heads, _kv_heads(model, ranks), model.head_dim, fits.kv_bytes)
    return decode_latent_attention(
        fits.decode,
        rates,
        heads=heads,
        cache_width=cache_width(model),
        latent_width=model.kv_lora_rank,
        head_width=model.qk_nope_head_dim + model.v_head_dim,
        kv_bytes=fits.kv_bytes,
    )


def _reduces_per_step(model: Model, tp: Integers, dp_attention: Integers, exchanged: np.ndarray) -> Floats:
    """Whole-stage all-reduces of a step: two a layer.

    Attention data parallelism gathers and scatters instead, and not in expert layers that exchange tokens directly.
    """
    gathered_layers = np.where(exchanged, model.dense_layers, model.layers)
    times = np.where(dp_attention > 1, 2.0 * HALF_REDUCE_SHARE * gathered_layers, 2.0 * model.layers)
    return np.where(tp > 1, times, 0.0)
