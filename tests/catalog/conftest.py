import pytest

from catalog.read import Snapshot, load


@pytest.fixture(scope="session")
def snapshot() -> Snapshot:
    return load()
