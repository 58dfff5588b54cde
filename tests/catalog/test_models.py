import pytest

from catalog.authoring.files import read_csv
from catalog.authoring.tables import MODEL_COLUMNS, read_published_parameters
from catalog.models import Attention
from catalog.parameters import active_parameters, total_parameters
from catalog.read import DATA_DIR, Snapshot
from catalog.sources import source_ids


def test_parameter_counts_are_those_that_publishers_state(snapshot: Snapshot) -> None:
    published = read_published_parameters(DATA_DIR)
    assert len(published) >= 20
    for name, stated in published.items():
        assert total_parameters(snapshot.models[name]) == pytest.approx(stated, rel=0.005), name


def test_published_counts_have_a_source(snapshot: Snapshot) -> None:
    for _, row in read_csv(DATA_DIR / "models" / "models.csv", MODEL_COLUMNS):
        assert bool(row["published_parameters"]) == bool(row["published_source"])
        assert not row["published_source"] or set(source_ids(row["published_source"])) <= set(snapshot.sources)


def test_stated_counts_are_the_counted_ones(snapshot: Snapshot) -> None:
    for model in snapshot.models.values():
        if model.uncounted is None:
            assert model.total_parameters == pytest.approx(total_parameters(model), rel=1e-3), model.id
            assert model.active_parameters == pytest.approx(active_parameters(model), rel=1e-3), model.id


def test_what_cannot_be_counted_says_so(snapshot: Snapshot) -> None:
    uncounted = {model.id for model in snapshot.models.values() if model.uncounted}
    assert uncounted == {"gopher-280b", "chinchilla-70b"}


def test_contexts_and_windows(snapshot: Snapshot) -> None:
    models = snapshot.models
    assert models["mistral-7b-v0.1"].max_context == 32768
    assert (models["mistral-7b-v0.1"].window, models["mistral-7b-v0.1"].windowed_layers) == (4096, 32)
    assert (models["phi-4-mini"].window, models["phi-4-mini"].windowed_layers) == (0, 0)
    assert (models["gpt-oss-120b"].window, models["gpt-oss-120b"].windowed_layers) == (128, 18)
    assert (models["gemma-3-27b"].window, models["gemma-3-27b"].windowed_layers) == (1024, 52)


@pytest.mark.parametrize("name", ["deepseek-v3", "deepseek-r1", "kimi-k2-instruct"])
def test_latent_attention_with_block_fp8_weights(snapshot: Snapshot, name: str) -> None:
    model = snapshot.models[name]
    assert model.attention is Attention.MLA
    assert model.kv_lora_rank + model.qk_rope_head_dim == 576
    assert model.native_format == "fp8_block"
    assert model.shared_experts == 1
    assert model.dense_layers + model.expert_layers == 61


def test_native_formats(snapshot: Snapshot) -> None:
    assert snapshot.models["gpt-oss-120b"].native_format == "mxfp4"
    assert snapshot.models["llama-3.1-70b"].native_format == "bf16"
    assert {model.native_format for model in snapshot.models.values()} <= set(snapshot.formats)
