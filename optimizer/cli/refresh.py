"""`roofplan catalog refresh`: fresh prices as a file that a specification can name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optimizer.cli.exits import exit_codes
from optimizer.cli.options import SCHEMA_VERSION

if TYPE_CHECKING:
    from catalog.price_layer import PriceLayer
    from catalog.read import Snapshot


def refresh(
    skypilot_file: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE.csv", help="Read this file in SkyPilot's format instead of gpuhunt."),
    ] = None,
    provider: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only prices of this provider; with --from, whose they are.")
    ] = None,
    dated: Annotated[
        str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="The day of the prices; today if not given.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="OUT.csv", help="Where to write; the cache if not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write fresh prices as a file that `inventory.prices` of a specification can name.

    The catalog itself stays as it is. Where no fresh prices can be had, nothing is written, with a warning.
    """
    if skypilot_file is not None and provider is None:
        raise typer.BadParameter("say whose prices the file has", param_hint="--provider")
    with exit_codes():
        from datetime import date

        from catalog.cache import cache_dir
        from catalog.errors import CatalogError
        from catalog.price_layer import layer_of, price_file, write
        from catalog.price_sources import SourceUnavailable, from_gpuhunt, from_skypilot
        from catalog.read import load
        from optimizer.names import known_names
        from requirements_specs.convert import date as read_date
        from requirements_specs.known import resolve

        snapshot = load()
        day = date.today() if dated is None else read_date(dated)
        name = None if provider is None else resolve(provider, known_names(snapshot).providers, "provider")
        path = out or cache_dir() / "prices" / f"{name or 'gpuhunt'}.csv"
        try:
            if skypilot_file is None or name is None:
                source, rows = from_gpuhunt(name)
            else:
                source, rows = f"SkyPilot {skypilot_file.name}", from_skypilot(skypilot_file, name)
        except SourceUnavailable as error:
            warning = f"nothing was refreshed: {error}; {_kept(snapshot, path)}"
            typer.echo(f"warning: {warning}", err=True)
            if as_json:
                _print_json(snapshot, None, None, None, (warning,))
            return
        layer = layer_of(rows, snapshot.offers)
        if not layer.prices:
            raise CatalogError(f"{source}: none of its {len(rows):,} prices is of an offer of the catalog")
        digest = write(path, price_file(layer, day, source))
        if as_json:
            _print_json(snapshot, path, digest, layer, ())
        else:
            typer.echo(_written(path, digest, layer, f"{source}, {day}"))


def _kept(snapshot: Snapshot, path: Path) -> str:
    """What stays in force when nothing can be refreshed."""
    days = sorted(offer.price_date for offer in snapshot.offers if offer.price_date is not None)
    kept = f"the catalog keeps its prices of {days[0]} to {days[-1]}"
    return f"{kept}, and {path} stays as it is" if path.exists() else kept


def _written(path: Path, digest: str, layer: PriceLayer, source: str) -> str:
    """What was written, and the lines with which a specification names it."""
    return (
        f"{len(layer.prices):,} price{'' if len(layer.prices) == 1 else 's'} ({source}), {layer.changed:,} other than "
        f"the catalog's; left out: "
        f"{layer.unknown:,} of no offer of the catalog, {layer.implausible:,} implausible\n"
        f"written to {path}; in a specification:\n"
        f"inventory:\n  prices:\n    file: {json.dumps(str(path.absolute()))}\n    sha256: {digest}"
    )


def _print_json(
    snapshot: Snapshot, path: Path | None, digest: str | None, layer: PriceLayer | None, warnings: tuple[str, ...]
) -> None:
    answer = {
        "schema_version": SCHEMA_VERSION,
        "file": None if path is None else str(path.absolute()),
        "sha256": digest,
        "offers": None if layer is None else len(layer.prices),
        "changed": None if layer is None else layer.changed,
        "unknown": None if layer is None else layer.unknown,
        "implausible": None if layer is None else layer.implausible,
        "warnings": warnings,
        "catalog_hash": snapshot.hash,
    }
    typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
