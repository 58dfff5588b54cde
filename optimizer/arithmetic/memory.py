"""Bytes of weights and KV cache per accelerator, and how many tokens fit.

All layouts are (K,) arrays. A pipeline stage holds ⌈layers/pp⌉ layers; the fullest stage is counted, which is the one
with the heaviest layers and, at an end of the pipeline, the embedding or the output projection.
"""

from dataclasses import dataclass

import numpy as np

from catalog.models import Model
from optimizer.arithmetic.arrays import Floats, Integers
from optimizer.arithmetic.transformer import is_latent, kv_elements_per_token, parameters

BF16_BYTES = 2.0


@dataclass(frozen=True)
class WeightBytes:
    """Bytes per weight by component, (K,) arrays; embeddings, head, router and norms are bf16 always."""

    attention: Floats
    dense: Floats
    experts: Floats


def kv_head_copies(model: Model, attention_ranks: Integers) -> Floats:
    """How often each cached element is stored in one attention group, (K,): more ranks than KV heads replicate."""
    stored_once_by = np.ones_like(attention_ranks) if is_latent(model) else np.minimum(attention_ranks, model.kv_heads)
    return attention_ranks / stored_once_by


def layers_per_stage(model: Model, pp: Integers) -> Integers:
    """Layers of the longest pipeline stage, (K,)."""
    return -(-model.layers // pp)


def weight_bytes_per_accelerator(
    model: Model, tp: Integers, pp: Integers, dp_attention: Integers, weights: WeightBytes
) -> Floats:
    """Bytes of weights on an accelerator of the fullest stage, (K,).

    Attention is split over tp/dp_attention ranks (key and value projections at most into KV heads) and copied by
    attention data parallelism; feed-forward layers, experts (ep·tp_experts = tp), embedding and head are split by tp;
    router and norms are copied.
    """
    count = parameters(model)
    attention_ranks = tp // dp_attention
    attention = weights.attention * (
        count.attention_sharded / attention_ranks
        + count.attention_kv * kv_head_copies(model, attention_ranks) / attention_ranks
        + count.attention_replicated
    )
    dense = weights.dense * count.dense / tp
    expert = (
        weights.experts * count.experts / tp + weights.dense * count.shared / tp + BF16_BYTES * count.router
        if model.expert_layers
        else np.zeros_like(dense)
    )
    layers = layers_per_stage(model, pp)
    dense_first = np.minimum(layers, model.dense_layers)
    experts_first = np.minimum(layers, model.expert_layers)
    feed_forward = np.maximum(
        dense_first * dense + (layers - dense_first) * expert,
        experts_first * expert + (layers - experts_first) * dense,
    )
    whole = BF16_BYTES * (count.embedding + count.head) / tp
    one_end = BF16_BYTES * count.embedding / tp
    tables = np.where(pp == 1, whole, one_end)
    other = BF16_BYTES * count.other * layers / model.layers
    return np.asarray(layers * attention + feed_forward + tables + other, dtype=np.float64)


def kv_bytes_per_token_and_layer(model: Model, tp: Integers, dp_attention: Integers, kv_bytes: Floats) -> Floats:
    """Bytes that one token of an attention group takes in one layer on one accelerator, (K,)."""
    ranks = tp // dp_attention
    return kv_elements_per_token(model) * kv_bytes * kv_head_copies(model, ranks) / ranks


def kv_bytes_per_token(model: Model, tp: Integers, dp_attention: Integers, kv_bytes: Floats) -> Floats:
    """Bytes that one cached token takes in the whole replica, (K,), copies by replicated heads included.

    Windowed layers count every token: a cache that drops what left the window is an engine option, and the bound must
    hold without it.
    """
    ranks = tp // dp_attention
    return model.layers * ranks * kv_bytes_per_token_and_layer(model, tp, dp_attention, kv_bytes)


def kv_capacity_tokens(
    cache_bytes: Floats, bytes_per_token_on_accelerator: Floats, block_tokens: int, dp_attention: Integers
) -> Floats:
    """Tokens that a replica caches, (K,): whole blocks per attention group, times the groups.

    Negative where the weights do not fit, by as many blocks as are missing.
    """
    blocks = np.floor(cache_bytes / (bytes_per_token_on_accelerator * block_tokens))
    return np.asarray(blocks * block_tokens * dp_attention, dtype=np.float64)
