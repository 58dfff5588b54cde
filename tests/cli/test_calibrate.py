import csv
import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from catalog.corrections import read_layer
from optimizer.calibration.importers import read_results
from optimizer.calibration.kernels import MEASURED_KERNELS
from tests.cli.conftest import Ran
from tests.optimizer.calibration import writers
from tests.optimizer.calibration.writers import run as bench

Run = Callable[..., Ran]
SYSTEM = ("--gpu", "h100-sxm-80gb", "--tp", "1", "--engine", "vllm")
CASES = """\
case_id,model,accelerator,accelerators,engine,prompt_tokens,output_tokens,concurrency
a,llama-3.1-8b,h100-sxm-80gb,1,vllm,512,128,8
b,llama-3.1-8b,h200-sxm-141gb,1,vllm,512,128,8
"""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Five runs of a system a third slower than predicted."""
    path = tmp_path / "bench.jsonl"
    runs = [bench(concurrency=float(clients), requests=10 * clients, tpot_s=0.012) for clients in (1, 2, 4, 6, 8)]
    path.write_bytes(writers.lines_of(runs))
    return path


def predicted(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_results_become_a_layer_that_predict_uses(run: Run, results: Path, tmp_path: Path) -> None:
    layer, cases = tmp_path / "layer.json", tmp_path / "cases.csv"
    ran = run("calibrate", str(results), *SYSTEM, "-o", str(layer))
    assert (ran.code, ran.err) == (0, "")
    assert "llama-3.1-8b on h100-sxm-80gb with vllm: 5 results of vllm bench serve" in ran.out
    assert f"stored in {layer}: 1 group, 0 of them replaced; 0 others kept" in ran.out
    (found,) = read_layer(layer).corrections
    assert found.stacks[0].step > 1.1

    cases.write_text(CASES, encoding="utf-8")
    plain, corrected = tmp_path / "plain.csv", tmp_path / "corrected.csv"
    assert run("predict", str(cases), "-o", str(plain)).code == 0
    ran = run("predict", str(cases), "-o", str(corrected), "--calibration", str(layer))
    assert ran.out.endswith(f"written to {corrected}; 1 calibrated by {layer}\n")
    before, after = predicted(plain), predicted(corrected)
    assert before[1] == after[1]
    assert abs(float(after[0]["tpot_mean_s"]) - 0.012) < abs(float(before[0]["tpot_mean_s"]) - 0.012)
    spreads = [float(row[0]["tpot_mean_s_high"]) / float(row[0]["tpot_mean_s_low"]) for row in (before, after)]
    assert spreads[1] < spreads[0]


def test_solve_says_that_it_used_a_calibration(
    run: Run, results: Path, tmp_path: Path, spec_file: Callable[..., Path]
) -> None:
    layer = tmp_path / "layer.json"
    run("calibrate", str(results), *SYSTEM, "-o", str(layer))
    spec = str(spec_file("providers: [lambda, runpod]", "accelerators: [h100-sxm-80gb]\nformats: {weights: [bf16]}"))
    plain = json.loads(run("solve", spec, "--json").out)
    found = json.loads(run("solve", spec, "--calibration", str(layer), "--json").out)
    assert found.keys() == plain.keys()
    (assumed,) = [each for each in found["assumed"] if each["key"] == "calibration"]
    assert assumed["value"] == "1 part"
    assert "corrected: h100-sxm-80gb with vllm by 5 results of" in assumed["why"]
    assert any("step times of h100-sxm-80gb are calibrated" in warning for warning in found["warnings"])
    assert not any("calibrated" in warning for warning in plain["warnings"])
    assert found["predicted"]["tpot_s"]["mean"] > plain["predicted"]["tpot_s"]["mean"]
    assert "calibration 1 part;" in run("solve", spec, "--calibration", str(layer)).out


def test_a_layer_keeps_its_other_groups_and_replaces_its_own(run: Run, results: Path, tmp_path: Path) -> None:
    layer = tmp_path / "layer.json"
    run("calibrate", str(results), *SYSTEM, "-o", str(layer))
    other = run("calibrate", str(results), "--gpu", "h200", "--tp", "1", "--engine", "vllm", "-o", str(layer))
    assert "0 of them replaced; 1 other kept" in other.out
    first = read_layer(layer).corrections[0]
    again = json.loads(run("calibrate", str(results), *SYSTEM, "-o", str(layer), "--json").out)
    assert (again["replaced"], again["kept"]) == (1, 1)
    assert read_layer(layer).corrections[0] == first
    assert [each["accelerator"] for each in again["corrections"]] == ["h100-sxm-80gb"]


def test_a_layer_of_version_1_is_used_and_kept_in_version_3(run: Run, results: Path, tmp_path: Path) -> None:
    layer, cases = tmp_path / "layer.json", tmp_path / "cases.csv"
    run("calibrate", str(results), *SYSTEM, "-o", str(layer))
    old = json.loads(layer.read_text(encoding="utf-8"))
    old["schema_version"] = 1
    mine = old["corrections"][0]
    mine["step_factors"] = {stack["weights"]: stack["step"] for stack in mine.pop("stacks")}
    mine["first_token_factor"] = 1.25
    layer.write_text(json.dumps(old), encoding="utf-8")
    cases.write_text(CASES, encoding="utf-8")
    ran = run("predict", str(cases), "-o", str(tmp_path / "out.csv"), "--calibration", str(layer))
    assert ran.out.endswith(f"1 calibrated by {layer}\n")
    run("calibrate", str(results), "--gpu", "h200", "--tp", "1", "--engine", "vllm", "-o", str(layer))
    new = json.loads(layer.read_text(encoding="utf-8"))
    assert new["schema_version"] == 3
    (stack,) = new["corrections"][0]["stacks"]
    assert stack["first_token"] == {"fixed": 1.25, "own_prefill": 1.25, "burst": 1.25, "waiting_clients": 0.0}


def test_the_report_says_what_a_first_token_is_corrected_by(run: Run, tmp_path: Path) -> None:
    def reported(*ttft_s: float) -> str:
        path = tmp_path / "bench.jsonl"
        runs = [
            bench(concurrency=float(clients), requests=10 * clients, ttft_s=each)
            for clients, each in zip((1, 2, 4, 8, 16, 32), ttft_s, strict=True)
        ]
        path.write_bytes(writers.lines_of(runs))
        return run("calibrate", str(path), *SYSTEM, "-o", str(tmp_path / "layer.json")).out

    slow = reported(0.4, 0.4, 0.4, 0.4, 0.5, 0.6)
    assert re.search(r"first token: host time and steps × \d\.\d\d, own prefill × .*, burst of the start × ", slow)
    assert re.search(r"90 % interval of a step: from × 1\.\d\d and ÷ 1\.\d\d to ×/÷ \d\.\d\d at TP1", slow)
    torn = reported(0.01, 0.5, 0.01, 0.5, 0.01, 0.5)
    assert "first token: as predicted, for factors fitted to some of these results did not hold for the others" in torn


def test_every_version_in_a_group_has_its_own_factors(run: Run, tmp_path: Path) -> None:
    paths = []
    system = {"accelerator": "h100-sxm-80gb", "accelerators": 1, "engine": "vllm", "tp": 1}
    for version in ("0.11", "0.12", None):
        paths.append(tmp_path / f"{version}.json")
        paths[-1].write_bytes(writers.llmd_report(bench(engine_version=version, **system)))
    told = run("calibrate", *map(str, paths), "-o", str(tmp_path / "layer.json")).out
    assert re.search(r"step × \d\.\d\d with bf16 weights of 0\.11; prefill", told)
    assert re.search(r"first token of 0\.12: ", told)
    assert "3 versions of the engine (0.11, 0.12, unknown)" in told
    alone = run("calibrate", str(paths[0]), "-o", str(tmp_path / "layer.json")).out
    assert "stored in" in alone
    assert "versions of the engine" not in alone


def test_results_leave_as_reports(run: Run, results: Path, tmp_path: Path) -> None:
    reports = tmp_path / "reports.jsonl"
    assert run("calibrate", str(results), *SYSTEM, "-o", str(tmp_path / "l"), "--export", str(reports)).code == 0
    read = read_results(reports.read_bytes(), "reports")
    assert [each.concurrency for each in read] == [1, 2, 4, 6, 8]


def test_the_users_own_layer_is_where_the_environment_says(
    run: Run, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ROOFPLAN_CALIBRATION", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert run("calibrate", str(results), *SYSTEM).code == 0
    assert (tmp_path / "config" / "roofplan" / "calibration.json").is_file()
    monkeypatch.setenv("ROOFPLAN_CALIBRATION", str(tmp_path / "mine.json"))
    assert run("calibrate", str(results), *SYSTEM).code == 0
    assert (tmp_path / "mine.json").is_file()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"tokens": 3}', "a result of no tool that is known"),
        (writers.vllm_bench(bench(failed=30)), "30 of 110 requests failed"),
        (writers.vllm_bench(bench(ttft_s=-0.1)), "ttft mean is -0.1"),
        (writers.vllm_bench(bench()).replace(b'"mean_tpot_ms"', b'"other"'), "mean_tpot_ms: missing"),
        (writers.vllm_bench(bench()) + writers.vllm_bench(bench(model="qwen3-32b")), "results of several models"),
    ],
)
def test_bad_results_exit_two_and_store_nothing(run: Run, tmp_path: Path, content: bytes, message: str) -> None:
    path, layer, reports = tmp_path / "bench.json", tmp_path / "layer.json", tmp_path / "reports.jsonl"
    path.write_bytes(content)
    ran = run("calibrate", str(path), *SYSTEM, "-o", str(layer), "--export", str(reports))
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert str(path) in ran.err
    assert not layer.exists()
    assert not reports.exists()


def test_a_name_that_no_layer_can_have_is_bad_input(run: Run, results: Path, tmp_path: Path) -> None:
    ran = run("calibrate", str(results), *SYSTEM, "-o", str(tmp_path / ("x" * 300)))
    assert (ran.code, ran.out) == (2, "")
    assert "cannot be written: File name too long" in ran.err


def test_a_file_that_is_no_layer_is_never_overwritten(run: Run, results: Path, tmp_path: Path) -> None:
    layer = tmp_path / "notes.json"
    layer.write_text("my notes", encoding="utf-8")
    ran = run("calibrate", str(results), *SYSTEM, "-o", str(layer))
    assert (ran.code, ran.out) == (2, "")
    assert layer.read_text(encoding="utf-8") == "my notes"
    for command in (("solve", "x.yaml"), ("predict", "x.csv", "-o", "y.csv")):
        ran = run(*command, "--calibration", str(layer))
        assert ran.code == 2
        assert str(layer) in ran.err


def test_places_that_cannot_be_read_or_written(run: Run, results: Path, tmp_path: Path) -> None:
    assert "cannot be read" in run("calibrate", str(tmp_path / "missing"), *SYSTEM).err
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    ran = run("calibrate", str(results), *SYSTEM, "-o", str(blocked / "layer.json"))
    assert ran.code == 2
    assert "cannot be written" in ran.err


class _Gpu:
    """As much of torch as is asked before anything is measured."""

    def __init__(self, *, name: str | None, version: str = "2.11.0+cu130") -> None:
        self.__version__ = version
        self.cuda = self
        self.name = name

    def is_available(self) -> bool:
        return self.name is not None

    def get_device_name(self) -> str | None:
        return self.name


def test_without_torch_nothing_is_measured(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for arguments in ((), ("--gpu", "h100-sxm-80gb")):
        ran = run("calibrate", "--measure", *arguments, "-o", str(tmp_path / "kernels"))
        assert (ran.code, ran.out) == (2, "")
        assert "there is no torch in this Python" in ran.err
    assert not (tmp_path / "kernels").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [(None, "torch 2.11.0+cu130 finds no GPU"), ("NVIDIA X900", "torch names the GPU 'NVIDIA X900'")],
)
def test_a_gpu_that_is_not_there_or_not_known(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str | None, said: str
) -> None:
    monkeypatch.setitem(sys.modules, "torch", _Gpu(name=name))
    ran = run("calibrate", "--measure", "-o", str(tmp_path / "kernels"))
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert not (tmp_path / "kernels").exists()


def test_a_torch_that_is_too_old(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", _Gpu(name="NVIDIA H200", version="2.4.1"))
    ran = run("calibrate", "--measure", "-o", str(tmp_path / "kernels"))
    assert (ran.code, ran.out) == (2, "")
    assert "torch 2.4.1 is too old; 2.5 or newer is needed" in ran.err
    assert not (tmp_path / "kernels").exists()


def test_what_was_measured_is_held_against_the_catalog(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The measurements that are shipped stand for those of a GPU."""
    shipped = MEASURED_KERNELS / "h200-sxm-141gb"
    fake = ModuleType("optimizer.calibration.microbenchmarks")
    fake.measure = lambda out, quick: shutil.copytree(shipped, out)  # type: ignore[attr-defined]  # noqa: ARG005
    monkeypatch.setitem(sys.modules, "torch", _Gpu(name="NVIDIA H200"))
    monkeypatch.setitem(sys.modules, fake.__name__, fake)
    monkeypatch.setattr("optimizer.calibration.microbenchmarks", fake, raising=False)
    monkeypatch.setenv("ROOFPLAN_CALIBRATION", str(tmp_path / "calibration.json"))
    ran = run("calibrate", "--measure", "--json")
    found = json.loads(ran.out)
    assert (found["accelerator"], found["out"]) == ("h200-sxm-141gb", str(tmp_path / "kernels" / "h200-sxm-141gb"))
    (product,) = [each for each in found["kernels"] if (each["operation"], each["kernel"]) == ("gemm", "bf16")]
    assert product["agreement"]["median_log_error"] < 0.1
    ran = run("calibrate", "--measure", "-o", str(tmp_path / "again"))
    assert "h200-sxm-141gb gemm bf16" in ran.out
    assert ran.out.endswith(f"seconds of every shape are in {tmp_path / 'again'}\n")


def test_what_goes_with_results_is_refused_with_measure(run: Run, results: Path) -> None:
    for arguments, hint in (((str(results),), "RESULTS"), (("--tp", "8"), "--tp")):
        ran = run("calibrate", "--measure", *arguments)
        assert (ran.code, ran.out) == (2, "")
        assert hint in ran.err
        assert "not with --measure" in ran.err
    assert run("calibrate").code == 2
