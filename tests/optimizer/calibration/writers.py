"""Files of every tool, made from known numbers: what an importer reads must be what was written."""

import csv
import io
import json
from collections.abc import Callable, Sequence

import numpy as np
import yaml

from optimizer.calibration.importers import BenchmarkResult, Deployment, Latency, Tool
from optimizer.calibration.importers.llmd_report import report_of

MS = 1e3
Object = dict[str, object]


def run(
    *,
    prompt: float = 512.0,
    output: float = 128.0,
    concurrency: float | None = 8.0,
    rate: float | None = None,
    requests: int = 80,
    failed: int = 0,
    ttft_s: float = 0.08,
    tpot_s: float = 0.011,
    model: str = "llama-3.1-8b",
    **deployment: object,
) -> BenchmarkResult:
    """A run whose three latencies agree."""
    e2e_s = ttft_s + (output - 1.0) * tpot_s
    duration_s = requests * e2e_s / (concurrency or 8.0)
    return BenchmarkResult(
        source="made up",
        tool=Tool.VLLM_BENCH,
        model=model,
        deployment=Deployment.model_validate(deployment),
        prompt_tokens=prompt,
        output_tokens=output,
        concurrency=concurrency,
        request_rate_per_s=rate,
        requests=requests,
        failed=failed,
        duration_s=duration_s,
        ttft=Latency(mean_s=ttft_s, p50_s=0.9 * ttft_s, p90_s=1.5 * ttft_s, p99_s=2.0 * ttft_s),
        tpot=Latency(mean_s=tpot_s, p50_s=0.99 * tpot_s, p90_s=1.05 * tpot_s, p99_s=1.1 * tpot_s),
        e2e=Latency(mean_s=e2e_s, p50_s=0.99 * e2e_s, p90_s=1.1 * e2e_s, p99_s=1.2 * e2e_s),
        output_tokens_per_s=requests * output / duration_s,
    )


def random_run(seed: int) -> BenchmarkResult:
    """Any run of one part."""
    rng = np.random.default_rng(seed)
    return run(
        prompt=float(rng.integers(16, 8000)),
        output=float(rng.integers(16, 2000)),
        concurrency=float(rng.integers(1, 200)),
        requests=int(rng.integers(100, 3000)),
        ttft_s=float(rng.uniform(0.02, 5.0)),
        tpot_s=float(rng.uniform(0.003, 0.2)),
        accelerator="h100-sxm-80gb",
        accelerators=1,
        engine="vllm",
        tp=1,
    )


def parts(result: BenchmarkResult) -> tuple[Latency, Latency, Latency]:
    """TTFT, TPOT and E2E of a run that has all three."""
    assert result.tpot is not None
    assert result.e2e is not None
    return result.ttft, result.tpot, result.e2e


def statistics(latency: Latency, name: str, scale: float, mean: str, median: str, form: str = "{}_{}") -> Object:
    """Four statistics under keys of the form (statistic, name), in units of 1/scale seconds."""
    values = {mean: latency.mean_s, median: latency.p50_s, "p90": latency.p90_s, "p99": latency.p99_s}
    return {form.format(key, name): scale * value for key, value in values.items() if value is not None}


def vllm_object(result: BenchmarkResult) -> Object:
    ttft, tpot, e2e = parts(result)
    assert result.requests is not None
    return {
        "date": "20260101-000000",
        "backend": "vllm",
        "model_id": result.model,
        "tokenizer_id": result.model,
        "num_prompts": result.requests + (result.failed or 0),
        "request_rate": "inf" if result.request_rate_per_s is None else result.request_rate_per_s,
        "max_concurrency": result.concurrency,
        "duration": result.duration_s,
        "completed": result.requests,
        "failed": result.failed,
        "total_input_tokens": result.requests * result.prompt_tokens,
        "total_output_tokens": result.requests * result.output_tokens,
        "request_goodput:": None,
        "output_throughput": result.output_tokens_per_s,
        **statistics(ttft, "ttft_ms", MS, "mean", "median"),
        **statistics(tpot, "tpot_ms", MS, "mean", "median"),
        **statistics(tpot, "itl_ms", 0.5 * MS, "mean", "median"),
        **statistics(e2e, "e2el_ms", MS, "mean", "median"),
    }


def vllm_bench(result: BenchmarkResult) -> bytes:
    return json.dumps(vllm_object(result)).encode()


def sweep_row(result: BenchmarkResult, number: int = 0) -> Object:
    layout = {"tensor_parallel_size": result.deployment.tp or 1, "pipeline-parallel-size": result.deployment.pp or 1}
    return {**vllm_object(result), "run_number": number, **layout, "random-input-len": 512}


def vllm_sweep(result: BenchmarkResult) -> bytes:
    """`summary.csv`: an unnamed column of indices first, and nothing where nothing is known."""
    row = sweep_row(result)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["", *row])
    writer.writerow([0, *("" if value is None else value for value in row.values())])
    return text.getvalue().encode()


def sglang(result: BenchmarkResult) -> bytes:
    ttft, tpot, e2e = parts(result)
    deployment = result.deployment
    assert result.requests is not None
    server = {
        "model_path": result.model,
        "version": "0.5.3",
        "tp_size": deployment.tp or 1,
        "pp_size": deployment.pp or 1,
        "ep_size": deployment.ep or 1,
        "attn_dp_size": deployment.dp_attention or 1,
    }
    record = {
        "backend": "sglang",
        "dataset_name": "random",
        "server_info": server,
        "request_rate": float("inf") if result.request_rate_per_s is None else result.request_rate_per_s,
        "max_concurrency": result.concurrency,
        "random_input_len": 99999,
        "duration": result.duration_s,
        "completed": result.requests,
        "total_input_tokens": result.requests * result.prompt_tokens,
        "total_output_tokens": result.requests * result.output_tokens,
        "output_throughput": result.output_tokens_per_s,
        "accept_length": None,
        **statistics(ttft, "ttft_ms", MS, "mean", "median"),
        **statistics(tpot, "tpot_ms", MS, "mean", "median"),
        **statistics(e2e, "e2e_latency_ms", MS, "mean", "median"),
    }
    return f"{json.dumps(record)}\n".encode()


def aiperf(result: BenchmarkResult) -> bytes:
    ttft, tpot, e2e = parts(result)

    def metric(latency: Latency) -> Object:
        return {"unit": "ms", **statistics(latency, "", MS, "avg", "p50", "{}{}")}

    load = {"concurrency": result.concurrency, "request_rate": result.request_rate_per_s}
    record = {
        "request_count": {"unit": "requests", "avg": float(result.requests or 0)},
        "error_request_count": {"unit": "requests", "avg": float(result.failed)} if result.failed else None,
        "input_sequence_length": {"unit": "tokens", "avg": result.prompt_tokens},
        "output_sequence_length": {"unit": "tokens", "avg": result.output_tokens},
        "time_to_first_token": metric(ttft),
        "inter_token_latency": metric(tpot),
        "inter_chunk_latency": metric(Latency(mean_s=0.4 * tpot.mean_s)),
        "request_latency": metric(e2e),
        "output_token_throughput": {"unit": "tokens/sec", "avg": result.output_tokens_per_s},
        "benchmark_duration": {"unit": "sec", "avg": result.duration_s},
        "input_config": {"endpoint": {"model_names": [result.model]}, "loadgen": load},
    }
    return json.dumps(record).encode()


def guidellm(result: BenchmarkResult) -> bytes:
    ttft, tpot, e2e = parts(result)

    def metric(latency: Latency, scale: float) -> Object:
        whole = statistics(latency, "", scale, "mean", "p50", "{}{}")
        return {"successful": {"mean": whole.pop("mean"), "percentiles": whole}, "errored": {"mean": 0.0}}

    def mean(value: float | None) -> Object:
        return {"successful": {"mean": value}}

    closed = {"type_": "concurrent", "streams": result.concurrency, "rate": None}
    arrivals = {"type_": "poisson", "rate": result.request_rate_per_s, "max_concurrency": 10240}
    metrics = {
        "request_totals": {"successful": result.requests, "errored": result.failed, "incomplete": 7},
        "prompt_token_count": mean(result.prompt_tokens),
        "output_token_count": mean(result.output_tokens),
        "time_to_first_token_ms": metric(ttft, MS),
        "time_per_output_token_ms": mean(MS * e2e.mean_s / result.output_tokens),
        "inter_token_latency_ms": metric(tpot, MS),
        "request_latency": metric(e2e, 1.0),
        "output_tokens_per_second": mean(result.output_tokens_per_s),
    }
    benchmark = {
        "type_": "generative_benchmark",
        "config": {"backend": {"model": result.model}, "strategy": arrivals if result.concurrency is None else closed},
        "duration": result.duration_s,
        "metrics": metrics,
    }
    return json.dumps({"metadata": {"version": 2, "guidellm_version": "0.8.1"}, "benchmarks": [benchmark]}).encode()


def inference_perf(result: BenchmarkResult) -> bytes:
    ttft, tpot, e2e = parts(result)

    def metric(latency: Latency) -> Object:
        return {"min": 0.0, "p0.1": 0.0, **statistics(latency, "", 1.0, "mean", "median", "{}{}")}

    load = {"count": result.requests, "send_duration": result.duration_s, "requested_rate": result.request_rate_per_s}
    if result.concurrency is not None:
        load["concurrency"] = result.concurrency
    record = {
        "load_summary": load,
        "successes": {
            "count": result.requests,
            "latency": {
                "request_latency": metric(e2e),
                "time_per_output_token": metric(tpot),
                "time_to_first_token": metric(ttft),
                "inter_token_latency": metric(Latency(mean_s=0.5 * tpot.mean_s)),
            },
            "throughput": {"output_tokens_per_sec": result.output_tokens_per_s},
            "prompt_len": {"mean": result.prompt_tokens},
            "output_len": {"mean": result.output_tokens},
        },
        "failures": {"count": result.failed, "request_latency": None},
    }
    return json.dumps(record).encode()


def llmd_report(result: BenchmarkResult) -> bytes:
    return json.dumps(report_of(result)).encode()


def llmd_yaml(result: BenchmarkResult) -> bytes:
    return yaml.safe_dump(report_of(result)).encode()


def llmperf(result: BenchmarkResult) -> bytes:
    ttft, _, e2e = parts(result)
    assert result.requests is not None
    assert result.duration_s is not None
    record = {
        "version": "2023-08-31",
        "model": result.model,
        "num_concurrent_requests": result.concurrency,
        "results_inter_token_latency_s_mean": e2e.mean_s / result.output_tokens,
        **statistics(ttft, "results_ttft_s", 1.0, "mean", "quantiles_p50", "{1}_{0}"),
        **statistics(e2e, "results_end_to_end_latency_s", 1.0, "mean", "quantiles_p50", "{1}_{0}"),
        "results_number_input_tokens_mean": result.prompt_tokens,
        "results_number_input_tokens_min": "12",
        "results_number_output_tokens_mean": result.output_tokens,
        "results_number_errors": result.failed,
        "results_mean_output_throughput_token_per_s": result.output_tokens_per_s,
        "results_num_completed_requests": result.requests,
        "results_num_completed_requests_per_min": 60.0 * result.requests / result.duration_s,
    }
    # its quantiles are named quantiles_p90, too
    renamed = {key.replace("_s_p9", "_s_quantiles_p9"): value for key, value in record.items()}
    return json.dumps(renamed).encode()


def dashboard(result: BenchmarkResult) -> bytes:
    ttft, tpot, e2e = parts(result)
    deployment = result.deployment
    record = {
        "model": result.model,
        "hw": "h100",
        "framework": "vllm",
        "tp": deployment.tp or 1,
        "ep": deployment.ep or 1,
        "dp_attention": str((deployment.dp_attention or 1) > 1).lower(),
        "precision": "bf16",
        "conc": result.concurrency,
        "request_rate": result.request_rate_per_s,
        "isl": result.prompt_tokens,
        "osl": result.output_tokens,
        "output_tput_per_gpu": result.output_tokens_per_s,
        **statistics(ttft, "ttft", 1.0, "mean", "median"),
        **statistics(tpot, "tpot", 1.0, "mean", "median"),
        **statistics(e2e, "e2el", 1.0, "mean", "median"),
    }
    return json.dumps([record]).encode()


WRITERS: dict[Tool, Callable[[BenchmarkResult], bytes]] = {
    Tool.VLLM_BENCH: vllm_bench,
    Tool.VLLM_SWEEP: vllm_sweep,
    Tool.SGLANG: sglang,
    Tool.AIPERF: aiperf,
    Tool.GUIDELLM: guidellm,
    Tool.INFERENCE_PERF: inference_perf,
    Tool.LLMD_REPORT: llmd_report,
    Tool.LLMPERF: llmperf,
    Tool.DASHBOARD: dashboard,
}


def lines_of(results: Sequence[BenchmarkResult]) -> bytes:
    """As `vllm bench serve --append-result` writes several runs."""
    return b"\n".join(vllm_bench(result) for result in results)
