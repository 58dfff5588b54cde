"""Deployments in a file: statuses, reasons, intervals, and what is kept of the rows."""

import csv
from pathlib import Path

import pytest

from catalog.read import load
from optimizer.errors import QuestionError
from optimizer.predict import predict_file
from optimizer.predict.file import PREDICTED_COLUMNS, PredictedRow, PredictStatus, predict_rows

BASE = {
    "case_id": "one", "kind": "serving", "model": "llama-3.1-70b", "accelerator": "h100-sxm-80gb", "accelerators": "8",
    "engine": "vllm", "tp": "4", "pp": "1", "ep": "1", "dp_attention": "1", "weights_format": "fp8",
    "prompt_tokens": "512", "output_tokens": "200", "concurrency": "64",
}  # fmt: skip


def predict(**changes: str) -> PredictedRow:
    (row,) = predict_rows([BASE | changes], load())
    return row


def figure(row: PredictedRow, name: str) -> float:
    assert row.status is PredictStatus.OK, row.reason
    return float(row.figures[name])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model": "no-such-model"}, "unknown model"),
        ({"accelerator": "h999"}, "unknown accelerator"),
        ({"engine": "nosuch"}, "unknown engine"),
        ({"weights_format": "fp7"}, "unknown weights_format"),
        ({"accelerators": "6"}, "do not divide"),
        ({"tp": "3"}, "heads do not divide"),
        ({"tp": "16", "accelerators": "16"}, "leaves the scale-up domain"),
        ({"tp": "4", "ep": "3"}, "must divide tp"),
        ({"prompt_tokens": "-5"}, "must be positive"),
        ({"prompt_tokens": "many"}, "is not a number"),
        ({"prefix_hit": "abc"}, "prefix_hit 'abc' is not a number"),
        ({"prefix_hit": "-0.5"}, "prefix_hit must be at least 0 and below 1, not -0.5"),
        ({"prefix_hit": "nan"}, "at least 0 and below 1"),
        ({"prefix_hit": "1"}, "at least 0 and below 1"),
        ({"output_tokens": ""}, "empty: output_tokens"),
        ({"request_rate": "3"}, "exclude each other"),
        ({"kind": "training"}, "not predicted in this version"),
        ({"prefill_tp": "2"}, "pools are not predicted"),
        ({"accelerator": "t4-16gb", "tp": "1", "weights_format": "bf16"}, "no bf16 matrix unit"),
        ({"accelerator": "a100-sxm-80gb"}, "no fp8 matrix unit"),
        ({"tp": "8", "pp": "2", "accelerators": "16"}, "internode_bytes_per_s is needed"),
    ],
)
def test_a_row_that_cannot_be_predicted_says_why(changes: dict[str, str], reason: str) -> None:
    row = predict(**changes)
    assert row.status is PredictStatus.UNSUPPORTED
    assert reason in row.reason
    assert not row.figures


def test_weights_that_do_not_fit() -> None:
    row = predict(tp="1", accelerators="1", weights_format="bf16")
    assert row.status is PredictStatus.DOES_NOT_FIT
    assert not row.figures


def test_arrivals_beyond_the_capacity_have_no_steady_state() -> None:
    assert predict(concurrency="", request_rate="10").status is PredictStatus.OK
    overloaded = predict(concurrency="", request_rate="10000")
    assert overloaded.status is PredictStatus.DOES_NOT_FIT
    assert "overloaded" in overloaded.reason


def test_every_figure_lies_in_its_interval() -> None:
    for row in (predict(), predict(concurrency=""), predict(concurrency="", request_rate="8")):
        for name in PREDICTED_COLUMNS[2:]:
            if name.endswith(("_low", "_high")) or not row.figures[name]:
                continue
            low, high = float(row.figures[f"{name}_low"]), float(row.figures[f"{name}_high"])
            assert low <= float(row.figures[name]) <= high, name


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    others = [BASE | {"concurrency": str(clients), "tp": tp} for clients in (1, 8, 200) for tp in ("2", "4", "8")]
    together = predict_rows([*others, BASE], load())
    assert together[-1] == predict()


def test_replicas_share_the_load() -> None:
    one = predict(accelerators="4", concurrency="32")
    two = predict(accelerators="8", concurrency="64")
    assert figure(two, "tpot_mean_s") == figure(one, "tpot_mean_s")
    assert figure(two, "output_tokens_per_s") == pytest.approx(2 * figure(one, "output_tokens_per_s"))


def test_more_clients_wait_longer_and_produce_more() -> None:
    few, many = predict(concurrency="8"), predict(concurrency="128")
    assert figure(many, "tpot_mean_s") > figure(few, "tpot_mean_s")
    assert figure(many, "output_tokens_per_s") > figure(few, "output_tokens_per_s")


def test_little_s_law_of_a_closed_loop() -> None:
    row = predict(concurrency="32")
    in_flight = (
        figure(row, "output_tokens_per_s") / 200 * (figure(row, "ttft_mean_s") + 200 * figure(row, "tpot_mean_s"))
    )
    assert in_flight == pytest.approx(32, rel=1e-6)


def test_a_cached_prefix_shortens_the_first_token() -> None:
    assert figure(predict(prefix_hit="0.8"), "ttft_mean_s") < figure(predict(), "ttft_mean_s")


def test_file_keeps_rows_columns_and_order(tmp_path: Path) -> None:
    cases, out = tmp_path / "cases.csv", tmp_path / "out.csv"
    rows = [BASE | {"case_id": name, "note": f"n {name}"} for name in ("b", "a", "c")]
    rows[1]["model"] = "no-such-model"
    with cases.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    summary = predict_file(cases, out, load())
    assert (summary.rows, summary.ok, summary.unsupported) == (3, 2, 1)
    with out.open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert [row["case_id"] for row in written] == ["b", "a", "c"]
    assert [row["note"] for row in written] == ["n b", "n a", "n c"]
    assert list(written[0]) == [*rows[0], *PREDICTED_COLUMNS]
    assert not any(written[1][name] for name in PREDICTED_COLUMNS[2:])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks case_id"),
        ("case_id,model\na,b\n", "lacks accelerator"),
        (",".join(BASE) + "\n" + ",".join(["x"] * (len(BASE) - 1)) + "\n", ":2: "),
        (",".join([*BASE, "tp"]) + "\n", "names a column twice"),
    ],
)
def test_a_file_that_is_no_case_file(tmp_path: Path, text: str, message: str) -> None:
    cases = tmp_path / "cases.csv"
    cases.write_text(text, encoding="utf-8")
    with pytest.raises(QuestionError, match=message):
        predict_file(cases, tmp_path / "out.csv", load())
    assert not (tmp_path / "out.csv").exists()


def test_unreadable_and_unwritable_paths(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match="cannot be read"):
        predict_file(tmp_path / "none.csv", tmp_path / "out.csv", load())
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(QuestionError, match="UTF-8"):
        predict_file(binary, tmp_path / "out.csv", load())
    cases = tmp_path / "cases.csv"
    cases.write_text(",".join(BASE) + "\n" + ",".join(BASE.values()) + "\n", encoding="utf-8")
    with pytest.raises(QuestionError, match="cannot be written"):
        predict_file(cases, tmp_path / "no" / "out.csv", load())
