"""A model of the catalog written as the config.json that its publisher would ship."""

from collections.abc import Mapping
from typing import Any

from catalog.models import Attention, Model

BLOCK_FP8 = {"quant_method": "fp8", "weight_block_size": [128, 128]}
# The catalog's families, by the type that their configs carry; a family of two types is told apart by its experts.
MODEL_TYPES: Mapping[str, tuple[str, str]] = {
    "llama": ("llama", ""),
    "mistral": ("mistral", "mixtral"),
    "qwen2.5": ("qwen2", ""),
    "qwen3": ("qwen3", ""),
    "qwen3-moe": ("", "qwen3_moe"),
    "deepseek": ("", "deepseek_v3"),
    "kimi": ("", "kimi_k2"),
    "glm": ("", "glm4_moe"),
    "gpt-oss": ("", "gpt_oss"),
    "gemma2": ("gemma2", ""),
    "gemma3": ("gemma3_text", ""),
    "phi": ("phi3", ""),
}


def has_config(model: Model) -> bool:
    """Whether the model is published in a family whose configs are read."""
    return model.family in MODEL_TYPES


def config_of(model: Model) -> dict[str, Any]:
    """The fields of the model under the names of its family."""
    model_type = MODEL_TYPES[model.family][bool(model.experts)]
    fields: dict[str, Any] = {
        "model_type": model_type,
        "num_hidden_layers": model.layers,
        "hidden_size": model.hidden,
        "intermediate_size": model.ffn,
        "num_attention_heads": model.heads,
        "num_key_value_heads": model.kv_heads,
        "vocab_size": model.vocab,
        "max_position_embeddings": model.max_context,
        "tie_word_embeddings": model.tied_embeddings,
        "attention_bias": model.qkv_bias,
        "sliding_window": model.window or None,
    }
    if model.attention is Attention.MLA:
        ranks = ("kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
        fields |= {name: getattr(model, name) for name in ranks} | {"q_lora_rank": model.q_lora_rank or None}
    else:
        fields["head_dim"] = model.head_dim
    if model_type == "gemma3_text":
        fields["sliding_window_pattern"] = 6
    return fields | _experts(model, model_type) | _format(model)


def _experts(model: Model, model_type: str) -> dict[str, Any]:
    if not model.experts:
        return {}
    fields: dict[str, Any] = {"num_experts_per_tok": model.active_experts}
    if model_type in ("mixtral", "gpt_oss"):
        return fields | {"num_local_experts": model.experts}
    fields["moe_intermediate_size"] = model.expert_ffn
    if model_type == "qwen3_moe":
        return fields | {"num_experts": model.experts}
    return fields | {
        "n_routed_experts": model.experts,
        "n_shared_experts": model.shared_experts,
        "first_k_dense_replace": model.dense_layers,
    }


def _format(model: Model) -> dict[str, Any]:
    match model.native_format:
        case "fp8_block":
            return {"torch_dtype": "bfloat16", "quantization_config": BLOCK_FP8}
        case "mxfp4":
            return {"quantization_config": {"quant_method": "mxfp4"}}
        case other:
            assert other == "bf16"
            return {"torch_dtype": "bfloat16"}
