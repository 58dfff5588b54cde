"""What a decoder-only transformer holds: parameters per component and KV-cache elements per token.

Counts follow the published architectures: grouped-query and multi-head latent attention (DeepSeek-V2 report, section
2.1), gated or plain feed-forward layers, routed and shared experts. Everything here is per layer unless said.
"""

from dataclasses import dataclass

from catalog.models import Attention, Model


@dataclass(frozen=True)
class Parameters:
    """Parameter counts of one model, whole (before any parallel split).

    `attention_sharded`: per layer, split over attention ranks. `attention_kv`: key and value projections per layer,
    replicated when ranks outnumber KV heads. `attention_replicated`: per layer, on every rank (MLA down-projections).
    `dense`: one dense feed-forward layer. `experts`, `shared`, `router`: one expert layer. `embedding`: the input
    table; `head`: the output projection, 0 if tied. `other`: norms, biases, positions of the whole model.
    """

    attention_sharded: float
    attention_kv: float
    attention_replicated: float
    dense: float
    experts: float
    shared: float
    router: float
    embedding: float
    head: float
    other: float


def is_latent(model: Model) -> bool:
    """Whether the model caches compressed keys and values (MLA)."""
    return model.attention is Attention.MLA


def mlp_matrices(model: Model) -> int:
    """Weight matrices of a feed-forward layer: 3 when gated, else 2."""
    return 3 if model.gated_mlp else 2


def shared_expert_width(model: Model) -> int:
    """Width of all shared experts together."""
    return model.shared_experts * model.expert_ffn


def query_key_width(model: Model) -> int:
    """MLA: width of a query or key of one head."""
    return model.qk_nope_head_dim + model.qk_rope_head_dim


def cache_width(model: Model) -> int:
    """MLA: cached elements per token and layer."""
    return model.kv_lora_rank + model.qk_rope_head_dim


def kv_elements_per_token(model: Model) -> int:
    """Cached elements of one token in one layer, without replication."""
    return cache_width(model) if is_latent(model) else 2 * model.kv_heads * model.head_dim


def parameters(model: Model) -> Parameters:
    """Parameter counts; their sum over all layers is `model.total_parameters`.

    Raises ValueError if the counted matrices alone exceed the catalog's total.
    """
    hidden = model.hidden
    if is_latent(model):
        query = model.heads * query_key_width(model)
        sharded = (
            (model.q_lora_rank or hidden) * query
            + model.kv_lora_rank * model.heads * (model.qk_nope_head_dim + model.v_head_dim)
            + model.heads * model.v_head_dim * hidden
        )
        kv, replicated = 0, hidden * (model.q_lora_rank + cache_width(model))
    else:
        sharded = 2 * hidden * model.heads * model.head_dim
        kv, replicated = 2 * hidden * model.kv_heads * model.head_dim, 0
    matrices = mlp_matrices(model)
    dense = matrices * hidden * model.ffn
    experts = matrices * hidden * model.expert_ffn * model.experts
    shared = matrices * hidden * shared_expert_width(model)
    router = hidden * model.experts
    embedding = model.vocab * hidden
    head = 0 if model.tied_embeddings else embedding
    counted = (
        model.layers * (sharded + kv + replicated)
        + model.dense_layers * dense
        + model.expert_layers * (experts + shared + router)
        + embedding
        + head
    )
    other = model.total_parameters - counted
    if other < 0:
        raise ValueError(f"{model.id}: matrices hold {counted} parameters, the catalog says {model.total_parameters}")
    return Parameters(sharded, kv, replicated, dense, experts, shared, router, embedding, head, other)
