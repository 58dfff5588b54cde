from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from catalog.read import load
from optimizer.calibration import argonne, silicon, splitwise, tensorrt_llm
from optimizer.calibration.fit import Runs, fit_engine, log_errors, priors_of, runs_of, with_engine
from optimizer.calibration.throughput import ThroughputCase, predict_throughput

TRUTH = {"kernel_scale": 1.05, "step_s": 2e-3, "sequence_s": 30e-6, "layer_s": 20e-6}
ERA = "vllm-2024"
ROCM_TRUTH = {
    "kernel_scale": 1.2, "step_s": 1e-3, "sequence_s": 60e-6, "layer_s": 20e-6, "eager_layer_s": 250e-6,
    "older_host_factor": 1.4, "product_flop_s": 7e-15,
}  # fmt: skip


def runs_at(
    truth: Mapping[str, float], noise: float, era: str = ERA, parts: Sequence[str] = ("h100-sxm-80gb",)
) -> Runs:
    """Static batches of three models, as an engine with the constants `truth` would run them."""
    draw = np.random.default_rng(5)
    cases = [
        ThroughputCase(
            f"{part} {model} {tp} {batch} {length}",
            {
                "case_id": "a", "model": model, "accelerator": part, "accelerators": tp, "tp": tp,
                "engine": era, "weights_format": "bf16", "kv_format": "bf16",
                "prompt_tokens": length, "output_tokens": length,
            },
            batch,
            1.0,
        )
        for part in parts
        for model in ("llama-3.1-8b", "llama-2-7b", "qwen3-32b")
        for tp in ("1", "2", "4")
        for batch in (1, 16, 64)
        for length in ("128", "1024")
    ]  # fmt: skip
    found = predict_throughput(cases, with_engine(load(), era, dict(truth)))
    runs = []
    for case, each in zip(cases, found, strict=True):
        if each.tokens_per_s is not None:
            measured = each.tokens_per_s * float(np.exp(draw.normal(0, noise)))
            runs.append(ThroughputCase(case.case_id, case.cells, case.batch, measured))
    return Runs((), tuple(runs))


def test_constants_that_made_the_runs_are_found_again() -> None:
    fit = fit_engine(ERA, runs_at(TRUTH, noise=0.0), load())
    for name, value in TRUTH.items():
        # the time per layer is a small part of these steps, so its prior keeps some hold of it
        assert fit.constants[name] == pytest.approx(value, rel=0.2 if name == "layer_s" else 0.1), name
    assert max(abs(each.log_error) for each in fit.left_out) < 0.05


def test_constants_of_rocm_are_found_again_from_both_parts() -> None:
    parts = "mi300x-192gb", "mi250x-128gb"
    runs = runs_at(ROCM_TRUTH, 0.0, "vllm-2024-rocm", parts)
    fit = fit_engine("vllm-2024-rocm", runs, load())
    assert list(fit.constants) == list(ROCM_TRUTH)
    for name in ("eager_layer_s", "older_host_factor"):
        assert fit.constants[name] == pytest.approx(ROCM_TRUTH[name], rel=0.1), name
    # only their product shows in most of these steps, so the prior of the scale divides it
    row_s = fit.constants["kernel_scale"] * fit.constants["product_flop_s"]
    assert row_s == pytest.approx(ROCM_TRUTH["kernel_scale"] * ROCM_TRUTH["product_flop_s"], rel=0.05)
    assert np.median([abs(each.log_error) for each in fit.left_out]) < 0.05
    assert set(fit.errors(lambda each: each.part)) == set(parts)
    assert fit_engine("vllm-2024-rocm", runs, load()) == fit


def test_an_era_has_the_constants_of_its_laws_alone() -> None:
    engines = load().engines
    assert len(priors_of(engines["vllm-2024"])) == 4
    assert set(priors_of(engines["vllm-2024-rocm"])) == set(ROCM_TRUTH)
    assert set(priors_of(engines["vllm-2023"])) == set(ROCM_TRUTH) - {"product_flop_s"}


def test_parts_of_estimated_kernels_tell_only_of_eras_that_ran_on_no_other(monkeypatch) -> None:
    on = {"vllm-2024": ("h100-sxm-80gb", "gaudi2"), "vllm-2024-rocm": ("mi300x-192gb", "mi250x-128gb")}
    cases = tuple(case for era, parts in on.items() for case in runs_at({}, 0.0, era, parts).throughput)
    monkeypatch.setattr(argonne, "read_static_batches", lambda *_: cases)
    for other in (tensorrt_llm.read_overview, silicon.read_silicon, splitwise.read_profile):
        monkeypatch.setattr(f"{other.__module__}.{other.__name__}", lambda *_: ())
    told = {era: {run.cells["accelerator"] for run in runs_of(era, Path(), load())} for era in on}
    assert told == {"vllm-2024": {"h100-sxm-80gb"}, "vllm-2024-rocm": {"mi300x-192gb", "mi250x-128gb"}}


def test_noise_is_not_fitted_and_every_model_was_left_out_once() -> None:
    runs = runs_at(TRUTH, noise=0.05)
    fit = fit_engine(ERA, runs, load())
    after = [abs(error) for error in log_errors(runs, with_engine(load(), ERA, fit.constants))]
    assert 0.02 < np.median(after) < 0.06
    assert sorted(each.group for each in fit.left_out) == sorted(runs.groups)


def test_a_fit_starts_from_the_priors_whatever_the_catalog_holds() -> None:
    runs = runs_at(TRUTH, noise=0.05)
    elsewhere = with_engine(load(), ERA, {"kernel_scale": 2.0, "step_s": 1e-4, "sequence_s": 1e-4, "layer_s": 1e-6})
    assert fit_engine(ERA, runs, elsewhere) == fit_engine(ERA, runs, load())


def test_constants_far_from_their_priors_are_reached_though_whole_steps_overshoot() -> None:
    far = {name: value if name == "kernel_scale" else 30.0 * value for name, value in TRUTH.items()}
    runs = runs_at(far, noise=0.0)
    fit = fit_engine(ERA, runs, load())
    assert max(map(abs, log_errors(runs, with_engine(load(), ERA, fit.constants)))) < 0.05
