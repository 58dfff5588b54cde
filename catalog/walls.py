"""The walls that stop a system from being cheaper or faster, as data.

Five families decide the headline of a report, in the order of `WallFamily`; `latency-floor` names the case where no
resource helps. The 22 numbered walls lie below them.
"""

from enum import StrEnum
from pathlib import Path

from catalog.parts import Frozen


class WallFamily(StrEnum):
    """The headline families, in the order in which a tie between them is named."""

    MEMORY_CAPACITY = "memory-capacity"
    MEMORY_BANDWIDTH = "memory-bandwidth"
    NETWORK = "network"
    COMPUTE = "compute"
    DOLLARS = "dollars"
    LATENCY_FLOOR = "latency-floor"


class Wall(Frozen):
    """One wall.

    `number` is its place among the 22 systems walls (None for the latency floor). `equation` is the bound in plain
    symbols. `applies_to` lists the kinds of specification in which a report can show it.
    """

    id: str
    number: int | None
    name: str
    family: WallFamily
    equation: str
    applies_to: tuple[str, ...]
    also_called: tuple[str, ...] = ()
    source: str


def read_authored(data_dir: Path) -> tuple[Wall, ...]:
    """All walls of `walls.yaml`, in number order."""
    import yaml

    rows = yaml.safe_load((data_dir / "walls.yaml").read_text(encoding="utf-8"))
    return tuple(Wall.model_validate(row) for row in rows["walls"])
