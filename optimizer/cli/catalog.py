"""`roofplan catalog list | show | check | schema | refresh`: what exists, what it costs, how a spec is written."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optimizer.cli.exits import ExitCode, exit_codes
from optimizer.cli.options import SCHEMA_VERSION, AsJson
from optimizer.cli.refresh import refresh

if TYPE_CHECKING:
    from catalog.models import Model
    from catalog.offers import Offer
    from catalog.parts import Accelerator
    from catalog.read import Snapshot

app = typer.Typer(help="What exists and what it costs.", no_args_is_help=True, rich_markup_mode=None)
app.command()(refresh)


class Kind(StrEnum):
    """What can be listed."""

    PARTS = "parts"
    MODELS = "models"
    OFFERS = "offers"


@app.command("list")
def list_entries(
    kind: Annotated[
        Kind,
        typer.Argument(
            metavar="parts|models|offers", help="What to list; offers come cheapest first.", show_default=False
        ),
    ],
    match: Annotated[str, typer.Option(metavar="TEXT", help="Only ids that contain this.")] = "",
    accelerator: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only offers of this part, by id or alias.")
    ] = None,
    provider: Annotated[str | None, typer.Option(metavar="NAME", help="Only offers of this provider.")] = None,
    region: Annotated[str | None, typer.Option(metavar="NAME", help="Only offers in this region.")] = None,
    tier: Annotated[str | None, typer.Option(metavar="NAME", help="Only on_demand or spot offers.")] = None,
    as_json: AsJson = False,
) -> None:
    """List parts, models or offers."""
    filters = {"--accelerator": accelerator, "--provider": provider, "--region": region, "--tier": tier}
    given = [name for name, value in filters.items() if value is not None]
    if given and kind is not Kind.OFFERS:
        raise typer.BadParameter("it picks offers; use --match for parts and models", param_hint=given[0])
    with exit_codes():
        from catalog.read import load
        from optimizer.deliver.catalog_tables import models_table, offers_table, parts_table

        snapshot = load()
        if kind is Kind.PARTS:
            parts = [part for part in snapshot.accelerators.values() if match in part.id]
            text, entries = parts_table(parts, snapshot.offers), [part.model_dump(mode="json") for part in parts]
        elif kind is Kind.MODELS:
            models = [model for model in snapshot.models.values() if match in model.id]
            text, entries = models_table(models), [model.model_dump(mode="json") for model in models]
        else:
            offers = _offers(snapshot, match, accelerator, provider, region, tier)
            text, entries = offers_table(offers), [offer.model_dump(mode="json") for offer in offers]
        if as_json:
            _print_json(snapshot, {"kind": kind.value, "entries": entries})
        else:
            typer.echo(text)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A part or model by id or alias, or the id of an offer.")],
    as_json: AsJson = False,
) -> None:
    """Show everything that is known of one part, model or offer, with its sources."""
    with exit_codes():
        from catalog.read import load
        from optimizer.deliver.catalog_entry import entry_text

        snapshot = load()
        kind, entry = _entry(snapshot, name)
        if as_json:
            _print_json(snapshot, {"kind": kind.value, "entries": [entry.model_dump(mode="json")]})
        else:
            typer.echo(entry_text(entry, snapshot))


@app.command()
def check(as_json: AsJson = False) -> None:
    """Check the catalog against physics, its references and its prices; exit code 1 if there is an error."""
    with exit_codes():
        from dataclasses import asdict

        from catalog.check import Severity
        from catalog.check import check as findings_of
        from catalog.read import load

        snapshot = load()
        findings = findings_of(snapshot)
        errors = sum(finding.severity is Severity.ERROR for finding in findings)
        if as_json:
            _print_json(snapshot, {"errors": errors, "findings": [asdict(finding) for finding in findings]})
        else:
            for finding in findings:
                typer.echo(f"{finding.severity}: {finding.check}: {finding.subject}: {finding.message}")
            typer.echo(
                f"{len(snapshot.accelerators)} parts, {len(snapshot.models)} models, {len(snapshot.offers):,} offers "
                f"({len(snapshot.excluded_offers)} more excluded): {errors} errors, {len(findings) - errors} warnings"
            )
        # Data that fail the check are a bug of the catalog that we ship.
        raise typer.Exit(ExitCode.BUG if errors else ExitCode.ANSWERED)


@app.command()
def schema(
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE.json", help="Where to write it; printed if not given."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the JSON Schema (draft-07) of a specification, for editors and validators."""
    with exit_codes():
        from optimizer.cli.files import write_text
        from requirements_specs.schema.build import schema_text

        if out is None:
            typer.echo(schema_text(), nl=False)
            return
        write_text(out, schema_text())
        written = {"schema_version": SCHEMA_VERSION, "out": str(out)}
        typer.echo(json.dumps(written, ensure_ascii=False) if as_json else f"written to {out}")


def _offers(
    snapshot: Snapshot, match: str, accelerator: str | None, provider: str | None, region: str | None, tier: str | None
) -> list[Offer]:
    """Offers that pass every filter, the cheapest per accelerator first."""
    from optimizer.names import known_names
    from requirements_specs.known import resolve

    names = known_names(snapshot)
    part = None if accelerator is None else snapshot.accelerator(accelerator).id
    wanted = (
        (part, "accelerator"),
        (None if provider is None else resolve(provider, names.providers, "provider"), "provider"),
        (None if region is None else resolve(region, names.regions, "region"), "region"),
        (None if tier is None else resolve(tier, names.tiers, "tier"), "tier"),
    )
    kept = [
        offer
        for offer in snapshot.offers
        if match in offer.id and all(value is None or getattr(offer, field) == value for value, field in wanted)
    ]
    return sorted(kept, key=lambda offer: (offer.usd_micro_per_hour / offer.accelerators, offer.id))


def _entry(snapshot: Snapshot, name: str) -> tuple[Kind, Accelerator | Model | Offer]:
    """The part, model or offer that a name means; UnknownName with the nearest of all if none does."""
    from catalog.aliases import find, normal_form

    offers = {offer.id: offer for offer in snapshot.offers}
    table = {normal_form(offer): offer for offer in offers} | snapshot.aliases.models | snapshot.aliases.accelerators
    found = find("part, model or offer", name, table)
    if found in snapshot.accelerators:
        return Kind.PARTS, snapshot.accelerators[found]
    if found in snapshot.models:
        return Kind.MODELS, snapshot.models[found]
    return Kind.OFFERS, offers[found]


def _print_json(snapshot: Snapshot, content: dict[str, object]) -> None:
    answer = {"schema_version": SCHEMA_VERSION, **content, "catalog_hash": snapshot.hash}
    typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
