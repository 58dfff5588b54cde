import csv

import pytest

from catalog.parts import Precision
from catalog.read import load
from optimizer.calibration.kernels import (
    MEASURED_KERNELS,
    Operation,
    decode_predictions,
    gemm_predictions,
    kernel_agreements,
    prefill_predictions,
)


def test_products_in_bf16_agree_with_what_was_measured() -> None:
    found = {
        agreement.part: agreement.agreement.median_log_error
        for agreement in kernel_agreements(load())
        if (agreement.operation, agreement.kernel) == (Operation.GEMM, "bf16")
    }
    assert set(found) == {"h100-sxm-80gb", "h200-sxm-141gb"}
    # within the error that the fit states for a part that was left out of it
    stated = load().efficiency.gemm["bf16"].fit.leave_part_out_median_log_error
    assert max(found.values()) <= stated


def test_every_measured_row_is_positive_and_says_where_it_comes_from() -> None:
    files = sorted(MEASURED_KERNELS.glob("*/*.csv"))
    assert len(files) == 10
    for path in files:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert rows
        for row in rows:
            assert 0.0 < float(row["seconds"]) < 1.0, (path, row)
            assert row["source"].startswith("measured on one NVIDIA H"), (path, row)


def test_no_copy_beats_the_memory_of_its_part() -> None:
    for path in MEASURED_KERNELS.glob("*/copies.csv"):
        bandwidth = load().accelerators[path.parent.name].memory_bandwidth_bytes_per_s
        with path.open(newline="") as file:
            largest = [
                2.0 * float(row["bytes"]) / float(row["seconds"])
                for row in csv.DictReader(file)
                if row["kernel"] == "device_to_device" and int(row["bytes"]) >= 2**28
            ]
        assert largest
        assert all(0.5 * bandwidth < rate < bandwidth for rate in largest), (path, largest)


@pytest.mark.parametrize("part_id", ["h100-sxm-80gb", "h200-sxm-141gb"])
def test_large_kernels_take_about_their_flops_and_bytes(part_id: str) -> None:
    snapshot = load()
    part = snapshot.accelerators[part_id]
    product = {"kernel": "bf16", "tokens": "8192", "outputs": "8192", "inputs": "8192"}
    ideal = 2.0 * 8192**3 / part.peak_flop_per_s[Precision.BF16]
    assert 1.1 < gemm_predictions(part, [product], snapshot)[0] / ideal < 1.4

    shape = {"heads": "64", "kv_heads": "8", "head_dim": "128"}
    decode = {**shape, "batch": "64", "query_tokens": "1", "context_tokens": "8192"}
    ideal = 2.0 * 2.0 * 64 * 8192 * 8 * 128 / part.memory_bandwidth_bytes_per_s
    assert 1.0 < decode_predictions(part, [decode], snapshot.efficiency)[0] / ideal < 1.4

    prefill = {**shape, "batch": "1", "query_tokens": "16384", "context_tokens": "16384"}
    ideal = 4.0 * 64 * 128 * 16384**2 / 2.0 / part.peak_flop_per_s[Precision.BF16]
    assert 1.3 < prefill_predictions(part, [prefill], snapshot.efficiency)[0] / ideal < 2.5
