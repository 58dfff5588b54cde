import pytest

from catalog.read import Snapshot
from optimizer.arithmetic.transformer import kv_elements_per_token, parameters


@pytest.mark.parametrize(
    ("model", "bytes_per_token"),
    [("llama-3.1-8b", 131_072), ("llama-3.1-70b", 327_680), ("qwen3-32b", 262_144), ("deepseek-v3", 70_272)],
)
def test_published_kv_bytes_per_token_at_bf16(snapshot: Snapshot, model: str, bytes_per_token: int) -> None:
    found = snapshot.model(model)
    assert found.layers * kv_elements_per_token(found) * 2 == bytes_per_token


def test_components_sum_to_the_total_of_every_counted_model(snapshot: Snapshot) -> None:
    for model in (model for model in snapshot.models.values() if model.uncounted is None):
        count = parameters(model)
        total = (
            model.layers * (count.attention_sharded + count.attention_kv + count.attention_replicated)
            + model.dense_layers * count.dense
            + model.expert_layers * (count.experts + count.shared + count.router)
            + count.embedding
            + count.head
            + count.other
        )
        assert total == model.total_parameters
        assert count.other <= 0.01 * total


def test_llama_70b_layers_by_hand(snapshot: Snapshot) -> None:
    count = parameters(snapshot.model("llama-3.1-70b"))
    assert count.attention_sharded == 2 * 8192 * 8192
    assert count.attention_kv == 2 * 8192 * 8 * 128
    assert count.dense == 3 * 8192 * 28672
    assert count.head == 128256 * 8192


def test_more_matrices_than_the_catalog_counts_is_an_error(snapshot: Snapshot) -> None:
    model = snapshot.model("llama-3.1-8b").model_copy(update={"total_parameters": 1_000_000})
    with pytest.raises(ValueError, match="the catalog says 1000000"):
        parameters(model)
