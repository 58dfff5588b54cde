import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catalog.huggingface import ConfigModel, read_model
from catalog.read import Snapshot

CONFIGS = Path(__file__).parent / "configs"
WriteConfig = Callable[..., Path]
Refused = Callable[..., str]


@pytest.fixture
def write_config(tmp_path: Path) -> WriteConfig:
    """Write a fixture's config with fields changed; a field of `None` is taken away, `...` is written as null."""

    def write(name: str, **changes: Any) -> Path:
        fields = json.loads((CONFIGS / f"{name}.json").read_text(encoding="utf-8")) | changes
        kept = {key: None if value is ... else value for key, value in fields.items() if value is not None}
        path = tmp_path / "config.json"
        path.write_text(json.dumps(kept, indent=2), encoding="utf-8")
        return path

    return write


@pytest.fixture
def read(snapshot: Snapshot, write_config: WriteConfig) -> Callable[..., ConfigModel]:
    """Read a fixture's config with fields changed."""
    return lambda name, **changes: read_model(write_config(name, **changes), "own", snapshot.formats)
