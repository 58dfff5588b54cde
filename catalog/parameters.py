"""Parameter counts of a model from its dimensions, to check the counts that the catalog states."""

from catalog.models import Attention, Model


def attention_parameters(model: Model) -> int:
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


def total_parameters(model: Model) -> int:
    """Return all parameters but norms and small biases; they decide the bytes of the weights."""
    per_width = (3 if model.gated_mlp else 2) * model.hidden
    experts = per_width * model.expert_ffn * (model.experts + model.shared_experts) + model.hidden * model.experts
    embeddings = model.vocab * model.hidden * (1 if model.tied_embeddings else 2)
    return (
        model.layers * attention_parameters(model)
        + model.dense_layers * per_width * model.ffn
        + model.expert_layers * experts
        + embeddings
    )


def active_parameters(model: Model) -> int:
    """Return the parameters that one token multiplies: active experts, and no input embedding, which is a lookup."""
    per_width = (3 if model.gated_mlp else 2) * model.hidden
    routed = model.active_experts + model.shared_experts
    return (
        model.layers * attention_parameters(model)
        + model.dense_layers * per_width * model.ffn
        + model.expert_layers * (per_width * model.expert_ffn * routed + model.hidden * model.experts)
        + model.vocab * model.hidden
    )
