import numpy as np
import pytest

from catalog.parts import LinkKind


def test_70b_bf16_on_two_80_gib_parts_holds_about_15_thousand_tokens(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-70b", tp=2)
    assert replicas.kv_capacity_tokens[0] == pytest.approx(15_497, abs=40)
    assert replicas.kv_capacity_tokens[0] % 16 == 0
    assert replicas.weight_bytes_per_accelerator[0] == pytest.approx(70.55e9, rel=1e-3)


def test_weights_that_do_not_fit_leave_negative_capacity(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-70b")
    assert replicas.kv_capacity_tokens[0] < 0
    assert replicas.memory.kv_cache[0] < 0


def test_memory_split_is_the_whole_memory(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-8b", "h100-sxm-80gb", "l40s-48gb", "b200-sxm-180gb")
    split = replicas.memory
    total = split.weights + split.kv_cache + split.overhead + split.unused
    np.testing.assert_allclose(total, replicas.rates.memory_bytes)


def test_kv_heads_are_replicated_when_ranks_outnumber_them(make_replicas) -> None:
    eight, sixteen = (make_replicas("llama-3.1-70b", "gb200-186gb", tp=tp, link=LinkKind.NVLINK) for tp in (8, 16))
    assert eight.kv_bytes_per_token[0] == 327_680
    assert sixteen.kv_bytes_per_token[0] == 2 * 327_680
    assert sixteen.weight_bytes_per_accelerator[0] > eight.weight_bytes_per_accelerator[0] / 2


def test_latent_cache_is_copied_by_attention_ranks_and_split_by_attention_groups(make_replicas) -> None:
    split = make_replicas("deepseek-v3", "h200-sxm-141gb", tp=8, weights="fp8")
    copied = make_replicas("deepseek-v3", "h200-sxm-141gb", tp=8, ep=8, dp_attention=8, weights="fp8")
    assert split.kv_bytes_per_token[0] == 8 * 70_272
    assert copied.kv_bytes_per_token[0] == 70_272
    assert copied.kv_capacity_tokens[0] > 4 * split.kv_capacity_tokens[0]
    assert copied.weight_bytes_per_accelerator[0] > split.weight_bytes_per_accelerator[0]


def test_deepseek_v3_fp8_weights_are_about_its_parameters(make_replicas) -> None:
    replicas = make_replicas("deepseek-v3", "h200-sxm-141gb", tp=8, weights="fp8")
    assert 8 * replicas.weight_bytes_per_accelerator[0] == pytest.approx(671e9, rel=0.03)


def test_pipeline_counts_the_fullest_stage(make_replicas) -> None:
    whole, halves, thirds = (make_replicas("llama-3.1-70b", tp=2, pp=pp) for pp in (1, 2, 3))
    one_end = 2 * 128256 * 8192 / 2
    layers = whole.weight_bytes_per_accelerator[0] - 2 * one_end
    assert halves.weight_bytes_per_accelerator[0] == pytest.approx(layers / 2 + one_end, rel=1e-12)
    assert thirds.weight_bytes_per_accelerator[0] == pytest.approx(layers * 27 / 80 + one_end, rel=1e-12)
    assert halves.kv_bytes_per_token[0] == whole.kv_bytes_per_token[0]


def test_lower_formats_keep_embeddings_and_some_attention_in_bf16(make_replicas) -> None:
    bf16, fp8, nvfp4 = (
        make_replicas("llama-3.1-70b", "b200-sxm-180gb", weights=name) for name in ("bf16", "fp8", "nvfp4")
    )
    tables = 2 * 2 * 128256 * 8192
    linear = bf16.weight_bytes_per_accelerator[0] - tables
    assert fp8.weight_bytes_per_accelerator[0] == pytest.approx(tables + linear / 2, rel=1e-3)
    attention = 80 * 2 * (2 * 8192 * 8192 + 2 * 8192 * 1024)
    assert nvfp4.weight_bytes_per_accelerator[0] == pytest.approx(
        tables + attention + (linear - attention) * 0.5625 / 2, rel=1e-3
    )


def test_fp8_cache_doubles_the_tokens(make_replicas) -> None:
    bf16, fp8 = (make_replicas("llama-3.1-8b", kv=kv) for kv in ("bf16", "fp8"))
    assert fp8.kv_capacity_tokens[0] == pytest.approx(2 * bf16.kv_capacity_tokens[0], abs=32)


def test_windowed_layers_count_every_token(make_replicas, snapshot) -> None:
    model = snapshot.model("gpt-oss-120b")
    replicas = make_replicas("gpt-oss-120b", weights="mxfp4")
    assert model.windowed_layers == 18
    assert replicas.kv_bytes_per_token[0] == 36 * 2 * 8 * 64 * 2
