"""Authored accelerators and links (`accelerators/*.yaml`, `links.yaml`) to entities."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from catalog.authoring.files import read_yaml
from catalog.authoring.units import quantity, whole
from catalog.errors import CatalogError
from catalog.parts import Accelerator, Disagreement, Link, LinkKind, Precision

# dimension of the fields that a disagreement can be about; counts carry no unit
_DIMENSIONS = {"memory_bytes": "bytes", "tdp_watts": "watts", "peak_flop_per_s": "FLOP/s"}


def read_authored(data_dir: Path) -> dict[str, Accelerator]:
    """Read every part of `data_dir`, by id; raises CatalogError naming the file and the part."""
    links = read_yaml(data_dir / "links.yaml")
    parts: dict[str, Accelerator] = {}
    for path in sorted((data_dir / "accelerators").glob("*.yaml")):
        for name, fields in read_yaml(path).items():
            where = f"{path.name}: {name}"
            if name in parts:
                raise CatalogError(f"{where} is written twice")
            parts[name] = _accelerator(name, fields, links, where)
    return parts


def _accelerator(name: str, fields: dict[str, Any], links: dict[str, Any], where: str) -> Accelerator:
    remaining = dict(fields)
    link = remaining.pop("link")
    pcie = links["pcie"][remaining.pop("pcie")]
    scale_up = links["scale_up"][link["name"]]
    tdp = remaining.pop("tdp")
    sources = {field: ", ".join(ids) for field, ids in remaining.pop("field_sources", {}).items()}
    sources.setdefault("link", ", ".join(scale_up["source"]))
    sources.setdefault("pcie_bytes_per_s", ", ".join(pcie["source"]))
    return Accelerator(
        id=name,
        memory_bytes=whole(quantity(remaining.pop("memory"), "bytes", f"{where}: memory"), where),
        memory_bandwidth_bytes_per_s=float(
            quantity(remaining.pop("memory_bandwidth"), "bytes/s", f"{where}: memory_bandwidth")
        ),
        peak_flop_per_s={
            Precision(precision): float(quantity(rate, "FLOP/s", f"{where}: peak.{precision}"))
            for precision, rate in remaining.pop("peak").items()
        },
        link=Link(
            kind=LinkKind(scale_up["kind"]),
            all_to_all_bytes_per_s=_rate(scale_up["all_to_all"], f"links.yaml: {link['name']}"),
            pair_bytes_per_s=_rate(scale_up["pair"], f"links.yaml: {link['name']}"),
            domain=link["domain"],
        ),
        pcie_bytes_per_s=float(quantity(pcie["per_direction"], "bytes/s", "links.yaml: pcie")),
        tdp_watts=None if tdp is None else float(quantity(tdp, "watts", f"{where}: tdp")),
        source=", ".join(remaining.pop("source")),
        field_sources=dict(sorted(sources.items())),
        disagrees=tuple(_disagreement(entry, where) for entry in remaining.pop("disagrees", ())),
        **remaining,
    )


def _rate(text: str | None, where: str) -> float | None:
    return None if text is None else float(quantity(text, "bytes/s", where))


def _disagreement(entry: dict[str, Any], where: str) -> Disagreement:
    field: str = entry["field"]
    dimension = "bytes/s" if field.endswith("_bytes_per_s") else _DIMENSIONS.get(field.split(".")[0])
    value = Decimal(entry["value"]) if dimension is None else quantity(entry["value"], dimension, f"{where}: {field}")
    return Disagreement(field=field, value=float(value), source=", ".join(entry["source"]))
