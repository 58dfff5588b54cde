import csv
import math
from pathlib import Path

import pytest

from optimizer.calibration.silicon import FILE_NAME, agreement, read_silicon

# Made-up runs in the columns of the published file.
PLAIN = {
    "id": "a",
    "silicon_data_source": "somewhere; silicon_concurrency=448",
    "backend": "sglang",
    "backend_version": "0.5",
    "model_path": "meta-llama/Llama-3.1-8B-Instruct",
    "system": "h200_sxm",
    "mode": "agg",
    "isl": "1000",
    "osl": "100",
    "gemm_quant_mode": "",
    "batch_size": "56",
    "tp_size": "2",
    "pp_size": "1",
    "attention_dp_size": "0",
    "moe_ep_size": "",
    "silicon_ttft_ms": "120",
    "silicon_tpot_ms": "12.5",
}
DUMPED = {
    **PLAIN,
    "id": "b",
    "silicon_data_source": "db-dump/2026; silicon_concurrency=64; x",
    "model_path": "deepseek-ai/DeepSeek-V3",
    "system": "b200_sxm",
    "gemm_quant_mode": "nvfp4",
    "batch_size": "8",
    "tp_size": "64",
    "attention_dp_size": "1",
    "moe_ep_size": "8",
}


def write(folder: Path, *rows: dict[str, str]) -> Path:
    with (folder / FILE_NAME).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(PLAIN))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_plain_rows_state_one_replica(tmp_path: Path) -> None:
    (case,) = read_silicon(write(tmp_path, PLAIN))
    assert (case.model, case.accelerator, case.accelerators) == ("llama-3.1-8b", "h200-sxm-141gb", 2)
    assert (case.weights_format, case.activations_format, case.kv_format) == ("bf16", "bf16", "bf16")
    assert (case.prompt_tokens, case.output_tokens, case.concurrency) == (1000.0, 100.0, 56.0)
    assert (case.tp, case.ep, case.dp_attention) == (2, 1, 1)
    assert case.measured_ttft_s == pytest.approx(0.12)
    assert case.measured_tpot_s == pytest.approx(0.0125)


def test_dump_rows_are_decoded(tmp_path: Path) -> None:
    (case,) = read_silicon(write(tmp_path, DUMPED))
    assert (case.tp, case.ep, case.dp_attention, case.accelerators) == (8, 8, 1, 8)
    assert (case.weights_format, case.kv_format, case.concurrency) == ("nvfp4", "fp8", 64.0)
    assert (case.prompt_tokens, case.output_tokens) == (900.0, 90.0)


@pytest.mark.parametrize(
    ("tp", "groups", "ep", "layout"),
    [(16, 1, 4, (4, 4, 1)), (4, 1, 1, (4, 1, 1)), (4, 1, 16, (4, 4, 1)), (1, 64, 8, (8, 8, 8)), (1, 16, 4, (4, 4, 4))],
)
def test_dump_layouts(tmp_path: Path, tp: int, groups: int, ep: int, layout: tuple[int, int, int]) -> None:
    row = {**DUMPED, "tp_size": str(tp), "attention_dp_size": str(groups), "moe_ep_size": str(ep)}
    (case,) = read_silicon(write(tmp_path, row))
    assert (case.tp, case.ep, case.dp_attention) == layout


def test_disaggregated_rows_are_left_out(tmp_path: Path) -> None:
    assert read_silicon(write(tmp_path, {**PLAIN, "mode": "disagg"})) == ()


def test_cells_that_are_not_understood_name_the_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="run a: "):
        read_silicon(write(tmp_path, {**PLAIN, "system": "abacus"}))
    with pytest.raises(ValueError, match="run b: no concurrency"):
        read_silicon(write(tmp_path, {**DUMPED, "silicon_data_source": "db-dump"}))
    with pytest.raises(FileNotFoundError):
        read_silicon(tmp_path / "nowhere")


def test_agreement_is_of_logarithms() -> None:
    found = agreement([2.0, None, 1.0, 0.5], [1.0, 1.0, 1.0, 1.0])
    assert (found.cases, found.predicted) == (4, 3)
    assert found.median_log_error == pytest.approx(math.log(2))
    assert found.median_log_bias == 0.0
    with pytest.raises(ValueError, match="no case"):
        agreement([None], [1.0])
