import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran

Run = Callable[..., Ran]

CASES = """\
case_id,kind,model,accelerator,accelerators,engine,tp,pp,weights_format,prompt_tokens,output_tokens,concurrency,note
a,serving,meta-llama/Llama-3.1-8B-Instruct,H100-SXM-80GB,1,vllm,1,1,bf16,512,200,8,mine
b,serving,llama-3.1-70b,h100_sxm,1,vllm,1,1,bf16,512,200,8,too large
c,serving,no-such-model,h100_sxm,1,vllm,1,1,bf16,512,200,8,unknown
"""


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """Three deployments: one that works, one that does not fit, one of an unknown model."""
    path = tmp_path / "cases.csv"
    path.write_text(CASES, encoding="utf-8")
    return path


def test_rows_are_predicted_and_counted(run: Run, cases: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    ran = run("predict", str(cases), "-o", str(out))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"3 rows: 1 predicted, 1 do not fit, 1 unsupported; written to {out}\n"
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["ok", "does_not_fit", "unsupported"]
    assert rows[0]["note"] == "mine"


def test_json_has_the_counts(run: Run, cases: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    ran = run("predict", str(cases), "-o", str(out), "--json")
    answer = json.loads(ran.out)
    assert (ran.code, ran.err) == (0, "")
    assert list(answer) == [
        "schema_version",
        "rows",
        "ok",
        "does_not_fit",
        "unsupported",
        "calibrated",
        "out",
        "step_times",
        "catalog_hash",
    ]
    assert answer["step_times"] == "roofline"
    assert (answer["rows"], answer["ok"], answer["does_not_fit"], answer["unsupported"]) == (3, 1, 1, 1)


def test_a_file_that_is_no_case_file_is_bad_input_and_nothing_is_written(run: Run, tmp_path: Path) -> None:
    path, out = tmp_path / "cases.csv", tmp_path / "out.csv"
    path.write_text("case_id,colour\n1,red\n", encoding="utf-8")
    for name in (path, tmp_path / "missing.csv"):
        ran = run("predict", str(name), "-o", str(out))
        assert (ran.code, ran.out) == (2, "")
        assert str(name) in ran.err
        assert not out.exists()


def test_an_output_that_cannot_be_written_is_bad_input(run: Run, cases: Path, tmp_path: Path) -> None:
    ran = run("predict", str(cases), "-o", str(tmp_path / "nowhere" / "out.csv"))
    assert (ran.code, ran.out) == (2, "")
    assert "cannot be written" in ran.err


def test_steps_of_measured_kernels_need_their_package(
    run: Run, cases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "aiconfigurator_core.sdk.engine", None)
    out = tmp_path / "out.csv"
    ran = run("predict", str(cases), "-o", str(out), "--step-times", "silicon")
    assert ran.code == 2
    assert "pip install 'roofplan[silicon]'" in ran.err
    assert not out.exists()


def test_steps_of_measured_kernels_take_no_corrections_and_no_command(run: Run, cases: Path, tmp_path: Path) -> None:
    out, silicon = tmp_path / "out.csv", ("--step-times", "silicon")
    corrected = run("predict", str(cases), "-o", str(out), *silicon, "--calibration", "any.json")
    asked = run("predict", "--command", "vllm serve llama-3.1-8b", "--on", "1xH100", *silicon)
    assert (corrected.code, asked.code) == (2, 2)
    assert "corrections are of our own step times" in corrected.err
    assert "this goes with a case file" in asked.err
    assert not out.exists()
