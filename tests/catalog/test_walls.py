from collections import Counter
from pathlib import Path

import pytest

from catalog.read import DATA_DIR, Snapshot
from catalog.walls import Wall, WallFamily, read_authored

# The 22 systems walls, by number.
NAMES = (
    "compute",
    "memory-capacity",
    "memory-bandwidth",
    "serving",
    "batching",
    "weight-streaming",
    "tail-latency",
    "ingestion",
    "transformation",
    "storage",
    "scaling-laws",
    "compression",
    "architecture-efficiency",
    "communication",
    "synchronization",
    "reliability",
    "energy",
    "sustainability",
    "economic-cost",
    "safety",
    "sensitivity",
    "synthesis",
)


@pytest.fixture(scope="module")
def walls() -> tuple[Wall, ...]:
    return read_authored(DATA_DIR)


def test_the_22_walls_and_the_latency_floor_once_each(walls: tuple[Wall, ...]) -> None:
    assert {wall.number: wall.id for wall in walls} == {**dict(enumerate(NAMES, start=1)), None: "latency-floor"}
    assert len(walls) == 23
    assert max(Counter(wall.id for wall in walls).values()) == 1


def test_walls_stand_in_the_order_of_their_numbers(walls: tuple[Wall, ...]) -> None:
    assert [wall.number for wall in walls] == [*range(1, 23), None]


def test_families_are_named_in_the_order_of_the_headline() -> None:
    assert [family.value for family in WallFamily] == [
        "memory-capacity",
        "memory-bandwidth",
        "network",
        "compute",
        "dollars",
        "latency-floor",
    ]


def test_every_family_has_a_wall_that_bears_its_meaning(walls: tuple[Wall, ...]) -> None:
    family = {wall.id: wall.family for wall in walls}
    assert set(family.values()) == set(WallFamily)
    assert family["memory-capacity"] is WallFamily.MEMORY_CAPACITY
    assert family["memory-bandwidth"] is WallFamily.MEMORY_BANDWIDTH
    assert family["communication"] is WallFamily.NETWORK
    assert family["compute"] is WallFamily.COMPUTE
    assert family["economic-cost"] is WallFamily.DOLLARS
    assert [wall.id for wall in walls if wall.family is WallFamily.LATENCY_FLOOR] == ["latency-floor"]


def test_every_wall_has_an_equation_a_source_and_a_kind(walls: tuple[Wall, ...]) -> None:
    for wall in walls:
        assert wall.equation
        assert wall.source
        assert wall.applies_to
        assert set(wall.applies_to) <= {"serving", "training", "rl"}


def test_other_names_of_the_package_are_kept(walls: tuple[Wall, ...]) -> None:
    """Software efficiency, multi-tenancy, capital and checkpoint stand under 1, 7, 19 and 16."""
    also = {wall.number: wall.also_called for wall in walls}
    assert "software efficiency" in also[1]
    assert "multi-tenancy" in also[7]
    assert "capital" in also[19]
    assert "checkpoint" in also[16]


def test_the_snapshot_holds_the_authored_walls(snapshot: Snapshot, walls: tuple[Wall, ...]) -> None:
    assert snapshot.walls == walls


def test_an_unknown_family_is_refused(tmp_path: Path) -> None:
    text = (DATA_DIR / "walls.yaml").read_text(encoding="utf-8").replace("family: network", "family: patience", 1)
    (tmp_path / "walls.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="family"):
        read_authored(tmp_path)
