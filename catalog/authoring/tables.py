"""Authored models, regions, sources and aliases to entities."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from catalog.aliases import Aliases, alias_table
from catalog.authoring.files import optional_float, read_csv, read_yaml
from catalog.errors import CatalogError
from catalog.models import Model
from catalog.regions import Region
from catalog.sources import Source

# a published checkpoint count checks the dimensions; it is not a field of a model
PUBLISHED = ("published_parameters", "published_source")
MODEL_COLUMNS = (
    *(name for name in Model.model_fields if name not in ("uncounted", "source", "as_of", "notes")),
    *PUBLISHED,
    "uncounted",
    "source",
    "as_of",
    "notes",
)
REGION_COLUMNS = tuple(Region.model_fields)
_REGION_NUMBERS = (
    "carbon_g_per_kwh",
    "pue",
    "wue_l_per_kwh",
    "water_offsite_l_per_kwh",
    "electricity_usd_per_kwh",
)


def read_models(data_dir: Path) -> dict[str, Model]:
    """Read `models/*.csv`, by id; raises CatalogError or pydantic's error naming what is wrong."""
    models: dict[str, Model] = {}
    for where, row in _model_rows(data_dir):
        fields: dict[str, Any] = {key: value for key, value in row.items() if key not in PUBLISHED}
        fields["uncounted"] = fields["uncounted"] or None
        if fields["id"] in models:
            raise CatalogError(f"{where}: model {fields['id']} is written twice")
        models[fields["id"]] = Model.model_validate(fields)
    return models


def read_published_parameters(data_dir: Path) -> dict[str, int]:
    """Return the parameter counts that a publisher states for a checkpoint, by model id."""
    rows = (row for _, row in _model_rows(data_dir))
    return {row["id"]: int(row["published_parameters"]) for row in rows if row["published_parameters"]}


def _model_rows(data_dir: Path) -> list[tuple[str, dict[str, str]]]:
    paths = sorted((data_dir / "models").glob("*.csv"))
    return [row for path in paths for row in read_csv(path, MODEL_COLUMNS)]


def read_regions(data_dir: Path) -> dict[str, Region]:
    """Read `regions.csv`, by id."""
    regions: dict[str, Region] = {}
    for where, row in read_csv(data_dir / "regions.csv", REGION_COLUMNS):
        fields: dict[str, Any] = {key: value or None for key, value in row.items()}
        fields |= {key: optional_float(row[key]) for key in _REGION_NUMBERS}
        if row["id"] in regions:
            raise CatalogError(f"{where}: region {row['id']} is written twice")
        regions[row["id"]] = Region.model_validate(fields)
    return regions


def read_sources(data_dir: Path) -> dict[str, Source]:
    """Read `sources.yaml`, by id."""
    return {name: Source(id=name, **fields) for name, fields in read_yaml(data_dir / "sources.yaml").items()}


def read_aliases(data_dir: Path, accelerators: Mapping[str, object], models: Mapping[str, Model]) -> Aliases:
    """Read `aliases.yaml` and add the names that need no author: ids, Hugging Face ids and their last parts."""
    authored = read_yaml(data_dir / "aliases.yaml")
    unknown = set(authored["models"]) - set(models)
    if unknown:
        raise CatalogError(f"aliases.yaml: no model {sorted(unknown)[0]!r}")
    names = {name: _model_names(model, authored["models"].get(name, ())) for name, model in models.items()}
    return Aliases(
        accelerators=alias_table("accelerators", accelerators, authored["accelerators"]),
        models=alias_table("models", models, names),
    )


def _model_names(model: Model, authored: tuple[str, ...]) -> tuple[str, ...]:
    spellings = [model.hf_id, *authored] if model.hf_id else [*authored]
    return tuple(dict.fromkeys([*spellings, *(spelling.rpartition("/")[2] for spelling in spellings)]))
