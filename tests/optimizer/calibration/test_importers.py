import json
from collections.abc import Callable

import pytest

from optimizer.calibration.consistency import checked
from optimizer.calibration.importers import BenchmarkResult, ResultError, Tool, read_results
from optimizer.calibration.importers.llmd_report import report_of
from tests.optimizer.calibration import writers
from tests.optimizer.calibration.writers import WRITERS, random_run, run

# What a tool has no place for.
NO_MODEL = {Tool.INFERENCE_PERF}
NO_REQUESTS = {Tool.DASHBOARD}
NO_RATE = {Tool.LLMPERF}
NO_TPOT = {Tool.LLMPERF}


def read_one(data: bytes) -> BenchmarkResult:
    (result,) = read_results(data, "results")
    return result


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tool", Tool)
def test_what_is_read_is_what_was_written(tool: Tool, seed: int) -> None:
    written = random_run(seed)
    read = read_one(WRITERS[tool](written))
    assert read.tool is tool
    assert read.model == (None if tool in NO_MODEL else written.model)
    for name in ("prompt_tokens", "output_tokens", "concurrency"):
        assert getattr(read, name) == pytest.approx(getattr(written, name), rel=1e-9)
    assert read.request_rate_per_s is None
    assert read.requests == (None if tool in NO_REQUESTS else written.requests)
    assert read.output_tokens_per_s == pytest.approx(written.output_tokens_per_s)
    for metric in ("ttft", "e2e") if tool in NO_TPOT else ("ttft", "tpot", "e2e"):
        for statistic in ("mean_s", "p50_s", "p90_s", "p99_s"):
            value, truth = (getattr(getattr(each, metric), statistic) for each in (read, written))
            assert value == pytest.approx(truth, rel=1e-9), (metric, statistic)


@pytest.mark.parametrize("tool", [tool for tool in Tool if tool not in NO_RATE])
def test_open_arrivals_are_a_rate(tool: Tool) -> None:
    read = read_one(WRITERS[tool](run(concurrency=None, rate=3.5)))
    assert (read.concurrency, read.request_rate_per_s) == (None, 3.5)


@pytest.mark.parametrize("tool", Tool)
def test_every_missing_key_that_is_needed_is_named_with_the_file(tool: Tool) -> None:
    if tool is Tool.VLLM_SWEEP:
        data = writers.vllm_sweep(run()).replace(b"mean_tpot_ms", b"mean_other_ms")
        missing = "mean_tpot_ms"
    else:
        missing = {
            Tool.VLLM_BENCH: "mean_tpot_ms", Tool.SGLANG: "total_input_tokens", Tool.AIPERF: "inter_token_latency",
            Tool.GUIDELLM: "inter_token_latency_ms", Tool.INFERENCE_PERF: "prompt_len",
            Tool.LLMD_REPORT: "time_to_first_token", Tool.LLMPERF: "results_end_to_end_latency_s_mean",
            Tool.DASHBOARD: "osl",
        }[tool]  # fmt: skip
        data = WRITERS[tool](run()).replace(f'"{missing}"'.encode(), b'"renamed"')
    with pytest.raises(ResultError, match=rf"results.*{missing}: missing"):
        read_results(data, "results")


def test_the_units_of_the_file_decide() -> None:
    record = json.loads(writers.aiperf(run(ttft_s=0.08)))
    record["time_to_first_token"] = {"unit": "us", "avg": 80_000}
    assert read_one(json.dumps(record).encode()).ttft.mean_s == pytest.approx(0.08)
    record["time_to_first_token"]["unit"] = "parsec"
    with pytest.raises(ResultError, match=r"time_to_first_token\.unit: 'parsec'; known: ms"):
        read_results(json.dumps(record).encode(), "results")
    report = report_of(run(tpot_s=0.011))
    text = json.dumps(report).replace('"units": "s/token", "mean": 0.011', '"units": "ms/token", "mean": 11.0')
    tpot = read_one(text.encode()).tpot
    assert tpot is not None
    assert tpot.mean_s == pytest.approx(0.011)


def test_numbers_written_as_text_are_numbers_and_nan_is_refused() -> None:
    record = writers.vllm_object(run()) | {"p99_ttft_ms": "160.0"}
    assert read_one(json.dumps(record).encode()).ttft.p99_s == pytest.approx(0.16)
    for bad, words in ((float("nan"), "not a number"), ([1], "a number is expected"), (float("inf"), "finite")):
        with pytest.raises(ResultError, match=rf"results: mean_ttft_ms: .*{words}"):
            read_results(json.dumps(record | {"mean_ttft_ms": bad}).encode(), "results")


def test_runs_that_were_appended_are_read_one_by_one() -> None:
    runs = [run(concurrency=clients) for clients in (1.0, 4.0, 16.0)]
    read = read_results(writers.lines_of(runs), "bench.json")
    assert [each.concurrency for each in read] == [1.0, 4.0, 16.0]
    assert [each.source for each in read] == ["bench.json:1", "bench.json:2", "bench.json:3"]


def test_a_sweep_is_a_table_or_a_list_and_warm_up_is_left_out() -> None:
    rows = [writers.sweep_row(run(concurrency=clients), number) for clients, number in ((2.0, -1), (2.0, 0), (4.0, 1))]
    read = read_results(json.dumps(rows).encode(), "summary.json")
    assert [each.concurrency for each in read] == [2.0, 4.0]
    assert {each.tool for each in read} == {Tool.VLLM_SWEEP}
    assert read[0].deployment.tp == 1


def test_a_file_of_warm_up_alone_has_no_measured_run() -> None:
    with pytest.raises(ResultError, match=r"summary\.json: no measured run in the file"):
        read_results(json.dumps([writers.sweep_row(run(), -1)]).encode(), "summary.json")


def test_what_was_sent_but_not_completed_failed() -> None:
    record = writers.vllm_object(run(requests=90)) | {"num_prompts": 100, "failed": None}
    assert read_one(json.dumps(record).encode()).failed == 10


def test_metadata_of_a_run_say_what_ran() -> None:
    record = writers.vllm_object(run()) | {"gpu": "H100-SXM", "tp": "4", "engine": "vllm", "quant": "fp8"}
    deployment = read_one(json.dumps(record).encode()).deployment
    assert (deployment.accelerator, deployment.tp, deployment.engine) == ("H100-SXM", 4, "vllm")
    assert deployment.weights_format == "fp8"


def test_a_median_stands_in_for_a_mean_of_a_dashboard_and_is_marked() -> None:
    (record,) = json.loads(writers.dashboard(run(ttft_s=0.08)))
    del record["mean_ttft"]
    read = read_one(json.dumps(record).encode())
    assert read.ttft.mean_s == pytest.approx(0.072)
    assert read.notes == ("ttft: no mean in the file, its median stands in",)


def test_what_leaves_as_a_report_comes_back() -> None:
    written = run(accelerator="h100-sxm-80gb", accelerators=8, engine="vllm", engine_version="0.12", tp=4, pp=1, ep=1)
    for write in (writers.llmd_report, writers.llmd_yaml):
        read = read_one(write(written))
        assert read.deployment == written.deployment
        assert (read.ttft, read.tpot, read.e2e) == (written.ttft, written.tpot, written.e2e)


def test_how_many_requests_is_unknown_in_a_report_too() -> None:
    written = read_one(writers.dashboard(run()))
    assert written.requests is None
    read = read_one(json.dumps(report_of(written)).encode())
    assert checked(read).requests is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace('"0.2.1"', '"0.1"'), r"version: 0\.1; reports of version 0\.2\.1 are read"),
        (lambda text: text.replace('"replica"', '"prefill"'), "role: prefill; pools cannot calibrate"),
    ],
)
def test_reports_of_another_kind_are_refused(change: Callable[[str], str], message: str) -> None:
    text = json.dumps(report_of(run(accelerator="h100-sxm-80gb", engine="vllm", tp=1)))
    with pytest.raises(ResultError, match=message):
        read_results(change(text).encode(), "results")


def test_another_version_of_guidellm_and_pools_of_a_dashboard_are_refused() -> None:
    with pytest.raises(ResultError, match=r"metadata\.version: 1\.0; reports of version 2 are read"):
        read_results(writers.guidellm(run()).replace(b'"version": 2', b'"version": 1'), "results")
    with pytest.raises(ResultError, match="decode_tp: prefill and decode pools"):
        read_results(writers.dashboard(run()).replace(b'"ep": 1', b'"decode_tp": 1'), "results")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"\xff\xfe\x00", "not text in UTF-8"),
        (b'{"a": 1,\n oops}', r"results:2: not valid JSON"),
        (b"[]", "no result in the file"),
        (b"[1, 2]", "an object is expected, not int"),
        (b"{" * 100_000, "results:1: "),
        (b'{"tokens": 3}', "a result of no tool that is known; it has tokens .*looked for .*llmperf"),
        (b"a: [1", r"neither JSON nor CSV nor valid YAML"),
        (b"just words", "an object is expected, not str"),
        (b"a,b\n1\n", "results:2: 2 cells are expected"),
        (b'{"a": ' + b"9" * 5000 + b"}", "results:1: a number that cannot be read"),
        (b"when: 2026-99-99", "a value that cannot be read"),
        (b"when: !!int ''", "a value that cannot be read"),
        (b"when: !!timestamp soon", "a value that cannot be read"),
        (b"version: 0.2.1\nrun: 1\nresults: {2: 3, a: 4}", r"results\.request_performance: missing; the file has 2, a"),
        (b"version: 0.2.1\nrun: 1\nresults: {request_performance: 0x" + b"f" * 5000 + b"}", "thousands of digits"),
        (b"run_number: 0\nmodel_id: m\nmean_ttft_ms: 1\ncompleted: 1\n7: 8", "total_input_tokens: missing"),
    ],
)
def test_what_is_no_result_is_said_plainly(data: bytes, message: str) -> None:
    with pytest.raises(ResultError, match=message):
        read_results(data, "results")


def test_results_of_two_tools_in_one_file_are_refused() -> None:
    with pytest.raises(ResultError, match=r"several tools \(sglang bench_serving, vllm bench serve\)"):
        read_results(writers.sglang(run()) + writers.vllm_bench(run()), "results")


def test_the_names_of_files_mean_nothing() -> None:
    for tool, write in WRITERS.items():
        (read,) = read_results(write(run()), "stage_0_lifecycle_metrics.json")
        assert read.tool is tool
