from pathlib import Path

import pytest

from catalog.compile import compile_snapshot, serialise
from catalog.errors import CatalogError
from catalog.read import DATA_DIR, SNAPSHOT_NAME, Content, Snapshot, parse_snapshot


@pytest.fixture(scope="module")
def compiled() -> bytes:
    return compile_snapshot(DATA_DIR)


def test_the_committed_snapshot_is_a_fresh_compile(compiled: bytes) -> None:
    assert (DATA_DIR / SNAPSHOT_NAME).read_bytes() == compiled, "run: python -m catalog.compile"


def test_content_survives_the_round_trip(compiled: bytes, snapshot: Snapshot) -> None:
    content = Content(**{name: getattr(snapshot, name) for name in Content.model_fields})
    assert serialise(content) == compiled


def test_the_hash_covers_the_content(compiled: bytes) -> None:
    assert parse_snapshot(compiled).hash == compiled[9:73].decode()
    tampered = compiled.replace(b'"usd_micro_per_hour":', b'"usd_micro_per_hour":1', 1)
    with pytest.raises(CatalogError, match=r"python -m catalog\.compile"):
        parse_snapshot(tampered)


@pytest.mark.parametrize("data", [b"", b"{}", b"not a snapshot", b'{"hash":"' + b"\xff" * 64 + b'","a":1}'])
def test_a_file_that_is_no_snapshot_is_refused(data: bytes) -> None:
    with pytest.raises(CatalogError, match="does not match its hash"):
        parse_snapshot(data)


def test_nothing_authored_is_missing_from_the_snapshot(snapshot: Snapshot) -> None:
    authored = sum(
        len([line for line in path.read_text(encoding="utf-8").splitlines() if line and line[0] not in "# "])
        for path in Path(DATA_DIR / "accelerators").glob("*.yaml")
    )
    assert len(snapshot.accelerators) == authored
