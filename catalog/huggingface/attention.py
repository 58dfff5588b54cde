"""The attention of a config: heads, how they share keys and values, and their widths."""

from dataclasses import dataclass

from catalog.fields import Fields
from catalog.models import Attention

MOST_HEADS = 4096
WIDEST_HEAD = 4096
HIGHEST_RANK = 65_536


@dataclass(frozen=True)
class AttentionShape:
    """The fields of `Architecture` that describe attention."""

    attention: Attention
    heads: int
    kv_heads: int
    head_dim: int
    q_lora_rank: int = 0
    kv_lora_rank: int = 0
    qk_nope_head_dim: int = 0
    qk_rope_head_dim: int = 0
    v_head_dim: int = 0


def any_heads(config: Fields, hidden: int) -> AttentionShape:
    """Return multi-head, multi-query or grouped-query attention; as many KV heads as heads if none are stated."""
    heads = config.count("num_attention_heads", MOST_HEADS)
    kv_heads = config.optional_count("num_key_value_heads", MOST_HEADS) or heads
    return _shape(config, heads, kv_heads, _head_dim(config, heads, hidden))


def shared_heads(config: Fields, hidden: int) -> AttentionShape:
    """As `any_heads`, for families whose configs state their KV heads."""
    heads = config.count("num_attention_heads", MOST_HEADS)
    kv_heads = config.count("num_key_value_heads", MOST_HEADS)
    return _shape(config, heads, kv_heads, _head_dim(config, heads, hidden))


def shared_heads_of_stated_width(config: Fields, _hidden: int) -> AttentionShape:
    """As `shared_heads`, for families whose heads are not as wide as the hidden size divides."""
    heads = config.count("num_attention_heads", MOST_HEADS)
    kv_heads = config.count("num_key_value_heads", MOST_HEADS)
    return _shape(config, heads, kv_heads, config.count("head_dim", WIDEST_HEAD))


def _head_dim(config: Fields, heads: int, hidden: int) -> int:
    """Return the width of a head: `head_dim`, or an even share of the hidden size. Raises FileError."""
    stated = config.optional_count("head_dim", WIDEST_HEAD)
    if stated is not None:
        return stated
    if hidden % heads:
        multiple = max(1, round(hidden / heads)) * heads
        allowed = f"a multiple of num_attention_heads {heads}, or a head_dim beside it"
        raise config.error("hidden_size", "does not divide into the heads", allowed=allowed, fix=f"{multiple}")
    return hidden // heads


def _shape(config: Fields, heads: int, kv_heads: int, head_dim: int) -> AttentionShape:
    """Return the shape; raises FileError where the KV heads do not divide the heads."""
    if heads % kv_heads:
        divisors = [count for count in range(1, heads + 1) if heads % count == 0]
        nearest = min(divisors, key=lambda count: (abs(count - kv_heads), count))
        allowed = f"a divisor of num_attention_heads {heads}"
        raise config.error("num_key_value_heads", "does not divide the heads", allowed=allowed, fix=f"{nearest}")
    kind = Attention.MHA if kv_heads == heads else Attention.MQA if kv_heads == 1 else Attention.GQA
    return AttentionShape(kind, heads, kv_heads, head_dim)


def latent(config: Fields, _hidden: int) -> AttentionShape:
    """Return multi-head latent attention (DeepSeek-V2, arXiv:2405.04434); its cache ignores `num_key_value_heads`."""
    heads = config.count("num_attention_heads", MOST_HEADS)
    nope, rope = (config.count(f"qk_{part}_head_dim", WIDEST_HEAD) for part in ("nope", "rope"))
    return AttentionShape(
        attention=Attention.MLA,
        heads=heads,
        kv_heads=heads,
        head_dim=nope + rope,
        q_lora_rank=config.optional_count("q_lora_rank", HIGHEST_RANK) or 0,
        kv_lora_rank=config.count("kv_lora_rank", HIGHEST_RANK),
        qk_nope_head_dim=nope,
        qk_rope_head_dim=rope,
        v_head_dim=config.count("v_head_dim", WIDEST_HEAD),
    )
