"""`roofplan calibrate`: the user's own benchmark results as a layer over the catalog."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from optimizer.cli.exits import exit_codes
from optimizer.cli.options import SCHEMA_VERSION


def calibrate(
    results: Annotated[
        list[Path] | None, typer.Argument(metavar="[RESULTS…]", help="Files that a benchmark tool wrote.")
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure kernels of the GPU at hand instead; needs torch, takes minutes.")
    ] = False,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="Model, where the files do not say it.")] = None,
    gpu: Annotated[str | None, typer.Option(metavar="NAME", help="Part that was measured.")] = None,
    gpus: Annotated[int | None, typer.Option(min=1, help="All GPUs of the deployment; default: one replica.")] = None,
    engine: Annotated[str | None, typer.Option(metavar="NAME", help="Engine of the server.")] = None,
    tp: Annotated[int | None, typer.Option(min=1, help="Tensor parallelism.")] = None,
    pp: Annotated[int | None, typer.Option(min=1, help="Pipeline stages; default 1.")] = None,
    ep: Annotated[int | None, typer.Option(min=1, help="Expert parallelism; default 1.")] = None,
    dp_attention: Annotated[int | None, typer.Option(min=1, help="Attention data parallelism; default 1.")] = None,
    weights: Annotated[str | None, typer.Option(metavar="FORMAT", help="Default: the checkpoint's own.")] = None,
    kv: Annotated[str | None, typer.Option(metavar="FORMAT", help="Format of the KV cache; default bf16.")] = None,
    concurrency: Annotated[float | None, typer.Option(help="Clients that each wait for their answer.")] = None,
    request_rate: Annotated[float | None, typer.Option(help="Arrivals per second.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="LAYER",
            help="Calibration file to add to, or directory of --measure; default: yours.",
        ),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(metavar="REPORTS.jsonl", help="Also write the results as llm-d benchmark reports, one a line."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Correct the step times of a model on a part by results that you measured.

    Reads vllm bench serve and sweep, SGLang bench_serving, aiperf, GuideLLM, inference-perf, llm-d benchmark reports,
    llmperf, and dashboards in seconds. `solve` and `predict` use the file with --calibration. With --measure, matrix
    products, attention, experts, copies and launches of the GPU at hand are timed and held against the catalog.
    """
    if measure:
        stated_of_results = {
            "RESULTS": results, "--model": model, "--gpus": gpus, "--engine": engine, "--tp": tp, "--pp": pp,
            "--ep": ep, "--dp-attention": dp_attention, "--weights": weights, "--kv": kv, "--concurrency": concurrency,
            "--request-rate": request_rate, "--export": export,
        }  # fmt: skip
        for name, value in stated_of_results.items():
            if value:
                raise typer.BadParameter("this goes with results of a benchmark, not with --measure", param_hint=name)
        _measure(gpu, out, as_json=as_json)
        return
    if not results:
        raise typer.BadParameter("RESULTS… that a benchmark tool wrote, or --measure", param_hint="calibrate")
    with exit_codes():
        import os
        from dataclasses import asdict
        from datetime import date

        from catalog.read import load
        from optimizer.calibration.calibrate import InputFile
        from optimizer.calibration.calibrate import calibrate as calibrated
        from optimizer.calibration.layer import default_path, read_files, store, write_reports
        from optimizer.calibration.observe import Stated
        from optimizer.deliver.calibration import calibration_text

        stated = Stated(
            model=model,
            gpu=gpu,
            gpus=gpus,
            engine=engine,
            tp=tp,
            pp=pp,
            ep=ep,
            dp_attention=dp_attention,
            weights=weights,
            kv=kv,
            concurrency=concurrency,
            request_rate=request_rate,
        )
        files = [InputFile(str(path), data) for path, data in read_files(results)]
        found = calibrated(files, stated, load(), date.today())
        path = out if out is not None else default_path(os.environ, Path.home())
        if export is not None:
            write_reports(export, found.results)
        stored = store(path, [each.correction for each in found.calibrations])
        if as_json:
            answer = {
                "schema_version": SCHEMA_VERSION,
                "corrections": [each.correction.model_dump(mode="json") for each in found.calibrations],
                "notes": [f"{result.source}: {note}" for result in found.results for note in result.notes],
                "left_out": [reason for each in found.calibrations for reason in each.left_out],
                "out": str(path),
                **asdict(stored),
            }
            typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        else:
            typer.echo(calibration_text(found, stored, str(path)))


def _measure(gpu: str | None, out: Path | None, *, as_json: bool) -> None:
    with exit_codes():
        import os
        from dataclasses import asdict

        from catalog.read import load
        from optimizer.calibration.layer import default_path
        from optimizer.calibration.measuring import measure_kernels
        from optimizer.calibration.score.kernels import measured_section
        from optimizer.calibration.score.render import text

        found = measure_kernels(gpu, out, default_path(os.environ, Path.home()).parent, load())
        if as_json:
            answer = {
                "schema_version": SCHEMA_VERSION,
                "accelerator": found.part.id,
                "kernels": [asdict(each) for each in found.agreements],
                "out": str(found.folder),
            }
            typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        else:
            typer.echo(f"{text(measured_section(found.agreements))}seconds of every shape are in {found.folder}")
