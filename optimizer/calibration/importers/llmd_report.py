"""llm-d Benchmark Report v0.2.1, JSON or YAML: the one format that says what was measured and on what.

It is the format in which results leave as well: `report_of` writes what `read` reads. Latencies carry their unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from optimizer.calibration.importers.record import SECONDS_PER_MS, Record, ResultError
from optimizer.calibration.importers.results import BenchmarkResult, Deployment, Latency, Tool
from optimizer.version import VERSION

SIGNS = ("version", "run", "results.request_performance")
VERSION_READ = "0.2.1"
_SECONDS = {"s": 1.0, "s/token": 1.0, "ms": SECONDS_PER_MS, "ms/token": SECONDS_PER_MS}
_ENGINES = ("vllm", "sglang", "trtllm")
# What whole replicas are called; where no pool prefills, those that decode are whole too.
_WHOLE = "replica"
_PREFILL = "prefill"
_ENGINE_KIND = "inference_engine"


def recognises(record: Record) -> bool:
    """Whether the object is a report."""
    values = record.values
    return "version" in values and "run" in values and isinstance(values.get("results"), dict)


def read(records: Sequence[Record]) -> tuple[BenchmarkResult, ...]:
    """One result per report; ResultError names what is missing, another version, or pools."""
    return tuple(_run(record) for record in records)


def _run(record: Record) -> BenchmarkResult:
    version = record.optional_text("version")
    if version != VERSION_READ:
        raise ResultError(f"{record.name_of('version')}: {version}; reports of version {VERSION_READ} are read")
    scenario = record.optional_record("scenario")
    model, deployment = (None, Deployment()) if scenario is None else _stack(scenario)
    load = None if scenario is None else scenario.optional_record("load")
    stated = None if load is None else load.record("standardized")
    rate = None if stated is None else stated.optional_number("rate_qps")
    clients = None if stated is None else stated.optional_rate("concurrency")
    aggregate = record.record("results").record("request_performance").record("aggregate")
    requests, latencies = aggregate.record("requests"), aggregate.record("latency")
    throughput = aggregate.optional_record("throughput")
    output_rate = None if throughput is None else throughput.optional_record("output_token_rate")
    sent, failed = requests.optional_count("total"), requests.optional_count("failures")
    tpot = latencies.optional_record("time_per_output_token")
    e2e = latencies.optional_record("request_latency")
    return BenchmarkResult(
        source=record.place,
        tool=Tool.LLMD_REPORT,
        tool_version=None if stated is None else stated.optional_text("tool_version"),
        model=model,
        deployment=deployment,
        prompt_tokens=requests.record("input_length").number("mean"),
        output_tokens=requests.record("output_length").number("mean"),
        concurrency=clients if rate is None and clients is not None and clients != float("inf") else None,
        request_rate_per_s=rate,
        requests=None if sent is None else sent - (failed or 0),
        failed=failed,
        duration_s=None,
        ttft=_latency(latencies.record("time_to_first_token")),
        tpot=None if tpot is None else _latency(tpot),
        e2e=None if e2e is None else _latency(e2e),
        output_tokens_per_s=None if output_rate is None else output_rate.number("mean"),
    )


def _latency(statistics: Record) -> Latency:
    units = statistics.optional_text("units")
    if units not in _SECONDS:
        raise ResultError(f"{statistics.name_of('units')}: {units!r}; known: {', '.join(_SECONDS)}")
    scale = _SECONDS[units]

    def seconds(key: str) -> float | None:
        value = statistics.optional_number(key)
        return None if value is None else scale * value

    return Latency(
        mean_s=scale * statistics.number("mean"), p50_s=seconds("p50"), p90_s=seconds("p90"), p99_s=seconds("p99")
    )


def _stack(scenario: Record) -> tuple[str | None, Deployment]:
    """Model and deployment of the one kind of engine in the stack."""
    if "stack" not in scenario:
        return None, Deployment()
    components = [component.record("standardized") for component in scenario.records("stack")]
    engines = [each for each in components if each.optional_text("kind") == _ENGINE_KIND]
    if not engines:
        return None, Deployment()
    for engine in engines:
        if engine.optional_text("role") == _PREFILL:
            raise ResultError(f"{engine.name_of('role')}: {_PREFILL}; pools cannot calibrate a mixed replica")
    first = engines[0]
    accelerator = first.record("accelerator")
    parallelism = accelerator.record("parallelism")
    tp, pp = parallelism.optional_count("tp") or 1, parallelism.optional_count("pp") or 1
    whole = parallelism.optional_count("dp") in (None, 1)  # what data parallelism of an engine splits is not said
    replicas = sum(engine.count("replicas") for engine in engines)
    tool = (first.optional_text("tool") or "").lower()
    return first.record("model").optional_text("name"), Deployment(
        accelerator=accelerator.optional_text("model"),
        accelerators=replicas * tp * pp if whole else None,
        engine=tool if tool in _ENGINES else None,
        engine_version=first.optional_text("tool_version"),
        tp=tp if whole else None,
        pp=pp,
        ep=parallelism.optional_count("ep") if whole else None,
    )


def report_of(result: BenchmarkResult) -> dict[str, object]:
    """A result as a report, in seconds; figures that the result lacks are left out.

    Attention data parallelism and weight formats have no place in a report.
    """
    identity = sha256(result.model_dump_json().encode()).hexdigest()
    load: dict[str, object] = {
        "tool": result.tool.value,
        "tool_version": result.tool_version or "unknown",
        "source": "unknown",
        "input_seq_len": {"distribution": "other", "value": result.prompt_tokens},
        "output_seq_len": {"distribution": "other", "value": result.output_tokens},
    }
    load |= _present({"rate_qps": result.request_rate_per_s, "concurrency": result.concurrency})
    latency = {"time_to_first_token": _statistics(result.ttft, "s")}
    if result.tpot is not None:
        latency["time_per_output_token"] = _statistics(result.tpot, "s/token")
    if result.e2e is not None:
        latency["request_latency"] = _statistics(result.e2e, "s")
    requests: dict[str, object] = {
        "input_length": {"units": "count", "mean": result.prompt_tokens},
        "output_length": {"units": "count", "mean": result.output_tokens},
    }
    sent = None if result.requests is None else result.requests + (result.failed or 0)
    requests |= _present({"total": sent, "failures": result.failed})
    aggregate: dict[str, object] = {"requests": requests, "latency": latency}
    if result.output_tokens_per_s is not None:
        aggregate["throughput"] = {"output_token_rate": {"units": "tokens/s", "mean": result.output_tokens_per_s}}
    scenario: dict[str, object] = {
        "load": {"metadata": {"cfg_id": identity[:32]}, "standardized": load, "native": {}},
    }
    engine = _component(result)
    if engine is not None:
        scenario["stack"] = [engine]
    return {
        "version": VERSION_READ,
        "run": {"uid": identity[:32], "description": f"exported by roofplan {VERSION} from {result.source}"},
        "scenario": scenario,
        "results": {"request_performance": {"aggregate": aggregate}},
    }


def _component(result: BenchmarkResult) -> dict[str, object] | None:
    deployment = result.deployment
    if deployment.accelerator is None or deployment.engine is None or deployment.tp is None or result.model is None:
        return None
    tp, pp = deployment.tp, deployment.pp or 1
    accelerators = deployment.accelerators or tp * pp
    return {
        "metadata": {"label": deployment.engine, "cfg_id": f"{deployment.engine}-tp{tp}-pp{pp}"},
        "standardized": {
            "kind": _ENGINE_KIND,
            "tool": deployment.engine,
            "tool_version": deployment.engine_version or "unknown",
            "role": _WHOLE,
            "replicas": accelerators // (tp * pp),
            "model": {"name": result.model},
            "accelerator": {
                "model": deployment.accelerator,
                "count": accelerators,
                "parallelism": {"tp": tp, "pp": pp, "ep": deployment.ep or 1},
            },
        },
        "native": {},
    }


def _statistics(latency: Latency, units: str) -> dict[str, object]:
    percentiles = {"p50": latency.p50_s, "p90": latency.p90_s, "p99": latency.p99_s}
    return {"units": units, "mean": latency.mean_s} | _present(percentiles)


def _present(values: dict[str, float | None] | dict[str, int | None]) -> dict[str, object]:
    return {key: value for key, value in values.items() if value is not None}
