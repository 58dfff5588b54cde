"""Model families by the `model_type` of their config: what is counted, what cannot be, and why.

`defaults` are the values that the transformers library takes where published files of the family leave a key out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from catalog.fields import Fields
from catalog.huggingface.attention import (
    AttentionShape,
    any_heads,
    latent,
    shared_heads,
    shared_heads_of_stated_width,
)
from catalog.huggingface.feed_forward import (
    FeedForward,
    dense,
    experts_after_dense_layers,
    experts_beside_a_shared_one,
    experts_in_every_layer,
    experts_in_every_nth_layer,
)
from catalog.huggingface.windows import (
    WindowRule,
    all_but_each_nth,
    every_layer,
    layers_from_the_window_layer_on,
    no_layer,
)


@dataclass(frozen=True)
class Family:
    """How the fields of one family are read.

    `attention` takes the hidden size, `feed_forward` and `windows` the number of layers. `qkv_bias` and `tied` hold
    where the file does not say otherwise; `may_state_bias`: whether the family reads `attention_bias` at all.
    """

    attention: Callable[[Fields, int], AttentionShape] = shared_heads
    feed_forward: Callable[[Fields, int], FeedForward] = dense
    windows: WindowRule = no_layer
    qkv_bias: bool = False
    may_state_bias: bool = True
    tied: bool = False
    defaults: Mapping[str, int] = field(default_factory=dict)


_QWEN_WINDOW = {"sliding_window": 4096, "max_window_layers": 28}
_QWEN3 = Family(
    attention=shared_heads_of_stated_width,
    windows=layers_from_the_window_layer_on,
    defaults={"head_dim": 128} | _QWEN_WINDOW,
)
_QWEN3_EXPERTS = Family(
    attention=shared_heads_of_stated_width,
    feed_forward=experts_in_every_nth_layer,
    windows=layers_from_the_window_layer_on,
    defaults=_QWEN_WINDOW,
)
_DEEPSEEK = Family(attention=latent, feed_forward=experts_after_dense_layers)
_GEMMA3 = Family(
    attention=shared_heads_of_stated_width,
    windows=all_but_each_nth(6, "sliding_window_pattern"),
    tied=True,
    defaults={
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "vocab_size": 262_208,
        "max_position_embeddings": 131_072,
        "sliding_window": 4096,
        "sliding_window_pattern": 6,
    },
)

FAMILIES: Mapping[str, Family] = {
    "llama": Family(attention=any_heads),
    "mistral": Family(windows=every_layer, may_state_bias=False, defaults={"sliding_window": 4096}),
    "mixtral": Family(feed_forward=experts_in_every_layer, windows=every_layer, may_state_bias=False),
    "qwen2": Family(
        windows=layers_from_the_window_layer_on, qkv_bias=True, may_state_bias=False, defaults=_QWEN_WINDOW
    ),
    "qwen2_moe": Family(
        feed_forward=experts_beside_a_shared_one,
        windows=layers_from_the_window_layer_on,
        qkv_bias=True,
        may_state_bias=False,
        defaults=_QWEN_WINDOW,
    ),
    "qwen3": _QWEN3,
    "qwen3_vl_text": _QWEN3,
    "qwen3_moe": _QWEN3_EXPERTS,
    "qwen3_vl_moe_text": _QWEN3_EXPERTS,
    "deepseek_v2": _DEEPSEEK,
    "deepseek_v3": _DEEPSEEK,
    "kimi_k2": _DEEPSEEK,
    "gemma2": Family(
        attention=shared_heads_of_stated_width,
        windows=all_but_each_nth(2),
        tied=True,
        defaults={"head_dim": 256, "sliding_window": 4096},
    ),
    "gemma3_text": _GEMMA3,
    "phi3": Family(attention=any_heads, windows=every_layer, may_state_bias=False),
    "gpt_oss": Family(
        attention=shared_heads_of_stated_width,
        feed_forward=experts_in_every_layer,
        windows=all_but_each_nth(2),
        qkv_bias=True,
        defaults={"head_dim": 64, "sliding_window": 128},
    ),
    "glm4_moe": Family(attention=shared_heads_of_stated_width, feed_forward=experts_after_dense_layers),
}
"""Families that are counted, by `model_type`."""

MULTIMODAL = ("gemma3", "mistral3", "llava", "qwen3_vl", "qwen3_vl_moe", "kimi_k25")
"""Types whose `text_config` is a language model by itself; towers for images are not counted."""

_STATE = "its state-space or linear-attention layers keep a state in place of a KV cache"
_ENCODER = "it has an encoder"
_SPARSE = "its sparse attention reads a chosen part of the KV cache"

REFUSED: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "mamba", "mamba2", "falcon_mamba", "jamba", "bamba", "zamba", "zamba2", "nemotron_h", "granitemoehybrid",
            "qwen3_next", "qwen3_5", "qwen3_5_text", "qwen3_5_moe", "qwen3_5_moe_text", "minimax", "kimi_linear",
            "kimi_k3", "lfm2", "falcon_h1", "plamo2", "recurrent_gemma", "rwkv", "rwkv6", "xlstm",
        ),
        _STATE,
    ),
    **dict.fromkeys(("t5", "mt5", "umt5", "bart", "mbart", "pegasus", "whisper", "marian", "t5gemma"), _ENCODER),
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "deberta-v2", "modernbert"), f"{_ENCODER} and no decoder"),
    **dict.fromkeys(("deepseek_v32", "deepseek_v4", "glm_moe_dsa", "minimax_m3", "phi3small"), _SPARSE),
    **dict.fromkeys(("llama4", "llama4_text"), "most of its layers attend within chunks"),
    **dict.fromkeys(("gemma3n", "gemma3n_text", "gemma4", "gemma4_text"), "its layers differ in width or share caches"),
    "mllama": "its cross-attention layers read images",
    "nemotron-nas": "each of its layers has a shape of its own",
    "deci": "each of its layers has a shape of its own",
    "dbrx": "its dimensions stand in sections that are not read",
}  # fmt: skip
"""Known families that the arithmetic cannot count, by `model_type`, with the reason."""
