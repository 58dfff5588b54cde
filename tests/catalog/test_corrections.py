import json
from pathlib import Path

import pytest

from catalog.corrections import (
    Change,
    Correction,
    FirstTokenFactors,
    Layer,
    MeasuredLoad,
    corrected_engine,
    read_layer,
    with_layer,
)
from catalog.errors import CatalogError
from catalog.read import load


def correction(**changes: object) -> Correction:
    values: dict[str, object] = {
        "model": "llama-3.1-8b", "accelerator": "h100-sxm-80gb", "engine": "vllm", "step_factors": {"bf16": 1.25},
        "prefill_factor": 0.8, "first_token": FirstTokenFactors.alike(1.5), "step_deviation": 0.1, "tp": (1,),
        "results": 6, "load": MeasuredLoad.CLOSED_LOOP, "tpot_error": Change(before=0.3, after=0.1),
        "ttft_error": Change(before=0.4, after=0.2), "tools": ("vllm bench serve",), "files": (),
        "as_of": "2026-11-26", "catalog_hash": "x",
    }  # fmt: skip
    return Correction.model_validate(values | changes)


def written(path: Path, *corrections: Correction) -> Path:
    path.write_text(Layer(corrections=corrections).model_dump_json(), encoding="utf-8")
    return path


def test_a_layer_comes_back_as_it_was_written(tmp_path: Path) -> None:
    layer = read_layer(written(tmp_path / "layer.json", correction(), correction(engine="sglang")))
    assert layer.corrections == (correction(), correction(engine="sglang"))
    corrected = with_layer(load(), tmp_path / "layer.json")
    assert set(corrected.corrections) == {correction().group, correction(engine="sglang").group}
    assert not load().corrections


def test_the_engine_is_scaled_and_its_memory_is_not() -> None:
    engine = load().engines["vllm"]
    assert corrected_engine(engine, 1.0, 1.0, FirstTokenFactors.alike(1.0)) == engine
    assert corrected_engine(engine, 1.0, 1.0, None) == engine
    found = correction().applied_to(engine, "bf16", "")
    assert found.kernel_scale == 1.25 * engine.kernel_scale
    assert found.step_s == 1.25 * engine.step_s
    assert found.prefill_event_s == pytest.approx(1.25 * 0.8 * engine.prefill_event_s)
    assert found.own_prefill_factor * found.prefill_factor == pytest.approx(
        1.5 * engine.own_prefill_factor * engine.prefill_factor
    )
    kept = {"id", "library", "memory_fraction", "overhead_bytes", "kv_block_tokens", "prefill_chunk_tokens"}
    assert all(getattr(found, name) == getattr(engine, name) for name in kept)


def test_a_layer_of_version_1_is_read_as_it_was_meant(tmp_path: Path) -> None:
    layer = json.loads(Layer(corrections=(correction(),)).model_dump_json())
    layer["schema_version"] = 1
    old = layer["corrections"][0]
    del old["stacks"]
    old["step_factors"] = {"bf16": 1.25}
    old["first_token_factor"] = 1.5
    path = tmp_path / "layer.json"
    path.write_text(json.dumps(layer), encoding="utf-8")
    (found,) = read_layer(path).corrections
    assert found == correction()
    engine = load().engines["sglang"]
    applied = found.applied_to(engine, "bf16", "")
    for name in ("host_s", "extra_steps", "burst_share"):
        assert getattr(applied, name) == pytest.approx(1.5 * getattr(engine, name))
    old["first_token_factor"] = -1.0
    path.write_text(json.dumps(layer), encoding="utf-8")
    with pytest.raises(CatalogError, match=r"corrections\.0\.stacks\.0\.first_token\.fixed"):
        read_layer(path)


def test_a_layer_of_version_2_gives_every_format_the_one_first_token(tmp_path: Path) -> None:
    layer = json.loads(Layer(corrections=(correction(),)).model_dump_json())
    layer["schema_version"] = 2
    old = layer["corrections"][0]
    first_token = old.pop("stacks")[0]["first_token"]
    old |= {"step_factors": {"bf16": 1.25, "fp8": 1.1}, "first_token": first_token}
    path = tmp_path / "layer.json"
    path.write_text(json.dumps(layer), encoding="utf-8")
    (found,) = read_layer(path).corrections
    assert [(each.weights, each.engine_version, each.step) for each in found.stacks] == [
        ("bf16", "", 1.25),
        ("fp8", "", 1.1),
    ]
    assert all(each.first_token == FirstTokenFactors.alike(1.5) for each in found.stacks)


def test_the_own_version_corrects_or_else_the_newest() -> None:
    stacks = [
        {"weights": "bf16", "engine_version": version, "step": step, "first_token": None}
        for version, step in (("", 1.0), ("0.9.2", 1.1), ("0.12", 1.2))
    ]
    values = correction().model_dump() | {"stacks": stacks}
    found = Correction.model_validate(values)
    steps = {}
    for version in ("0.9.2", "0.11", ""):
        stack = found.stack_of("bf16", version)
        assert stack is not None
        steps[version] = stack.step
    assert steps == {"0.9.2": 1.1, "0.11": 1.2, "": 1.0}
    assert found.stack_of("fp8", "") is None
    with pytest.raises(KeyError):
        found.applied_to(load().engines["vllm"], "fp8", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Invalid JSON.*a calibration file is what `roofplan calibrate"),
        ("[]", "layer.json: "),
        ('{"schema_version": 4}', "schema_version: Input should be 1, 2 or 3"),
        ('{"surprise": 1}', "surprise: Extra inputs are not permitted"),
    ],
)
def test_a_file_that_is_no_layer_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "layer.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError, match=message):
        read_layer(path)


@pytest.mark.parametrize("bad", [0.0, -1.0, None])
def test_a_factor_must_be_positive(tmp_path: Path, bad: float | None) -> None:
    layer = json.loads(Layer(corrections=(correction(),)).model_dump_json())
    layer["corrections"][0]["prefill_factor"] = bad
    path = tmp_path / "layer.json"
    path.write_text(json.dumps(layer), encoding="utf-8")
    with pytest.raises(CatalogError, match=r"corrections\.0\.prefill_factor"):
        read_layer(path)


def test_unknown_names_a_repeated_group_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "layer.json"
    with pytest.raises(CatalogError, match=r"cannot be read: No such file"):
        read_layer(path)
    with pytest.raises(CatalogError, match=r"llama-3\.1-8b, h100-sxm-80gb, vllm stands there twice"):
        read_layer(written(path, correction(), correction()))
    for changes, message in (
        ({"model": "gpt-9"}, "no model 'gpt-9'"),
        ({"accelerator": "h9"}, "no accelerator 'h9'"),
        ({"engine": "e"}, "no engine 'e'"),
        ({"step_factors": {"fp3": 1.0}}, "no format 'fp3'"),
    ):
        with pytest.raises(CatalogError, match=message):
            with_layer(load(), written(path, correction(**changes)))
