"""Rows predicted by steps of measured kernels, with an engine of constant steps in place of the package."""

from math import exp

import pytest

from catalog.parts import Evidence
from catalog.read import load
from optimizer.arithmetic.silicon import SiliconTables
from optimizer.confidence import INTERVAL_DEVIATIONS, measured_spread
from optimizer.predict.file import PredictStatus, predict_rows

STEP_S = 0.02
ROW = {
    "case_id": "one", "model": "llama-3.1-8b", "accelerator": "h100-sxm-80gb", "accelerators": "1", "engine": "vllm",
    "tp": "1", "weights_format": "bf16", "prompt_tokens": "512", "output_tokens": "200", "concurrency": "1",
}  # fmt: skip


class ConstantEngine:
    """Every step takes 20 ms, and prompts take no time beside it."""

    def compile(self, **_: object) -> "ConstantEngine":
        return self

    def decode_step_latency(self, *_: int) -> float:
        return 1e3 * STEP_S

    def mixed_step_breakdown(self, *_: int) -> tuple[float, float, float, float]:
        return 1e3 * STEP_S, 1e3 * STEP_S, 0.0, 0.0


TABLES = SiliconTables("1", ConstantEngine(), frozenset({"meta-llama/Meta-Llama-3.1-8B"}))


def test_steps_are_those_of_the_tables_and_have_the_interval_of_the_engine() -> None:
    (row,) = predict_rows([ROW], load(), tables=TABLES)
    assert row.status is PredictStatus.OK, row.reason
    low, value, high = (float(row.figures[f"tpot_mean_s{end}"]) for end in ("_low", "", "_high"))
    assert value == pytest.approx(STEP_S)
    spread = measured_spread(Evidence.MEASURED, "vllm", "bf16", load())
    assert spread is not None
    assert (high / value, value / low) == pytest.approx((spread.slower_factor, spread.faster_factor), rel=1e-6)
    assert exp(INTERVAL_DEVIATIONS) > high / value > 1.0


def test_everything_queued_at_once_is_predicted_too() -> None:
    (row,) = predict_rows([ROW | {"concurrency": ""}], load(), tables=TABLES)
    assert row.status is PredictStatus.OK, row.reason
    assert float(row.figures["output_tokens_per_s"]) > 1.0 / STEP_S


def test_what_the_tables_do_not_tell_is_refused_and_takes_no_other_row_with_it() -> None:
    rows = predict_rows(
        [
            ROW,
            ROW | {"accelerator": "mi300x-192gb"},
            ROW | {"concurrency": "", "request_rate": "2"},
            ROW | {"model": "qwen3-8b"},
            ROW | {"concurrency": "4"},
        ],
        load(),
        tables=TABLES,
    )
    assert [row.status.value for row in rows] == ["ok", "unsupported", "unsupported", "unsupported", "ok"]
    assert "no tables of mi300x-192gb" in rows[1].reason
    assert rows[2].reason.startswith("arrivals at a rate ask for steps of every size")
    assert "no layers of qwen3-8b" in rows[3].reason
    assert rows[1].figures == rows[2].figures == {}
