"""Fresh prices as rows: from gpuhunt over the network, and from a file in the format of SkyPilot's catalogs."""

import csv
import logging
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from catalog.errors import CatalogError
from catalog.offers import Tier

# Names that gpuhunt has for providers of the catalog; it asks no others for credentials or the network.
GPUHUNT_PROVIDERS = {
    "aws": "aws",
    "azure": "azure",
    "gcp": "gcp",
    "lambda": "lambdalabs",
    "nebius": "nebius",
    "oci": "oci",
    "runpod": "runpod",
    "verda": "verda",
}
GPUHUNT_MISSING = "gpuhunt is not installed: pip install 'roofplan[prices]'"
SKYPILOT_COLUMNS = ("InstanceType", "AcceleratorName", "AcceleratorCount", "Price", "SpotPrice", "Region")
LONGEST_WAIT_S = 30.0
_PRICE_COLUMN = {Tier.ON_DEMAND: "Price", Tier.SPOT: "SpotPrice"}
_LARGEST = 10**9
_ABSENT = ("", "nan", "none")


class SourceUnavailable(Exception):  # noqa: N818 (the state of the world, not of the input)
    """A source of prices cannot be asked now; the message says why."""


@dataclass(frozen=True)
class FreshPrice:
    """What a source says an instance costs: dollars per hour as written, of so many accelerators."""

    provider: str
    instance: str
    region: str
    tier: Tier
    accelerators: Decimal
    usd_per_hour: Decimal


def from_gpuhunt(provider: str | None = None) -> tuple[str, list[FreshPrice]]:
    """Return the source's name with its version, and the prices that gpuhunt publishes now, of one provider or of all.

    Raises:
        CatalogError: gpuhunt does not follow the provider.
        SourceUnavailable: gpuhunt is not installed, or its catalogs cannot be reached or are empty.
    """
    if provider is not None and provider not in GPUHUNT_PROVIDERS:
        known = ", ".join(GPUHUNT_PROVIDERS)
        raise CatalogError(f"gpuhunt has no prices of {provider}; it has those of {known}")
    try:
        import gpuhunt
    except ModuleNotFoundError:
        raise SourceUnavailable(GPUHUNT_MISSING) from None
    from importlib.metadata import version

    ours = {theirs: name for name, theirs in GPUHUNT_PROVIDERS.items() if provider in (None, name)}
    logging.getLogger("gpuhunt").addHandler(logging.NullHandler())  # what it logs is said in one line below
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(LONGEST_WAIT_S)
    try:
        published = gpuhunt.Catalog(balance_resources=False, auto_reload=False)
        published.load()
        items = published.query(provider=list(ours), min_gpu_count=1)
    except (gpuhunt.GPUHuntError, OSError) as error:
        cause = error.__cause__ or error
        raise SourceUnavailable(f"gpuhunt cannot reach its catalogs: {cause}") from error
    finally:
        socket.setdefaulttimeout(before)
    if not items:
        raise SourceUnavailable(f"gpuhunt has no prices of {provider or 'any provider'} now")
    rows = [
        FreshPrice(
            provider=ours[item.provider],
            instance=item.instance_name,
            region=item.location,
            tier=Tier.SPOT if item.spot else Tier.ON_DEMAND,
            accelerators=Decimal(item.gpu_count),
            usd_per_hour=Decimal(repr(item.price)),
        )
        for item in items
    ]
    return f"gpuhunt {version('gpuhunt')}", rows


def from_skypilot(path: Path, provider: str) -> list[FreshPrice]:
    """Return the prices in a file of SkyPilot's format; rows of machines without accelerators are left out.

    Raises:
        CatalogError: the file cannot be read or is not of this format, with the line.
    """
    rows: list[FreshPrice] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            header = reader.fieldnames or ()
            missing = [column for column in SKYPILOT_COLUMNS if column not in header]
            if missing:
                raise CatalogError(
                    f"{path}:1: the header lacks {', '.join(missing)}; read {', '.join(header) or 'nothing'}; "
                    f"a catalog of SkyPilot has {', '.join(SKYPILOT_COLUMNS)}"
                )
            for row in reader:
                if None in row or None in row.values():
                    raise CatalogError(f"{path}:{reader.line_num}: {len(header)} cells are expected")
                rows += _skypilot_row(row, provider, f"{path}:{reader.line_num}")
    except OSError as error:
        raise CatalogError(f"{path}: cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise CatalogError(f"{path}: not a CSV file in UTF-8: {error}") from None
    return rows


def _skypilot_row(row: Mapping[str, str], provider: str, where: str) -> Iterator[FreshPrice]:
    # a host is priced without its accelerators where these have a row of their own
    if not row["InstanceType"] or row["AcceleratorCount"].lower() in _ABSENT:
        return
    for tier, column in _PRICE_COLUMN.items():
        if row[column].lower() not in _ABSENT:
            yield FreshPrice(
                provider=provider,
                instance=row["InstanceType"],
                region=row["Region"],
                tier=tier,
                accelerators=_number(row, "AcceleratorCount", where),
                usd_per_hour=_number(row, column, where),
            )


def _number(row: Mapping[str, str], column: str, where: str) -> Decimal:
    try:
        number = Decimal(row[column])
    except InvalidOperation:
        number = Decimal(-1)
    if not number.is_finite() or not 0 <= number <= _LARGEST:
        raise CatalogError(f"{where}: {column}: read {row[column]!r}, expected a number from 0 to {_LARGEST:,}")
    return number
