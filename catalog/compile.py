"""Authored YAML and CSV to the one snapshot that runs load: `python -m catalog.compile`."""

import json
import sys
from hashlib import sha256
from pathlib import Path

from catalog import efficiency, engines, formats, walls
from catalog.authoring import accelerators, offers, tables
from catalog.read import DATA_DIR, HASH_KEY, SNAPSHOT_NAME, Content


def read_content(data_dir: Path) -> Content:
    """Read all authored files of `data_dir`; raises CatalogError or pydantic's error naming what is wrong."""
    parts = accelerators.read_authored(data_dir)
    models = tables.read_models(data_dir)
    return Content(
        accelerators=parts,
        offers=offers.read_authored(data_dir),
        excluded_offers=offers.read_excluded(data_dir),
        models=models,
        regions=tables.read_regions(data_dir),
        formats=formats.read_authored(data_dir),
        engines=engines.read_authored(data_dir),
        efficiency=efficiency.read_authored(data_dir),
        walls=walls.read_authored(data_dir),
        sources=tables.read_sources(data_dir),
        aliases=tables.read_aliases(data_dir, parts, models),
    )


def compile_snapshot(data_dir: Path) -> bytes:
    """Return the bytes of the snapshot of the authored files in `data_dir`; the same files give the same bytes."""
    return serialise(read_content(data_dir))


def serialise(content: Content) -> bytes:
    """Return `content` as canonical JSON, one entity a line, with its hash as the first key."""
    body = content.model_dump(mode="json")
    sections = [f"{json.dumps(name)}:{_lines(body[name])}" for name in sorted(body)]
    text = "{" + ",\n".join(sections) + "}\n"
    digest = sha256(text.encode()).hexdigest()
    return f'{HASH_KEY}{digest}",{text[1:]}'.encode()


def _lines(section: object) -> str:
    if isinstance(section, dict):
        return "{" + ",\n".join(f"{json.dumps(key)}:{_compact(section[key])}" for key in sorted(section)) + "}"
    if isinstance(section, list):
        return "[" + ",\n".join(_compact(item) for item in section) + "]"
    raise TypeError(f"a section of the catalog is a mapping or a list, not {type(section).__name__}")


def _compact(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def main() -> None:
    """Write the packaged snapshot."""
    data = compile_snapshot(DATA_DIR)
    (DATA_DIR / SNAPSHOT_NAME).write_bytes(data)
    sys.stdout.write(f"{SNAPSHOT_NAME}: {len(data)} bytes, {data[len(HASH_KEY) : len(HASH_KEY) + 64].decode()}\n")


if __name__ == "__main__":
    main()
