from pathlib import Path

import pytest

from catalog.read import load
from optimizer.calibration.score import closed_loops
from optimizer.calibration.score.__main__ import main
from optimizer.calibration.score.render import text
from optimizer.calibration.score.sections import Section
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


def test_a_document_needs_the_measured_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--write", str(tmp_path / "accuracy.md")])
    assert ended.value.code == 2
    assert "--write needs the directory MEASURED" in capsys.readouterr().err


def scored(cases: list[PredictionCase]) -> Section:
    snapshot = load()
    return closed_loops.section(cases, predict_rows([each.cells for each in cases], snapshot), snapshot)


def test_good_predictions_meet_the_bars_and_bad_ones_do_not() -> None:
    (row,) = predict_rows([case("any", 0.009).cells], load())
    exact, ttft = float(row.figures["tpot_mean_s"]), float(row.figures["ttft_mean_s"])
    outside = 3.0 * float(row.figures["tpot_mean_s_high"])
    good = [case(str(number), exact, measured_ttft_s=ttft) for number in range(9)]
    found = scored([*good, case("outside", outside, measured_ttft_s=ttft)])
    assert found.met
    assert "every bar met" in text(found)
    # an interval that covers every run is too wide
    found = scored([*good, case("exact", exact, measured_ttft_s=ttft)])
    assert not found.met
    assert "100.0%  85% to 95%: missed" in text(found)
    found = scored([case("off", 3.0 * exact, measured_ttft_s=ttft)])
    assert "A BAR IS MISSED" in text(found)
    late = [case(str(number), exact, measured_ttft_s=2.0 * ttft) for number in range(9)]
    assert not scored([*late, case("outside", outside, measured_ttft_s=2.0 * ttft)]).met


def test_rows_that_are_not_predicted_are_listed_and_count() -> None:
    found = scored([case("ok", 0.009), case("too large", 0.02, model="llama-3.1-70b")])
    assert not found.met
    predicted = found.tables[1].lines[0]
    assert (predicted.figures, predicted.met) == (("1", "2", "50.0%"), False)
    assert found.remarks == ("not predicted: too large: weights and one request do not fit on 1 × h100-sxm-80gb",)


def test_runs_are_told_apart_by_their_clients() -> None:
    found = scored([case(str(clients), 0.009, concurrency=clients) for clients in (1.0, 4.0, 5.0, 64.0, 65.0)])
    (by_clients,) = [table for table in found.tables if table.heading == "TPOT by clients per replica"]
    assert [(line.name, line.figures[3]) for line in by_clients.lines] == [
        ("1 to 4", "2"), ("5 to 16", "1"), ("17 to 64", "1"), ("65 and more", "1"),
    ]  # fmt: skip
