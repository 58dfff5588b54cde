import csv
from pathlib import Path

import pytest

from catalog.read import load
from optimizer.calibration import argonne, tensorrt_llm
from optimizer.calibration.throughput import ThroughputCase, predict_throughput

OVERVIEW = {
    "model": "LLaMA v3.1 8B",
    "gpu": "H100-SXM-80GB",
    "tp": "1",
    "pp": "1",
    "mapping": "TP",
    "precision": "FP8",
    "isl": "128",
    "osl": "2048",
    "per_gpu_output_tok_s": "20000",
    "trtllm_version": "1.0",
}
STATIC = {
    "model": "meta-llama/Meta-Llama-3-8B",
    "gpu": "A100",
    "n_gpus": "2",
    "framework": "vLLM",
    "parallelism": "TP",
    "isl": "512",
    "osl": "512",
    "static_batch_size": "16",
    "throughput": "3000",
    "throughput_eq_2LB_over_latency": "True",
}


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path.parent


def test_an_overview_row_is_one_replica_of_its_era(tmp_path: Path) -> None:
    rows = [
        OVERVIEW,
        {**OVERVIEW, "model": "Llama 4 Scout"},
        {**OVERVIEW, "model": "DeepSeek R1", "gpu": "B200-180GB", "mapping": "DEP8,PP1", "tp": "", "precision": "FP4"},
        {**OVERVIEW, "model": "Mixtral 8x7B", "mapping": "TP/PP as printed; MoE run with attention DP", "tp": "2"},
        {**OVERVIEW, "model": "Mistral 7B", "precision": "FP16/Mixed", "trtllm_version": "0.15.0"},
    ]
    cases = tensorrt_llm.read_overview(write(tmp_path / tensorrt_llm.FILE_NAME, rows), load())
    assert [case.cells["model"] for case in cases] == [
        "llama-3.1-8b", "deepseek-r1", "mixtral-8x7b", "mistral-7b-v0.3",
    ]  # fmt: skip
    plain, experts, attention, older = (case.cells for case in cases)
    assert (plain["weights_format"], plain["kv_format"], plain["tp"]) == ("fp8", "fp8", "1")
    assert (experts["tp"], experts["ep"], experts["dp_attention"], experts["accelerators"]) == ("8", "8", "8", "8")
    assert (attention["tp"], attention["ep"], attention["dp_attention"]) == ("2", "2", "2")
    assert (older["weights_format"], older["kv_format"], older["engine_version"]) == ("bf16", "bf16", "0.15.0")
    assert [case.measured_tokens_per_s for case in cases] == [20000.0, 160000.0, 40000.0, 20000.0]
    assert all(case.batch is None for case in cases)


def test_static_batches_count_output_and_leave_out_what_is_not_a_throughput(tmp_path: Path) -> None:
    rows = [
        STATIC,
        {**STATIC, "throughput_eq_2LB_over_latency": "False"},
        {**STATIC, "framework": "llama.cpp"},
        {**STATIC, "gpu": "SN40L"},
        {**STATIC, "model": "EleutherAI/gpt-j-6b"},
        {**STATIC, "isl": "1536", "framework": "TensorRT-LLM"},
        {**STATIC, "gpu": "MI300X-192GB", "framework": "Deepspeed"},
    ]
    cases = argonne.read_static_batches(write(tmp_path / argonne.FILE_NAME, rows), load())
    assert [case.measured_tokens_per_s for case in cases] == [1500.0, 750.0]
    assert [case.cells["engine"] for case in cases] == ["vllm-2024", "trtllm-2024"]
    assert {case.cells["accelerator"] for case in cases} == {"a100-sxm-40gb"}
    assert {case.batch for case in cases} == {16}


def test_static_batches_on_rocm_are_of_its_era(tmp_path: Path) -> None:
    rows = [{**STATIC, "gpu": "MI300X-192GB"}, {**STATIC, "gpu": "MI250"}, {**STATIC, "gpu": "H100"}]
    cases = argonne.read_static_batches(write(tmp_path / argonne.FILE_NAME, rows), load())
    assert [(case.cells["accelerator"], case.cells["engine"]) for case in cases] == [
        ("mi300x-192gb", "vllm-2024-rocm"),
        ("mi250x-128gb", "vllm-2024-rocm"),
        ("h100-sxm-80gb", "vllm-2024"),
    ]


def test_what_does_not_fit_has_a_reason_and_no_number() -> None:
    cells = {
        "case_id": "a", "model": "llama-3.1-70b", "accelerator": "h100-sxm-80gb", "accelerators": "1",
        "engine": "trtllm", "weights_format": "bf16", "prompt_tokens": "128", "output_tokens": "128",
    }  # fmt: skip
    unknown = {**cells, "model": "no such model"}
    fits = {**cells, "model": "llama-3.1-8b"}
    cases = [ThroughputCase("", each, None, 1.0) for each in (cells, unknown, fits)]
    too_large, not_known, predicted = predict_throughput(cases, load())
    assert too_large.tokens_per_s is None
    assert "do not fit" in too_large.reason
    assert not_known.tokens_per_s is None
    assert "unknown model" in not_known.reason
    assert predicted.tokens_per_s is not None


@pytest.mark.parametrize("batch", [1, 8, 64])
def test_a_larger_batch_gives_more_and_everything_queued_the_most(batch: int) -> None:
    cells = {
        "case_id": "a", "model": "llama-3.1-8b", "accelerator": "h100-sxm-80gb", "accelerators": "1",
        "engine": "vllm", "weights_format": "bf16", "prompt_tokens": "256", "output_tokens": "256",
    }  # fmt: skip
    cases = [ThroughputCase("", cells, size, 1.0) for size in (batch, 2 * batch)] + [
        ThroughputCase("", cells, None, 1.0)
    ]
    one, two, queued = (found.tokens_per_s or 0.0 for found in predict_throughput(cases, load()))
    assert one < two < queued
    assert two < 2.0 * one
