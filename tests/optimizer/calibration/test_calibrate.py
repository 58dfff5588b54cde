import json
from dataclasses import replace
from datetime import date

import pytest

from catalog.corrections import MeasuredLoad
from catalog.read import Snapshot, load
from optimizer.calibration.calibrate import Calibrated, InputFile, calibrate
from optimizer.calibration.importers import BenchmarkResult, ResultError, Tool
from optimizer.calibration.observe import Stated
from tests.optimizer.calibration import writers
from tests.optimizer.calibration.writers import WRITERS, run

TODAY = date(2026, 11, 26)
STATED = Stated(gpu="h100-sxm-80gb", engine="vllm", tp=1)


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return load()


def file(*runs: BenchmarkResult, name: str = "bench.jsonl") -> InputFile:
    return InputFile(name, writers.lines_of(runs))


def calibrated(snapshot: Snapshot, *files: InputFile, stated: Stated = STATED) -> Calibrated:
    return calibrate(files, stated, snapshot, TODAY)


@pytest.mark.parametrize("tool", Tool)
def test_every_tool_gives_the_same_correction(snapshot: Snapshot, tool: Tool) -> None:
    runs = [
        run(concurrency=float(clients), tpot_s=tpot_s, requests=10 * clients)
        for clients, tpot_s in ((1, 0.009), (8, 0.012), (32, 0.018))
    ]
    stated = Stated(model="llama-3.1-8b", gpu="h100-sxm-80gb", engine="vllm", tp=1, weights="bf16")
    files = [InputFile(f"{place}", WRITERS[tool](each)) for place, each in enumerate(runs)]
    (found,) = calibrated(snapshot, *files, stated=stated).calibrations
    (expected,) = calibrated(snapshot, file(*runs), stated=stated).calibrations
    # a dashboard does not say how many requests a run had; it is taken to be as many as these had
    (mine,), (theirs,) = found.correction.stacks, expected.correction.stacks
    assert mine.step == pytest.approx(theirs.step, rel=1e-6)
    assert mine.first_token is not None
    assert theirs.first_token is not None
    assert dict(mine.first_token) == pytest.approx(dict(theirs.first_token), rel=1e-6)
    for name in ("prefill_factor", "step_deviation"):
        assert getattr(found.correction, name) == pytest.approx(getattr(expected.correction, name), rel=1e-6)
    assert found.correction.tools == (tool,)


def test_a_correction_says_where_it_comes_from(snapshot: Snapshot) -> None:
    (found,) = calibrated(snapshot, file(run(), run(concurrency=16.0))).calibrations
    correction = found.correction
    assert correction.group == ("llama-3.1-8b", "h100-sxm-80gb", "vllm")
    assert (correction.results, correction.load) == (2, MeasuredLoad.CLOSED_LOOP)
    assert (correction.as_of, correction.catalog_hash) == ("2026-11-26", snapshot.hash)
    assert [each.name for each in correction.files] == ["bench.jsonl"]
    assert [(each.weights, each.engine_version) for each in correction.stacks] == [("bf16", "")]


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        (Stated(engine="vllm", tp=1), r"bench\.jsonl: the gpu is not in the file; state it with --gpu"),
        (Stated(gpu="h100", tp=1), "the engine is not in the file; state it with --engine"),
        (Stated(gpu="h100", engine="vllm"), "the tensor parallelism is not in the file; state it with --tp"),
        (Stated(gpu="h1000", engine="vllm", tp=1), "unknown accelerator 'h1000'.*--gpu"),
        (Stated(gpu="h100", engine="vlm", tp=1), "unknown engine 'vlm'; known: .*vllm"),
        (Stated(gpu="h100", engine="vllm", tp=1, model="no-model"), "unknown model 'no-model'.*--model"),
        (Stated(gpu="h100", engine="vllm", tp=3), "bench.jsonl: "),
        (Stated(gpu="h100", engine="vllm", tp=2, gpus=3), "3 accelerators do not divide into replicas of 2"),
        (Stated(gpu="h100", engine="vllm", tp=1, concurrency=4), "the file says concurrency 8, --concurrency says 4"),
    ],
)
def test_what_the_files_do_not_say_must_be_stated(snapshot: Snapshot, stated: Stated, message: str) -> None:
    with pytest.raises(ResultError, match=message):
        calibrated(snapshot, file(run()), stated=stated)


def test_all_requests_at_once_calibrate_nothing(snapshot: Snapshot) -> None:
    with pytest.raises(ResultError, match="run with --max-concurrency, or state --concurrency or --request-rate"):
        calibrated(snapshot, file(run(concurrency=None)))


def test_several_models_are_refused_and_several_parts_are_not(snapshot: Snapshot) -> None:
    with pytest.raises(ResultError, match=r"several models: llama-3\.1-8b in a, qwen3-32b in b"):
        calibrated(snapshot, file(run(), name="a"), file(run(model="qwen3-32b"), name="b"))
    runs = [
        json.dumps(writers.vllm_object(run()) | {"gpu": gpu, "engine": "vllm", "tp": 1}).encode()
        for gpu in ("h100", "h200")
    ]
    found = calibrated(snapshot, *(InputFile(str(place), data) for place, data in enumerate(runs)), stated=Stated())
    assert [each.correction.accelerator for each in found.calibrations] == ["h100-sxm-80gb", "h200-sxm-141gb"]


@pytest.mark.parametrize(
    ("named", "found"),
    [("awq_marlin", "int4"), ("W8A8_FP8", "fp8"), ("fp8", "fp8"), ("int8", "int8"), ("compressed-tensors", "bf16")],
)
def test_a_quantization_is_read_as_engines_call_it(snapshot: Snapshot, named: str, found: str) -> None:
    record = writers.vllm_object(run(model="llama-3.1-8b")) | {"quant": named}
    sweep = writers.sweep_row(run(model="llama-3.1-8b", tp=1), 0) | {"--quantization": named}
    for written in (record, [sweep]):
        (each,) = calibrated(snapshot, InputFile("results", json.dumps(written).encode())).calibrations
        assert [stack.weights for stack in each.correction.stacks] == [found]


def test_a_dashboards_fp4_is_nvfp4_and_what_is_no_format_is_refused(snapshot: Snapshot) -> None:
    data = writers.dashboard(run())
    on_b200 = replace(STATED, gpu="b200-sxm-180gb")
    (found,) = calibrated(snapshot, InputFile("a", data.replace(b'"bf16"', b'"fp4"')), stated=on_b200).calibrations
    assert [stack.weights for stack in found.correction.stacks] == ["nvfp4"]
    with pytest.raises(ResultError, match=r"a\[0\]: unknown weights_format 'fp3'; known: bf16"):
        calibrated(snapshot, InputFile("a", data.replace(b'"bf16"', b'"fp3"')), stated=on_b200)


def report(version: str, name: str) -> InputFile:
    system = {"accelerator": "h100-sxm-80gb", "accelerators": 1, "engine": "vllm", "tp": 1}
    return InputFile(name, writers.llmd_report(run(engine_version=version, **system)))


def test_a_server_of_an_older_version_corrects_its_own_era(snapshot: Snapshot) -> None:
    found = calibrated(snapshot, report("0.6.3", "old"), report("v0.12.0", "new"), stated=Stated())
    assert [each.correction.engine for each in found.calibrations] == ["vllm", "vllm-2024"]
    assert [[file.name for file in each.correction.files] for each in found.calibrations] == [["new"], ["old"]]


def test_an_engine_that_is_stated_does_not_take_the_version_of_another(snapshot: Snapshot) -> None:
    (found,) = calibrated(snapshot, report("0.12", "new"), stated=Stated(engine="vllm-2024")).calibrations
    assert found.correction.engine == "vllm-2024"


def test_a_file_given_twice_is_refused(snapshot: Snapshot) -> None:
    with pytest.raises(ResultError, match="the same content is given twice"):
        calibrated(snapshot, file(run(), name="a"), file(run(), name="b"))


def test_arrivals_at_a_rate_stand_beside_a_closed_loop_and_are_fitted_alone(snapshot: Snapshot) -> None:
    closed, arrivals = run(), run(concurrency=None, rate=2.0, tpot_s=0.02)
    (alone,) = calibrated(snapshot, file(closed)).calibrations
    (both,) = calibrated(snapshot, file(closed, arrivals)).calibrations
    assert both.correction.stacks == alone.correction.stacks
    assert both.other is not None
    assert (both.other.results, both.other.load) == (1, MeasuredLoad.OPEN)
    (only,) = calibrated(snapshot, file(arrivals)).calibrations
    assert (only.correction.load, only.other) == (MeasuredLoad.OPEN, None)
    assert only.correction.stacks[0].step > 1.2
    assert only.correction.tpot_error.after < only.correction.tpot_error.before


def test_what_is_not_predicted_is_left_out_and_said(snapshot: Snapshot) -> None:
    (found,) = calibrated(snapshot, file(run(), run(concurrency=None, rate=900.0))).calibrations
    assert found.left_out == ("bench.jsonl:2: overloaded by the model",)
    with pytest.raises(ResultError, match=r"no result is predicted: bench\.jsonl: overloaded"):
        calibrated(snapshot, file(run(concurrency=None, rate=900.0)))
    with pytest.raises(ResultError, match="weights and one request do not fit"):
        calibrated(snapshot, file(run(model="llama-3.1-70b")))


def test_an_error_in_any_file_calibrates_nothing(snapshot: Snapshot) -> None:
    with pytest.raises(ResultError, match="b: 50 of 130 requests failed"):
        calibrated(snapshot, file(run(), name="a"), file(run(failed=50), name="b"))
