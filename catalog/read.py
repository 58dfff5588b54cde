"""What a run loads: one compiled, hashed snapshot of the whole catalog.

`python -m catalog.compile` writes it from the authored files; nothing here reads YAML or CSV.
"""

from functools import cache
from hashlib import sha256
from pathlib import Path

from pydantic import Field

from catalog.aliases import Aliases, find
from catalog.corrections import Correction
from catalog.efficiency import EfficiencyTables
from catalog.engines import Engine
from catalog.errors import CatalogError
from catalog.formats import NumberFormat
from catalog.models import Model
from catalog.offers import ExcludedOffer, Offer
from catalog.parts import Accelerator, Frozen
from catalog.regions import Region
from catalog.sources import Source
from catalog.walls import Wall

DATA_DIR = Path(__file__).parent / "data"
SNAPSHOT_NAME = "snapshot.json"
HASH_KEY = '{"hash":"'


class Content(Frozen):
    """Everything in the catalog; offers and excluded offers are ordered by id, mappings are by id."""

    accelerators: dict[str, Accelerator]
    offers: tuple[Offer, ...]
    excluded_offers: tuple[ExcludedOffer, ...]
    models: dict[str, Model]
    regions: dict[str, Region]
    formats: dict[str, NumberFormat]
    engines: dict[str, Engine]
    efficiency: EfficiencyTables
    walls: tuple[Wall, ...]
    sources: dict[str, Source]
    aliases: Aliases


class Snapshot(Content):
    """The content, the SHA-256 of its canonical text, and the corrections of a layer over it by their group."""

    hash: str
    corrections: dict[tuple[str, str, str], Correction] = Field(default_factory=dict)

    def accelerator(self, name: str) -> Accelerator:
        """Return the part that `name` means, an id or an alias; raises UnknownName with the nearest ids."""
        return self.accelerators[find("accelerator", name, self.aliases.accelerators)]

    def model(self, name: str) -> Model:
        """Return the model that `name` means, an id or an alias; raises UnknownName with the nearest ids."""
        return self.models[find("model", name, self.aliases.models)]


def parse_snapshot(data: bytes) -> Snapshot:
    """Return the snapshot in the bytes of a snapshot file; raises CatalogError if its hash does not match.

    The file is one JSON object whose first key is the hash of the object without that key.
    """
    prefix, digest_end = len(HASH_KEY), len(HASH_KEY) + 64
    digest = data[prefix:digest_end].decode("ascii", errors="replace")
    content = b"{" + data[digest_end + len('",') :]
    if data[:prefix] != HASH_KEY.encode() or sha256(content).hexdigest() != digest:
        raise CatalogError("the compiled catalog does not match its hash; write it anew: python -m catalog.compile")
    return Snapshot.model_validate_json(data)


@cache
def load() -> Snapshot:
    """Return the packaged snapshot, read once per process."""
    return parse_snapshot((DATA_DIR / SNAPSHOT_NAME).read_bytes())
