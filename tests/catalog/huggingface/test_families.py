"""Configs as publishers ship them: every dimension, the parameters, the stored format."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from catalog.authoring.tables import read_published_parameters
from catalog.check_models import check_model
from catalog.huggingface import read_model
from catalog.huggingface.families import FAMILIES
from catalog.models import Architecture, Model
from catalog.parameters import total_parameters
from catalog.read import DATA_DIR, Snapshot, load
from tests.catalog.huggingface.config_fields import config_of, has_config
from tests.catalog.huggingface.conftest import CONFIGS, WriteConfig

# A fixture and the model of the catalog that it describes, with the fields in which the two sources differ.
SAME: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "llama_3_1_8b": ("llama-3.1-8b", {}),
    "mistral_7b_v0_1": ("mistral-7b-v0.1", {}),
    "mixtral_8x7b": ("mixtral-8x7b", {}),
    "qwen2_5_7b": ("qwen2.5-7b", {}),
    "qwen3_8b": ("qwen3-8b", {}),
    "qwen3_30b_a3b": ("qwen3-30b-a3b", {}),
    "qwen3_vl_2b": ("qwen3-1.7b", {"max_context": 262144}),
    "deepseek_v2_lite": ("deepseek-v2-lite", {}),
    "deepseek_v3": ("deepseek-v3", {}),
    "kimi_k2": ("kimi-k2-instruct", {}),
    "gemma_2_9b": ("gemma-2-9b", {}),
    "gemma_3_1b": ("gemma-3-1b", {}),
    "gemma_3_27b": ("gemma-3-27b", {"vocab": 262208}),
    "phi_3_mini": ("phi-3-mini", {"window": 2047}),
    "phi_4_mini": ("phi-4-mini", {}),
    "gpt_oss_120b": ("gpt-oss-120b", {}),
    "glm_4_5_air": ("glm-4.5-air", {}),
}
NAMED = ("id", "hf_id", "family")
MODELS = [name for name, model in load().models.items() if has_config(model)]


def dimensions(model: Model) -> dict[str, object]:
    return {name: getattr(model, name) for name in Architecture.model_fields if name not in NAMED}


def test_at_least_twelve_families_are_read() -> None:
    types = {
        fields.get("text_config", fields)["model_type"]
        for fields in (json.loads(path.read_text(encoding="utf-8")) for path in CONFIGS.glob("*.json"))
    }
    assert types <= set(FAMILIES)
    assert len(types) >= 12


def test_every_fixture_is_compared() -> None:
    assert {path.stem for path in CONFIGS.glob("*.json")} == {*SAME, "qwen2_57b_a14b"}


@pytest.mark.parametrize("fixture", SAME)
def test_a_published_config_gives_the_model_of_the_catalog(snapshot: Snapshot, fixture: str) -> None:
    known, differences = SAME[fixture]
    listed = snapshot.models[known]
    model = read_model(CONFIGS / f"{fixture}.json", "own", snapshot.formats).model
    assert dimensions(model) == dimensions(listed) | differences
    assert model.native_format == listed.native_format
    assert model.total_parameters == pytest.approx(listed.total_parameters, rel=1e-3)


def test_a_shared_expert_wider_than_a_routed_one_counts_as_several(snapshot: Snapshot) -> None:
    model = read_model(CONFIGS / "qwen2_57b_a14b.json", "own", snapshot.formats).model
    assert (model.experts, model.active_experts, model.shared_experts, model.expert_ffn) == (64, 8, 8, 2560)
    assert model.qkv_bias
    assert model.total_parameters == pytest.approx(57.41e9, rel=0.005)
    assert model.active_parameters == pytest.approx(14e9, rel=0.03)


@pytest.mark.parametrize("name", MODELS)
def test_every_dimension_of_the_catalog_survives_its_config(
    snapshot: Snapshot, write_config: WriteConfig, name: str
) -> None:
    listed = snapshot.models[name]
    path = write_config("llama_3_1_8b")
    path.write_text(json.dumps(config_of(listed)), encoding="utf-8")
    read = read_model(path, name, snapshot.formats)
    assert dimensions(read.model) == dimensions(listed)
    assert read.model.native_format == listed.native_format
    assert read.model.total_parameters == total_parameters(listed)
    assert list(check_model(read.model, snapshot.formats)) == []
    assert read.taken == ()


def test_published_counts_follow_from_config_fields(snapshot: Snapshot, write_config: WriteConfig) -> None:
    published = read_published_parameters(DATA_DIR)
    assert len(published) >= 20
    for name, stated in published.items():
        path = write_config("llama_3_1_8b")
        path.write_text(json.dumps(config_of(snapshot.models[name])), encoding="utf-8")
        counted = read_model(path, name, snapshot.formats).model.total_parameters
        assert counted == pytest.approx(stated, rel=0.005), name


def test_all_models_of_the_catalog_are_counted_from_their_dimensions(snapshot: Snapshot) -> None:
    assert len(snapshot.models) == 65
    assert len(MODELS) == 53
    counted = [model for model in snapshot.models.values() if model.uncounted is None]
    assert len(counted) == 63
    for model in counted:
        bare = Architecture.model_validate({name: getattr(model, name) for name in Architecture.model_fields})
        assert total_parameters(bare) == pytest.approx(model.total_parameters, rel=1e-3), model.id
