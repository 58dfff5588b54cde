import sys

import pytest

from catalog.read import load
from optimizer.arithmetic.silicon import SiliconTables
from optimizer.calibration.score import __main__ as score
from optimizer.calibration.score import silicon
from optimizer.calibration.score.render import text
from optimizer.calibration.score.sections import Section
from optimizer.calibration.silicon import PredictionCase
from optimizer.predict.file import predict_rows

STEP_S = 0.02


class ConstantEngine:
    """Every decode step takes 20 ms, of which a quarter is a formula; prompts take no time beside it."""

    def compile(self, **_: object) -> "ConstantEngine":
        return self

    def decode_step_latency(self, *_: int) -> float:
        return 1e3 * STEP_S

    def decode_step_per_op(self, *_: int) -> list[tuple[str, float, float, str]]:
        return [("gemm", 15.0, 0.0, "silicon"), ("norm", 5.0, 0.0, "empirical")]

    def mixed_step_breakdown(self, *_: int) -> tuple[float, float, float, float]:
        return 1e3 * STEP_S, 1e3 * STEP_S, 0.0, 0.0


TABLES = SiliconTables("1", ConstantEngine(), frozenset({"meta-llama/Meta-Llama-3.1-8B"}))


def run(name: str, **changes: object) -> PredictionCase:
    values = {
        "case_id": name, "model": "llama-3.1-8b", "accelerator": "h100-sxm-80gb", "accelerators": 1, "engine": "vllm",
        "engine_version": "0.12.0", "tp": 1, "pp": 1, "ep": 1, "dp_attention": 1, "weights_format": "bf16",
        "activations_format": "bf16", "kv_format": "bf16", "prompt_tokens": 1024.0, "output_tokens": 512.0,
        "concurrency": 1.0, "measured_ttft_s": 0.1, "measured_tpot_s": STEP_S,
    }  # fmt: skip
    return PredictionCase(**(values | changes))  # type: ignore[arg-type]  # the dataclass checks nothing, the test does


def scored(*runs: PredictionCase) -> Section:
    snapshot = load()
    return silicon.section(runs, predict_rows([each.cells for each in runs], snapshot), snapshot, TABLES)


def test_both_sources_are_held_against_the_same_runs() -> None:
    found = scored(
        run("a"), run("b"), run("too large for one part", model="llama-3.1-70b"), run("other", model="qwen3-8b")
    )
    metrics, by_part, shares = found.tables
    ours, theirs = metrics.lines[:2]
    assert (theirs.name, theirs.figures) == ("TPOT, measured kernels", ("0.000", "0.000", "+0.000", "2", "0"))
    assert ours.figures[3:] == theirs.figures[3:]
    assert float(ours.figures[0]) > 0.5  # an H100 decodes one sequence of an 8B model in far less than 20 ms
    assert [line.name for line in by_part.lines] == [
        "vllm h100-sxm-80gb, ours",
        "vllm h100-sxm-80gb, measured kernels",
    ]
    assert [(line.name, line.figures) for line in shares.lines] == [("llama-3.1-8b", ("75%", "75%", "2"))]
    assert found.remarks == ("not compared: 1 runs: no layers of qwen3-8b (Qwen/Qwen3-8B)",)


def test_a_score_of_no_common_run_says_why() -> None:
    found = scored(run("other", model="qwen3-8b"))
    assert found.tables == ()
    assert "not compared: 1 runs: no layers of qwen3-8b" in text(found)


def test_without_the_package_the_score_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "aiconfigurator_core.sdk.engine", None)
    assert list(score._measured_kernels([], [], load())) == []
    assert "skipped: step times of measured kernels: aiconfigurator-core is not installed" in capsys.readouterr().out
