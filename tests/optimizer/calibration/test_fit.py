from collections.abc import Mapping

import numpy as np
import pytest

from catalog.read import load
from optimizer.calibration.fit import Runs, fit_engine, log_errors, with_engine
from optimizer.calibration.throughput import ThroughputCase, predict_throughput

TRUTH = {"kernel_scale": 1.05, "step_s": 2e-3, "sequence_s": 30e-6, "layer_s": 20e-6}
ERA = "vllm-2024"


def runs_at(truth: Mapping[str, float], noise: float) -> Runs:
    """Static batches of three models, as an engine with the constants `truth` would run them."""
    draw = np.random.default_rng(5)
    cases = [
        ThroughputCase(
            f"{model} {tp} {batch} {length}",
            {
                "case_id": "a", "model": model, "accelerator": "h100-sxm-80gb", "accelerators": tp, "tp": tp,
                "engine": ERA, "weights_format": "bf16", "kv_format": "bf16",
                "prompt_tokens": length, "output_tokens": length,
            },
            batch,
            1.0,
        )
        for model in ("llama-3.1-8b", "llama-2-7b", "qwen3-32b")
        for tp in ("1", "2", "4")
        for batch in (1, 16, 64)
        for length in ("128", "1024")
    ]  # fmt: skip
    found = predict_throughput(cases, with_engine(load(), ERA, dict(truth)))
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
    assert max(error for errors in fit.left_out.values() for error in errors) < 0.05


def test_noise_is_not_fitted_and_every_model_was_left_out_once() -> None:
    runs = runs_at(TRUTH, noise=0.05)
    fit = fit_engine(ERA, runs, load())
    after = [abs(error) for error in log_errors(runs, with_engine(load(), ERA, fit.constants))]
    assert 0.02 < np.median(after) < 0.06
    assert set(fit.left_out) == set(runs.groups)
    assert sum(len(errors) for errors in fit.left_out.values()) == len(runs.groups)


def test_a_fit_starts_from_the_priors_whatever_the_catalog_holds() -> None:
    runs = runs_at(TRUTH, noise=0.05)
    elsewhere = with_engine(load(), ERA, {"kernel_scale": 2.0, "step_s": 1e-4, "sequence_s": 1e-4, "layer_s": 1e-6})
    assert fit_engine(ERA, runs, elsewhere) == fit_engine(ERA, runs, load())


def test_constants_far_from_their_priors_are_reached_though_whole_steps_overshoot() -> None:
    far = {name: value if name == "kernel_scale" else 30.0 * value for name, value in TRUTH.items()}
    runs = runs_at(far, noise=0.0)
    fit = fit_engine(ERA, runs, load())
    assert max(map(abs, log_errors(runs, with_engine(load(), ERA, fit.constants)))) < 0.05
