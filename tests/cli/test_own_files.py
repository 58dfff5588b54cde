"""Models and parts from files of the user's own, through the commands."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ran

Run = Callable[..., Ran]
SpecFile = Callable[..., Path]
CONFIG = {
    "model_type": "mistral",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 32768,
    "max_position_embeddings": 32768,
    "sliding_window": None,
    "torch_dtype": "bfloat16",
}
CASES = """\
case_id,model,accelerator,accelerators,engine,prompt_tokens,output_tokens,concurrency
own,./config.json,h100-sxm-80gb,1,vllm,512,200,8
listed,mistral-7b-v0.3,h100-sxm-80gb,1,vllm,512,200,8
gone,./none.json,h100-sxm-80gb,1,vllm,512,200,8
hub,org/none,h100-sxm-80gb,1,vllm,512,200,8
"""


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[..., Path]:
    """Write the config, with fields changed, beside the specification."""

    def write(**changes: Any) -> Path:
        path = tmp_path / "config.json"
        path.write_text(json.dumps(CONFIG | changes, indent=1), encoding="utf-8")
        return path

    return write


def test_a_model_from_a_file_is_answered_and_named(
    run: Run, spec_file: SpecFile, write_config: Callable[..., Path]
) -> None:
    write_config()
    spec = spec_file("llama-3.1-8b", "./config.json")
    report = run("solve", str(spec))
    assert (report.code, report.err) == (0, "")
    assert "model ./config.json (7.25B parameters, bf16)" in report.out
    found = json.loads(run("solve", str(spec), "--json").out)
    assert found["proved"] is True
    (assumed,) = (each for each in found["assumed"] if each["key"] == "model")
    assert assumed["why"].startswith("counted from the mistral config ./config.json (sha256 ")
    listed = json.loads(run("solve", str(spec_file("llama-3.1-8b", "mistral-7b-v0.3")), "--json").out)
    assert listed["design"] == found["design"]
    assert listed["catalog_hash"] == found["catalog_hash"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_key_value_heads": 7}, ["config.json:7: num_key_value_heads", "read: 7", "did you mean: 8"]),
        ({"model_type": "mamba2"}, ["config.json:2: model_type: mamba2 cannot be counted"]),
        ({"hidden_size": float("nan")}, ["config.json:3: hidden_size", "read: NaN"]),
        ({"num_hidden_layers": None}, ["num_hidden_layers: null is given", "from 1 to 1,000"]),
    ],
)
def test_a_bad_config_ends_with_2_and_says_what_to_change(
    run: Run, spec_file: SpecFile, write_config: Callable[..., Path], changes: dict[str, Any], said: list[str]
) -> None:
    write_config(**changes)
    ran = run("solve", str(spec_file("llama-3.1-8b", "./config.json")), "--json")
    assert (ran.code, ran.out) == (2, "")
    assert "small.yaml:3:8: model: " in ran.err
    for part in said:
        assert part in ran.err


def test_a_context_shorter_than_the_requests_is_bad_input(
    run: Run, spec_file: SpecFile, write_config: Callable[..., Path]
) -> None:
    write_config(max_position_embeddings=512)
    ran = run("solve", str(spec_file("llama-3.1-8b", "./config.json")))
    assert (ran.code, ran.out) == (2, "")
    assert "the context of ./config.json holds 512" in ran.err


def test_a_hub_id_without_the_extra_ends_with_2(run: Run, spec_file: SpecFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    ran = run("solve", str(spec_file("llama-3.1-8b", "org/own-model")))
    assert (ran.code, ran.out) == (2, "")
    assert "pip install 'roofplan[hub]'" in ran.err


def test_a_bad_custom_part_ends_with_2(run: Run, spec_file: SpecFile, tmp_path: Path) -> None:
    (tmp_path / "parts.yaml").write_text("acme-x1: {memory: 96}\n", encoding="utf-8")
    spec = spec_file("providers: [lambda, runpod]", "custom_accelerators: parts.yaml")
    ran = run("solve", str(spec))
    assert (ran.code, ran.out) == (2, "")
    assert "small.yaml:12:24: inventory.custom_accelerators: " in ran.err


def test_predict_reads_models_beside_its_cases(
    run: Run, tmp_path: Path, write_config: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    write_config()
    cases, out = tmp_path / "cases.csv", tmp_path / "out.csv"
    cases.write_text(CASES, encoding="utf-8")
    ran = run("predict", str(cases), "-o", str(out))
    assert (ran.code, ran.err) == (0, "")
    with out.open(encoding="utf-8", newline="") as file:
        own, listed, gone, hub = csv.DictReader(file)
    assert own["status"] == listed["status"] == "ok"
    assert own["tpot_mean_s"] == listed["tpot_mean_s"]
    assert (gone["status"], hub["status"]) == ("unsupported", "unsupported")
    assert "cannot be read" in gone["reason"]
    assert "roofplan[hub]" in hub["reason"]
