"""Laws of counting, on drawn configs; no text and no value makes the reader fail in any other way than by a refusal."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.errors import FileError
from catalog.huggingface import read_model
from catalog.models import Model
from catalog.read import load
from tests.catalog.huggingface.conftest import CONFIGS

FIXTURES = sorted(path.stem for path in CONFIGS.glob("*.json"))
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**12),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
)
in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(folder: Path, fields: dict[str, Any]) -> Model:
    path = folder / "config.json"
    path.write_text(json.dumps(fields), encoding="utf-8")
    return read_model(path, "own", load().formats).model


def read_or_refusal(folder: Path, fields: dict[str, Any]) -> Model | FileError:
    try:
        return read(folder, fields)
    except FileError as error:
        return error


def fields_of(fixture: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CONFIGS / f"{fixture}.json").read_text(encoding="utf-8"))
    return found


@in_one_folder
@given(st.data(), st.sampled_from(FIXTURES), ODD)
def test_any_value_of_any_field_is_read_or_refused(
    tmp_path: Path, data: st.DataObject, fixture: str, value: object
) -> None:
    fields = fields_of(fixture)
    key = data.draw(st.sampled_from(sorted(fields)))
    inner = fields[key]
    if isinstance(inner, dict) and inner:
        inner[data.draw(st.sampled_from(sorted(inner)))] = value
    else:
        fields[key] = value
    found = read_or_refusal(tmp_path, fields)
    if isinstance(found, FileError):
        assert "config.json" in str(found)
        assert all(line.isprintable() for line in str(found).split("\n"))
    else:
        assert 0 < found.active_parameters <= found.total_parameters
        assert found.windowed_layers <= found.layers == found.dense_layers + found.expert_layers


@in_one_folder
@given(st.binary(max_size=60))
def test_any_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(FileError):
        read_model(path, "own", load().formats)


@in_one_folder
@given(
    st.integers(1, 64),
    st.sampled_from((8, 16, 32)),
    st.sampled_from((1, 2, 4, 8)),
    st.integers(1, 64),
    st.integers(2, 50_000),
    st.integers(1, 8),
    st.booleans(),
)
def test_counts_grow_with_layers_and_experts_only_where_they_should(
    tmp_path: Path, layers: int, heads: int, kv_heads: int, width: int, vocab: int, active: int, tied: bool
) -> None:
    fields = fields_of("mixtral_8x7b") | {
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "hidden_size": 64 * heads,
        "intermediate_size": width,
        "vocab_size": vocab,
        "num_experts_per_tok": active,
        "tie_word_embeddings": tied,
    }
    one, deeper = read(tmp_path, fields), read(tmp_path, fields | {"num_hidden_layers": layers + 1})
    wider = read(tmp_path, fields | {"num_local_experts": 9})
    hidden, block = 64 * heads, 3 * 64 * heads * width
    attention = 2 * hidden * hidden + 2 * hidden * 64 * kv_heads
    assert deeper.total_parameters - one.total_parameters == attention + 8 * block + 8 * hidden
    assert deeper.active_parameters - one.active_parameters == attention + active * block + 8 * hidden
    assert wider.total_parameters - one.total_parameters == layers * (block + hidden)
    assert wider.active_parameters - one.active_parameters == layers * hidden
    all_active = read(tmp_path, fields | {"num_experts_per_tok": 8})
    assert all_active.total_parameters - all_active.active_parameters == (0 if tied else vocab * hidden)
