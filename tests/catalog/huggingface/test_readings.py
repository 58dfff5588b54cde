"""What a config means beyond its dimensions: windows, context, formats, and what is taken for silence."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from catalog.errors import FileError
from catalog.huggingface import ConfigModel, read_model
from catalog.models import Attention
from catalog.read import Snapshot
from tests.catalog.huggingface.conftest import WriteConfig

Read = Callable[..., ConfigModel]


def compressed(weights: dict[str, Any], activations: dict[str, Any] | None = None) -> dict[str, Any]:
    group = {"weights": weights, "input_activations": activations, "targets": ["Linear"]}
    return {"quant_method": "compressed-tensors", "config_groups": {"group_0": group}}


INT8 = {"type": "int", "num_bits": 8}
INT4 = {"type": "int", "num_bits": 4, "group_size": 128}
FLOAT8 = {"type": "float", "num_bits": 8, "strategy": "channel"}
FLOAT4 = {"type": "float", "num_bits": 4, "group_size": 16}


@pytest.mark.parametrize(
    ("scheme", "stored"),
    [
        ({"quant_method": "fp8"}, "fp8"),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "fp8_block"),
        ({"quant_method": "fbgemm_fp8"}, "fp8"),
        ({"quant_method": "mxfp4"}, "mxfp4"),
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, "int4"),
        ({"quant_method": "gptq", "bits": 4, "group_size": -1}, "int4"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "nvfp4"),
        ({"quant_algo": "FP8"}, "fp8"),
        (compressed(FLOAT8, FLOAT8), "fp8"),
        (compressed(FLOAT8 | {"block_structure": [128, 128]}, FLOAT8), "fp8_block"),
        (compressed(INT8, INT8), "int8"),
        (compressed(INT8 | {"group_size": -1}, INT8), "int8"),
        (compressed(FLOAT8 | {"group_size": None}, FLOAT8), "fp8"),
        (compressed(INT4), "int4"),
        (compressed(FLOAT4, FLOAT4), "nvfp4"),
    ],
)
def test_a_quantized_checkpoint_has_its_own_format(
    read: Read, snapshot: Snapshot, scheme: dict[str, Any], stored: str
) -> None:
    assert stored in snapshot.formats
    assert read("llama_3_1_8b", quantization_config=scheme).model.native_format == stored


@pytest.mark.parametrize(
    ("scheme", "said"),
    [
        ({"quant_method": "bitsandbytes"}, "quantization_config.quant_method: not a value"),
        ({}, "quantization_config.quant_method: this key is missing"),
        ({"quant_method": "fp8", "weight_block_size": [1, 128]}, "weight_block_size: other blocks"),
        ({"quant_method": "awq", "bits": 8}, "bits: 8-bit weights alone"),
        ({"quant_method": "awq"}, "bits: this key is missing"),
        ({"quant_method": "gptq", "bits": 4, "group_size": 32}, "group_size: scales of other groups"),
        ({"quant_algo": "MIXED_PRECISION"}, "quant_algo: not a value"),
        ({"quant_method": "compressed-tensors"}, "config_groups: several schemes"),
        (compressed(INT4, INT8), "config_groups.group_0: this scheme cannot be counted"),
        (compressed(INT8), "config_groups.group_0: this scheme cannot be counted"),
        (compressed(INT4 | {"group_size": 32}), "weights.group_size: scales of other groups"),
        (compressed(FLOAT8 | {"type": "complex"}, FLOAT8), "weights.type: not a value"),
        (compressed(FLOAT8 | {"block_structure": [64, 64]}, FLOAT8), "weights.block_structure: other blocks"),
        (compressed(FLOAT4 | {"group_size": 32}, FLOAT4), "weights.group_size: scales of other groups"),
        (compressed(FLOAT8 | {"group_size": 32}, FLOAT8), "weights.group_size: scales of other groups"),  # MXFP8
        (compressed(INT8 | {"group_size": 128}, INT8), "weights.group_size: scales of other groups"),
    ],
)
def test_a_scheme_that_no_format_describes_is_refused(read: Read, scheme: dict[str, Any], said: str) -> None:
    with pytest.raises(FileError) as error:
        read("llama_3_1_8b", quantization_config=scheme)
    assert said in str(error.value)


def test_other_groups_than_the_checkpoint_has_are_no_remedy(read: Read) -> None:
    with pytest.raises(FileError) as error:
        read("llama_3_1_8b", quantization_config=compressed(INT8 | {"group_size": 128}, INT8))
    assert (error.value.allowed, error.value.fix) == ("-1 or null", None)


def test_types_of_weights_that_are_not_quantized(read: Read) -> None:
    assert read("llama_3_1_8b", torch_dtype="float16").model.native_format == "fp16"
    assert read("llama_3_1_8b", torch_dtype=None, dtype="bfloat16").model.native_format == "bf16"
    cast = read("llama_3_1_8b", torch_dtype="float32")
    assert cast.model.native_format == "bf16"
    assert cast.taken == ("bf16 for float32 weights, which engines cast when they load them",)


def test_the_file_of_modelopt_beside_a_config_states_the_format(
    read: Read, snapshot: Snapshot, write_config: WriteConfig
) -> None:
    path = write_config("llama_3_1_8b")
    beside = path.parent / "hf_quant_config.json"
    beside.write_text(json.dumps({"quantization": {"quant_algo": "NVFP4"}}), encoding="utf-8")
    assert read_model(path, "own", snapshot.formats).model.native_format == "nvfp4"
    assert read_model(path.parent, "own", snapshot.formats).model.native_format == "nvfp4"
    assert read("deepseek_v3").model.native_format == "fp8_block"  # written into the same folder
    write_config("llama_3_1_8b")
    beside.write_text("{}", encoding="utf-8")
    with pytest.raises(FileError, match=r"hf_quant_config\.json: quantization"):
        read_model(path, "own", snapshot.formats)


@pytest.mark.parametrize(
    ("fixture", "changes", "windows"),
    [
        ("mistral_7b_v0_1", {}, (4096, 32)),
        ("mistral_7b_v0_1", {"sliding_window": ...}, (0, 0)),
        ("mistral_7b_v0_1", {"sliding_window": 32768}, (0, 0)),
        ("mistral_7b_v0_1", {"sliding_window": None}, (4096, 32)),
        ("qwen2_5_7b", {}, (0, 0)),
        ("qwen2_5_7b", {"use_sliding_window": True, "sliding_window": 4096, "max_window_layers": 20}, (4096, 8)),
        ("qwen2_5_7b", {"use_sliding_window": True, "sliding_window": 4096}, (0, 0)),
        ("qwen2_5_7b", {"use_sliding_window": True, "sliding_window": None, "max_window_layers": 27}, (4096, 1)),
        ("qwen2_5_7b", {"use_sliding_window": True, "sliding_window": ..., "max_window_layers": 27}, (0, 0)),
        ("gemma_2_9b", {}, (4096, 21)),
        ("gemma_3_1b", {}, (512, 22)),
        ("gemma_3_1b", {"sliding_window_pattern": 2}, (512, 13)),
        ("gemma_3_1b", {"layer_types": ["full_attention"] * 25 + ["sliding_attention"]}, (512, 1)),
        ("gpt_oss_120b", {"layer_types": None}, (128, 18)),
    ],
)
def test_windows(read: Read, fixture: str, changes: dict[str, Any], windows: tuple[int, int]) -> None:
    model = read(fixture, **changes).model
    assert (model.window, model.windowed_layers) == windows


def test_yarn_stretches_the_context_where_the_original_is_stated(read: Read) -> None:
    yarn = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
    assert read("qwen2_5_7b", max_position_embeddings=32768, rope_scaling=yarn).model.max_context == 131072
    assert read("gpt_oss_120b").model.max_context == 131072
    linear = yarn | {"type": "linear"}
    assert read("qwen2_5_7b", max_position_embeddings=32768, rope_scaling=linear).model.max_context == 32768


def test_heads_without_a_key_are_those_of_the_library(read: Read) -> None:
    model = read("llama_3_1_8b", num_key_value_heads=None).model
    assert (model.attention, model.kv_heads, model.head_dim) == (Attention.MHA, 32, 128)
    model = read("llama_3_1_8b", num_key_value_heads=1, head_dim=64).model
    assert (model.attention, model.head_dim) == (Attention.MQA, 64)


def test_defaults_that_were_used_are_listed(read: Read) -> None:
    assert read("gemma_3_27b").taken == (
        "max_position_embeddings 131072",
        "sliding_window_pattern 6",
        "vocab_size 262208",
        "tie_word_embeddings true",
    )
    assert read("gemma_3_27b").language_part
    assert not read("gemma_3_1b").language_part


def test_experts_in_some_layers_only(read: Read) -> None:
    model = read("qwen3_30b_a3b", decoder_sparse_step=2, mlp_only_layers=[1, 2]).model
    assert (model.dense_layers, model.expert_layers) == (25, 23)
    model = read("deepseek_v3", moe_layer_freq=2).model
    assert (model.dense_layers, model.expert_layers) == (32, 29)


def test_the_model_tells_the_content_that_was_read(read: Read) -> None:
    first, other = read("llama_3_1_8b").model, read("llama_3_1_8b", num_hidden_layers=31).model
    assert first.as_of.startswith("sha256 ")
    assert first.as_of != other.as_of
    assert first.total_parameters - other.total_parameters == 218_103_808
