"""A file of custom parts as parts and offers of the catalog.

An entry has the keys of `data/accelerators/*.yaml`, in human units, and an `offers` list. What the catalog calls
`evidence` and `kernel_table` is one key, `like`: the measured part whose die this one shares.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog.aliases import normal_form
from catalog.authoring.files import read_yaml
from catalog.check_offers import check_offers
from catalog.check_parts import check_accelerator
from catalog.custom.offers import custom_offers
from catalog.custom.part import PART_KEYS, custom_part
from catalog.custom.part_file import read_part_file
from catalog.errors import FileError
from catalog.fields import Fields
from catalog.findings import Severity
from catalog.offers import Offer
from catalog.parts import Accelerator
from catalog.read import DATA_DIR, Snapshot

_ID = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")


@dataclass(frozen=True)
class CustomParts:
    """Parts of one file by id, the offers that rent them by id, and `version`, which tells the file's content."""

    parts: Mapping[str, Accelerator]
    offers: Mapping[str, Offer]
    version: str


def read_custom_parts(path: Path, name: str, snapshot: Snapshot) -> CustomParts:
    """Return the parts in the file `path`, which is cited as `name`.

    Raises CatalogError: the file cannot be read, a key is missing, unknown or out of range, a name is taken, or the
    checks of the catalog's own parts and offers find an error.
    """
    file = read_part_file(path)
    links = read_yaml(DATA_DIR / "links.yaml")
    top = Fields(file.source, file.values)
    source = f"custom parts {name}"
    taken = {offer.id for offer in snapshot.offers}
    parts: dict[str, Accelerator] = {}
    offers: dict[str, Offer] = {}
    for part_id in file.values:
        fields = _entry(top, part_id, snapshot)
        parts[part_id] = custom_part(part_id, fields, links, snapshot, source)
        for offer in custom_offers(fields, parts[part_id], source):
            if offer.id in taken:
                raise fields.error("offers", f"{offer.id} is offered twice", allowed="another instance or region")
            taken.add(offer.id)
            offers[offer.id] = offer
    _check(path, parts, offers)
    return CustomParts(parts, offers, file.source.version)


def _entry(top: Fields, part_id: str, snapshot: Snapshot) -> Fields:
    if _ID.fullmatch(part_id) is None:
        raise top.error(part_id, "not a part's name", allowed="small letters, digits, '.' and '-'")
    if normal_form(part_id) in snapshot.aliases.accelerators:
        raise top.error(part_id, "the catalog has a part of this name", allowed="a name of its own")
    fields = top.section(part_id)
    if fields is None:
        raise top.error(part_id, "keys and values are needed", allowed=", ".join(PART_KEYS))
    return fields


def _check(path: Path, parts: Mapping[str, Accelerator], offers: Mapping[str, Offer]) -> None:
    """Hold parts and offers to what the catalog's own must pass."""
    findings = [finding for part in parts.values() for finding in check_accelerator(part)]
    findings += [each for each in check_offers(offers.values(), parts, {}) if each.severity is Severity.ERROR]
    for finding in findings:
        raise FileError(str(path), finding.subject, finding.message)
