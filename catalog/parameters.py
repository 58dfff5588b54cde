"""Parameter counts of a model from its dimensions: one function per component, then their sums.

Norms and small biases (those of the output projection and of experts) are not counted; they are far below 0.5 %.
"""

from catalog.models import Architecture, Attention


def attention_parameters(model: Architecture) -> int:
    """Return the parameters of one layer's attention projections, query, key and value biases included.

    MHA, MQA, GQA: h·d·(H + 2K) + H·d·h. MLA: queries through rank q_lora (or directly), a joint key-value latent of
    rank kv_lora plus one rotary key, expanded per head (DeepSeek-V2, arXiv:2405.04434, section 2.1).
    """
    hidden, heads = model.hidden, model.heads
    if model.attention is Attention.MLA:
        query_width = heads * (model.qk_nope_head_dim + model.qk_rope_head_dim)
        queries = model.q_lora_rank * (hidden + query_width) if model.q_lora_rank else hidden * query_width
        latent = hidden * (model.kv_lora_rank + model.qk_rope_head_dim)
        expansion = model.kv_lora_rank * heads * (model.qk_nope_head_dim + model.v_head_dim)
        return queries + latent + expansion + heads * model.v_head_dim * hidden
    projected = model.head_dim * (heads + 2 * model.kv_heads)
    return hidden * projected + heads * model.head_dim * hidden + (projected if model.qkv_bias else 0)


def feed_forward_parameters(model: Architecture, width: int) -> int:
    """Return the parameters of one feed-forward block of `width`: 3·h·w when gated, else 2·h·w."""
    return (3 if model.gated_mlp else 2) * model.hidden * width


def expert_layer_parameters(model: Architecture, routed: int) -> int:
    """Return the parameters of one expert layer with `routed` of its experts: (routed + shared)·block + router h·E."""
    block = feed_forward_parameters(model, model.expert_ffn)
    return block * (routed + model.shared_experts) + model.hidden * model.experts


def embedding_parameters(model: Architecture) -> int:
    """Return the parameters of one token table, the input embedding or the output head: V·h."""
    return model.vocab * model.hidden


def total_parameters(model: Architecture) -> int:
    """Return all parameters; they decide the bytes of the weights. A tied table is held once."""
    tables = 1 if model.tied_embeddings else 2
    return _layers(model, model.experts) + tables * embedding_parameters(model)


def active_parameters(model: Architecture) -> int:
    """Return the parameters that one token multiplies: active experts, and no input embedding, which is a lookup."""
    return _layers(model, model.active_experts) + embedding_parameters(model)


def _layers(model: Architecture, routed: int) -> int:
    """Return the parameters of all layers with `routed` experts in each expert layer."""
    return (
        model.layers * attention_parameters(model)
        + model.dense_layers * feed_forward_parameters(model, model.ffn)
        + model.expert_layers * expert_layer_parameters(model, routed)
    )
