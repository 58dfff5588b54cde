"""A benchmark result as a case of `predict`: what the file does not say of the system has to be stated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from catalog.errors import UnknownName
from catalog.quantization import QUANTIZATION
from catalog.read import Snapshot
from optimizer.additions import Additions
from optimizer.calibration.factors import Observation
from optimizer.calibration.importers import BenchmarkResult, Latency, ResultError
from optimizer.predict.cases import Unsupported, read_case


@dataclass(frozen=True)
class Stated:
    """What the user says of the system; None where the files say it. Names override a file's, numbers must agree."""

    model: str | None = None
    gpu: str | None = None
    gpus: int | None = None
    engine: str | None = None
    tp: int | None = None
    pp: int | None = None
    ep: int | None = None
    dp_attention: int | None = None
    weights: str | None = None
    kv: str | None = None
    concurrency: float | None = None
    request_rate: float | None = None


def observe(result: BenchmarkResult, tpot: Latency, stated: Stated, snapshot: Snapshot) -> Observation:
    """The result as a case, with the TPOT that it is read as.

    Raises ResultError that names the option for what is missing, contradicts the file, is unknown or not predicted.
    """
    deployment = result.deployment
    model = _name(result, "model", stated.model, result.model)
    engine = _name(result, "engine", stated.engine, deployment.engine)
    version = deployment.engine_version if engine == deployment.engine else None  # it is the version of the file's
    tp = _number(result, "tp", stated.tp, deployment.tp)
    pp = _number(result, "pp", stated.pp, deployment.pp)
    if tp is None:
        raise ResultError(f"{result.source}: the tensor parallelism is not in the file; state it with --tp")
    accelerators = _number(result, "gpus", stated.gpus, deployment.accelerators)
    concurrency = _number(result, "concurrency", stated.concurrency, result.concurrency)
    rate = _number(result, "request-rate", stated.request_rate, result.request_rate_per_s)
    if concurrency is None and rate is None:
        raise ResultError(
            f"{result.source}: neither a number of clients nor a finite request rate: all requests at once measure the "
            "scheduler's limits, not its steps; run with --max-concurrency, or state --concurrency or --request-rate"
        )
    cells = {
        "case_id": result.source,
        "model": _known_model(result, model, snapshot),
        "accelerator": _accelerator(result, stated, snapshot),
        "accelerators": _text(accelerators or tp * (pp or 1)),
        "engine": engine,
        "engine_version": version or "",
        "tp": _text(tp),
        "pp": _text(pp),
        "ep": _text(_number(result, "ep", stated.ep, deployment.ep)),
        "dp_attention": _text(_number(result, "dp-attention", stated.dp_attention, deployment.dp_attention)),
        "weights_format": stated.weights or _weights(deployment.weights_format) or "",
        "kv_format": stated.kv or "",
        "prompt_tokens": _text(result.prompt_tokens),
        "output_tokens": _text(result.output_tokens),
        "concurrency": _text(concurrency),
        "request_rate": _text(rate),
        "requests": _text(result.requests),
    }
    try:
        case = read_case(cells, Additions(snapshot, Path()))  # names of the catalog: no file is looked for
    except Unsupported as reason:
        raise ResultError(f"{result.source}: {reason}") from None
    return Observation(result.source, case, tpot.mean_s, result.ttft.mean_s)


def _name(result: BenchmarkResult, option: str, stated: str | None, read: str | None) -> str:
    """A name that the user states, or else the file."""
    name = stated or read
    if name is None:
        raise ResultError(f"{result.source}: the {option} is not in the file; state it with --{option}")
    return name


def _number(result: BenchmarkResult, option: str, stated: float | None, read: float | None) -> float | None:
    """A number that the user states or the file, None if neither does."""
    if stated is not None and read is not None and stated != read:
        raise ResultError(f"{result.source}: the file says {option} {read:g}, --{option} says {stated:g}")
    return read if stated is None else stated


def _weights(named: str | None) -> str | None:
    """A format of the catalog, None for the checkpoint's own; a name of no quantization is taken for a format."""
    return None if named is None else QUANTIZATION.get(named.lower(), named)


def _known_model(result: BenchmarkResult, name: str, snapshot: Snapshot) -> str:
    try:
        return snapshot.model(name).id
    except UnknownName as error:
        raise ResultError(f"{result.source}: {error}; state a model of the catalog with --model") from None


def _accelerator(result: BenchmarkResult, stated: Stated, snapshot: Snapshot) -> str:
    read = result.deployment.accelerator
    name = _name(result, "gpu", stated.gpu, read)
    try:
        return snapshot.accelerator(name).id
    except UnknownName as error:
        raise ResultError(f"{result.source}: {error}; state a part of the catalog with --gpu") from None


def _text(number: float | None) -> str:
    return "" if number is None else repr(number)
