from pathlib import Path

import pytest

from catalog.read import load
from optimizer.calibration.score import main, score_silicon
from optimizer.calibration.silicon import PredictionCase
from optimizer.predict.file import predict_rows


def case(name: str, measured_tpot_s: float, **changes: object) -> PredictionCase:
    values = {
        "case_id": name, "model": "llama-3.1-8b", "accelerator": "h100-sxm-80gb", "accelerators": 1, "engine": "vllm",
        "engine_version": "0.12.0", "tp": 1, "pp": 1, "ep": 1, "dp_attention": 1, "weights_format": "bf16",
        "activations_format": "bf16", "kv_format": "bf16", "prompt_tokens": 1024.0, "output_tokens": 512.0,
        "concurrency": 8.0, "measured_ttft_s": 0.1, "measured_tpot_s": measured_tpot_s,
    }  # fmt: skip
    return PredictionCase(**(values | changes))  # type: ignore[arg-type]  # the dataclass checks nothing, the test does


def test_without_data_it_says_what_it_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "skipped: silicon_sample_public.csv is not shipped" in capsys.readouterr().out


def test_a_directory_without_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "no such file" in capsys.readouterr().err


def test_good_predictions_meet_the_bars_and_bad_ones_do_not(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = predict_rows([case("any", 0.009).cells], load())
    exact, ttft = float(row.figures["tpot_mean_s"]), float(row.figures["ttft_mean_s"])
    outside = 3.0 * float(row.figures["tpot_mean_s_high"])
    good = [case(str(number), exact, measured_ttft_s=ttft) for number in range(9)]
    assert score_silicon([*good, case("outside", outside, measured_ttft_s=ttft)], load()) == 0
    assert "every bar met" in capsys.readouterr().out
    # an interval that covers every run is too wide
    assert score_silicon([*good, case("exact", exact, measured_ttft_s=ttft)], load()) == 1
    assert "100.0% (bar 85% to 95%)" in capsys.readouterr().out
    assert score_silicon([case("off", 3.0 * exact, measured_ttft_s=ttft)], load()) == 1
    assert "A BAR IS MISSED" in capsys.readouterr().out
    late = [case(str(number), exact, measured_ttft_s=2.0 * ttft) for number in range(9)]
    assert score_silicon([*late, case("outside", outside, measured_ttft_s=2.0 * ttft)], load()) == 1


def test_rows_that_are_not_predicted_are_listed_and_count(capsys: pytest.CaptureFixture[str]) -> None:
    cases = [case("ok", 0.009), case("too large", 0.02, model="llama-3.1-70b")]
    assert score_silicon(cases, load()) == 1
    out = capsys.readouterr().out
    assert "1 of 2 (50.0%" in out
    assert "not predicted: too large: weights and one request do not fit" in out
