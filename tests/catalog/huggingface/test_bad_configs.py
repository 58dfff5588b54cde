"""Configs that cannot be read: each says the file, the key, what was read, what is allowed and the nearest of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import FileError
from catalog.huggingface import ConfigModel, read_model
from catalog.huggingface.families import FAMILIES, MULTIMODAL, REFUSED
from catalog.read import Snapshot
from tests.catalog.huggingface.conftest import CONFIGS

Read = Callable[..., ConfigModel]


def refusal(read: Read, fixture: str, **changes: Any) -> str:
    with pytest.raises(FileError) as error:
        read(fixture, **changes)
    message = str(error.value)
    assert "config.json" in message.splitlines()[0]
    return message


@pytest.mark.parametrize(
    ("fixture", "changes", "said"),
    [
        ("llama_3_1_8b", {"num_hidden_layers": None}, ["num_hidden_layers: this key is missing", "from 1 to 1,000"]),
        ("llama_3_1_8b", {"num_hidden_layers": ...}, ["num_hidden_layers: null is given", "from 1 to 1,000"]),
        ("llama_3_1_8b", {"hidden_size": None}, ["hidden_size: this key is missing"]),
        ("llama_3_1_8b", {"vocab_size": None}, ["vocab_size: this key is missing"]),
        ("llama_3_1_8b", {"max_position_embeddings": None}, ["max_position_embeddings: this key is missing"]),
        ("llama_3_1_8b", {"num_attention_heads": None}, ["num_attention_heads: this key is missing"]),
        ("llama_3_1_8b", {"intermediate_size": None}, ["intermediate_size: this key is missing"]),
        ("llama_3_1_8b", {"num_hidden_layers": -32}, ["config.json:12: num_hidden_layers", "read: -32", "mean: 1"]),
        ("llama_3_1_8b", {"num_hidden_layers": 0}, ["read: 0", "did you mean: 1"]),
        ("llama_3_1_8b", {"num_hidden_layers": 10**9}, ["read: 1000000000", "did you mean: 1000"]),
        ("llama_3_1_8b", {"num_hidden_layers": 32.0}, ["a whole number is needed", "read: 32.0", "mean: 32"]),
        ("llama_3_1_8b", {"num_hidden_layers": "32"}, ['read: "32"', "did you mean: 32"]),
        ("llama_3_1_8b", {"num_hidden_layers": True}, ["a whole number is needed", "read: true"]),
        ("llama_3_1_8b", {"num_hidden_layers": [32]}, ["a whole number is needed"]),
        ("llama_3_1_8b", {"hidden_size": float("nan")}, ["hidden_size: a whole number", "read: NaN"]),
        ("llama_3_1_8b", {"hidden_size": float("inf")}, ["hidden_size: a whole number", "read: Infinity"]),
        ("llama_3_1_8b", {"num_key_value_heads": 7}, ["does not divide", "a divisor of", "heads 32", "mean: 8"]),
        ("llama_3_1_8b", {"num_key_value_heads": 64}, ["does not divide the heads", "did you mean: 32"]),
        ("llama_3_1_8b", {"hidden_size": 4100}, ["hidden_size: does not divide", "or a head_dim", "mean: 4096"]),
        ("llama_3_1_8b", {"attention_bias": "no"}, ["attention_bias: neither true nor false", "true, false"]),
        ("llama_3_1_8b", {"tie_word_embeddings": 1}, ["tie_word_embeddings: neither true nor false"]),
        ("llama_3_1_8b", {"model_type": None}, ["model_type: this key is missing", "llama, mistral"]),
        ("llama_3_1_8b", {"model_type": "lama"}, ["this family cannot be counted", "did you mean: llama"]),
        ("llama_3_1_8b", {"model_type": ["llama"]}, ["this family cannot be counted"]),
        ("llama_3_1_8b", {"is_encoder_decoder": True}, ["is_encoder_decoder: a model with an encoder"]),
        ("llama_3_1_8b", {"torch_dtype": None}, ["dtype: this key is missing", "bfloat16, float16"]),
        ("llama_3_1_8b", {"torch_dtype": "bfloat"}, ["torch_dtype", "did you mean: bfloat16"]),
        ("llama_3_1_8b", {"quantization_config": "fp8"}, ["quantization_config: keys and values are needed"]),
        ("llama_3_1_8b",
         {"rope_scaling": {"rope_type": "yarn", "factor": -4, "original_max_position_embeddings": 8192}},
         ["rope_scaling.factor", "read: -4", "at least 1"]),
        ("llama_3_1_8b", {"layer_types": ["sliding_attention"] * 32}, ["this family has no windowed layers"]),
        ("llama_3_1_8b", {"vocab_size": 10**7, "hidden_size": 10**6, "num_attention_heads": 1000, "head_dim": 4096,
                          "num_key_value_heads": 1000, "intermediate_size": 10**7, "num_hidden_layers": 1000},
         ["the fields together are absurd", "at most 100,000,000,000,000 parameters"]),
        ("mixtral_8x7b", {"num_experts_per_tok": None}, ["num_experts_per_tok: this key is missing"]),
        ("mixtral_8x7b", {"num_local_experts": None}, ["num_local_experts: this key is missing"]),
        ("mixtral_8x7b", {"num_experts_per_tok": 9}, ["more experts active than there are", "mean: 8"]),
        ("mixtral_8x7b", {"num_experts": 16}, ["num_experts: contradicts num_local_experts", "allowed: 8"]),
        ("qwen3_30b_a3b", {"moe_intermediate_size": None}, ["moe_intermediate_size: this key is missing"]),
        ("qwen3_30b_a3b", {"mlp_only_layers": [48]}, ["mlp_only_layers: not a list of layers", "0 to 47"]),
        ("qwen3_30b_a3b", {"mlp_only_layers": list(range(48))}, ["mlp_only_layers: leaves no layer", "fewer than 48"]),
        ("qwen3_30b_a3b", {"decoder_sparse_step": 0}, ["decoder_sparse_step", "read: 0"]),
        ("qwen2_57b_a14b", {"shared_expert_intermediate_size": None}, ["shared_expert_intermediate_size: this key"]),
        ("qwen2_57b_a14b", {"shared_expert_intermediate_size": 20000}, ["a multiple of", "did you mean: 20480"]),
        ("deepseek_v3", {"kv_lora_rank": None}, ["kv_lora_rank: this key is missing"]),
        ("deepseek_v3", {"v_head_dim": -128}, ["v_head_dim: out of range", "read: -128"]),
        ("deepseek_v3", {"first_k_dense_replace": 61}, ["leaves no layer with experts", "less than 61"]),
        ("deepseek_v3", {"first_k_dense_replace": 62}, ["first_k_dense_replace: out of range", "mean: 61"]),
        ("deepseek_v3", {"n_routed_experts": None}, ["n_routed_experts: this key is missing"]),
        ("gpt_oss_120b", {"layer_types": ["sliding_attention"] * 35}, ["not one entry per layer", "36 entries"]),
        ("gpt_oss_120b", {"layer_types": ["linear_attention"] * 36}, ["'linear_attention' layers cannot be counted"]),
        ("gpt_oss_120b", {"layer_types": 36}, ["not one entry per layer"]),
        ("gpt_oss_120b", {"quantization_config": None}, ["dtype: this key is missing", "or a quantization_config"]),
        ("gemma_3_27b", {"text_config": None}, ["text_config: this key is missing"]),
        ("gemma_3_27b", {"text_config": [1]}, ["text_config: keys and values are needed"]),
        ("gemma_3_27b", {"text_config": {"model_type": "gemma3_text"}}, ["text_config.num_hidden_layers: this key"]),
        ("gemma_3_27b", {"text_config": {"model_type": "gemma3n_text"}}, ["gemma3n_text cannot be counted"]),
        ("deepseek_v3", {"n_shared_experts": None}, ["n_shared_experts: this key is missing"]),
        ("qwen3_30b_a3b", {"head_dim": None}, ["head_dim: this key is missing"]),
        ("mixtral_8x7b", {"num_key_value_heads": None}, ["num_key_value_heads: this key is missing"]),
        ("mistral_7b_v0_1", {"sliding_window": -1}, ["sliding_window: out of range", "read: -1"]),
    ],
)  # fmt: skip
def test_a_bad_field_is_named_with_what_is_allowed(
    read: Read, fixture: str, changes: dict[str, Any], said: list[str]
) -> None:
    message = refusal(read, fixture, **changes)
    for part in said:
        assert part in message, message


@pytest.mark.parametrize(
    ("model_type", "reason"),
    [
        ("mamba", "keep a state"),
        ("jamba", "keep a state"),
        ("qwen3_next", "linear-attention"),
        ("t5", "it has an encoder"),
        ("bert", "no decoder"),
        ("deepseek_v32", "sparse attention"),
        ("llama4", "within chunks"),
        ("mllama", "images"),
        ("minimax_m2", "this family cannot be counted"),
    ],
)
def test_a_family_that_cannot_be_counted_is_refused_by_name(read: Read, model_type: str, reason: str) -> None:
    message = refusal(read, "llama_3_1_8b", model_type=model_type)
    assert reason in message
    assert f'read: "{model_type}"' in message


def test_no_family_is_both_counted_and_refused() -> None:
    assert not set(FAMILIES) & set(REFUSED)
    assert not set(MULTIMODAL) & (set(REFUSED) | set(FAMILIES))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "config.json:1:1: not valid JSON"),
        (b"{", "config.json:1:2: not valid JSON"),
        (b'{"hidden_size": 1,\n?}', "config.json:2:1: not valid JSON"),
        (b"[1, 2]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'"llama"', "not a JSON object"),
        (b'{"a": 1, "a": 2}', "a: given twice"),
        (b'{"a": "\xff"}', "not UTF-8 text"),
        (b'{"a": ' + b"9" * 5000 + b"}", "out of all bounds"),
        (b'{"a": ' + b"[" * 100_000 + b"}", "out of all bounds"),
        (b" " * 1_000_001, "larger than 1 MB"),
    ],
    ids=lambda value: value[:12].decode("latin-1") if isinstance(value, bytes) else None,
)
def test_what_is_no_config_is_refused(snapshot: Snapshot, tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(FileError) as error:
        read_model(path, "own", snapshot.formats)
    assert said in str(error.value)


@pytest.mark.parametrize("name", ["missing.json", "a\0b.json", ".", "a" * 300])
def test_a_path_without_a_config_is_refused(snapshot: Snapshot, tmp_path: Path, name: str) -> None:
    with pytest.raises(FileError, match="cannot be read") as error:
        read_model(tmp_path / name, "own", snapshot.formats)
    assert "a folder that holds one" in str(error.value)


def test_control_characters_of_a_file_are_not_printed(read: Read) -> None:
    assert "\x1b" not in refusal(read, "llama_3_1_8b", torch_dtype="\x1b[31mred")


def test_a_line_is_given_only_where_it_is_certain(snapshot: Snapshot, tmp_path: Path) -> None:
    fields = json.loads((CONFIGS / "llama_3_1_8b.json").read_text(encoding="utf-8"))
    fields["other"] = {"num_hidden_layers": 1}
    fields["num_hidden_layers"] = -1
    path = tmp_path / "config.json"
    path.write_text(json.dumps(fields, indent=1), encoding="utf-8")
    with pytest.raises(FileError, match=r"config\.json: num_hidden_layers"):
        read_model(path, "own", snapshot.formats)
