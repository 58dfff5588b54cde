"""Transformer models as the arithmetic counts them.

Lengths and widths are elements, parameters are counts, contexts are tokens.
"""

from enum import StrEnum

from catalog.parts import Frozen


class Attention(StrEnum):
    """How keys and values are shared between heads."""

    MHA = "MHA"
    MQA = "MQA"
    GQA = "GQA"
    MLA = "MLA"


class Architecture(Frozen):
    """Dimensions of one decoder-only transformer: what its parameters and its KV cache are counted from.

    `dense_layers` + `expert_layers` = `layers`. `windowed_layers` of them attend to at most `window` tokens.
    MLA caches `kv_lora_rank + qk_rope_head_dim` values per token and layer, other attention 2·kv_heads·head_dim.
    """

    id: str
    hf_id: str
    family: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    attention: Attention
    q_lora_rank: int = 0
    kv_lora_rank: int = 0
    qk_nope_head_dim: int = 0
    qk_rope_head_dim: int = 0
    v_head_dim: int = 0
    ffn: int
    gated_mlp: bool
    vocab: int
    experts: int = 0
    active_experts: int = 0
    shared_experts: int = 0
    expert_ffn: int = 0
    dense_layers: int
    expert_layers: int = 0
    window: int = 0
    windowed_layers: int = 0
    qkv_bias: bool = False
    tied_embeddings: bool
    max_context: int


class Model(Architecture):
    """A decoder-only transformer as it is stored and served.

    `active_parameters` are those that one token multiplies: active experts, and no input embedding, which is a lookup.
    `native_format` is the checkpoint's own weight format (`bf16`, `fp16`, `fp8_block`, `mxfp4`, …).
    `uncounted` names what the arithmetic cannot count for this family; such a model is refused, never guessed.
    """

    native_format: str
    total_parameters: int
    active_parameters: int
    uncounted: str | None = None
    source: str
    as_of: str
    notes: str = ""
