"""Parts, models and offers of the catalog as aligned plain text, a row each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from catalog.models import Model
from catalog.offers import Offer
from catalog.parts import Accelerator, Precision
from optimizer.deliver.figures import data, dollars
from requirements_specs.quantity import Dimension, format_quantity

NONE = "–"
_RIGHT = ">"
_LEFT = "<"


def table(head: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]]) -> str:
    """Rows under a head of (name, alignment), columns two blanks apart; every line ends without blanks."""
    cells = [[name for name, _ in head], *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = []
    for row in cells:
        padded = (f"{cell:{side}{width}}" for cell, (_, side), width in zip(row, head, widths, strict=True))
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def parts_table(parts: Iterable[Accelerator], offers: Iterable[Offer]) -> str:
    """Accelerators by id, with how their step times are known and how many offers rent them."""
    rented = Counter(offer.accelerator for offer in offers)
    head = (
        ("part", _LEFT),
        ("memory", _RIGHT),
        ("bandwidth", _RIGHT),
        ("bf16 FLOP/s", _RIGHT),
        ("fp8 FLOP/s", _RIGHT),
        ("link", _LEFT),
        ("step times", _LEFT),
        ("offers", _RIGHT),
    )
    rows = (
        (
            part.id,
            data(part.memory_bytes),
            f"{data(part.memory_bandwidth_bytes_per_s)}/s",
            _peak(part, Precision.BF16),
            _peak(part, Precision.FP8),
            part.link.kind.value,
            part.evidence.value,
            f"{rented[part.id]:,}",
        )
        for part in parts
    )
    return table(head, rows)


def models_table(models: Iterable[Model]) -> str:
    """Models by id, with their size and the format of their checkpoint."""
    head = (
        ("model", _LEFT),
        ("parameters", _RIGHT),
        ("active", _RIGHT),
        ("layers", _RIGHT),
        ("attention", _LEFT),
        ("experts", _RIGHT),
        ("format", _LEFT),
        ("context", _RIGHT),
        ("Hugging Face id", _LEFT),
    )
    rows = (
        (
            model.id,
            _billions(model.total_parameters),
            _billions(model.active_parameters),
            f"{model.layers}",
            model.attention.value,
            f"{model.experts}" if model.experts else NONE,
            model.native_format,
            f"{model.max_context:,}",
            model.hf_id,
        )
        for model in models
    )
    return table(head, rows)


def offers_table(offers: Iterable[Offer]) -> str:
    """Offers in the order given."""
    head = (
        ("offer", _LEFT),
        ("part", _LEFT),
        ("count", _RIGHT),
        ("link", _LEFT),
        ("network", _RIGHT),
        ("$/h", _RIGHT),
        ("$/h per part", _RIGHT),
        ("price of", _LEFT),
    )
    rows = (
        (
            offer.id,
            offer.accelerator,
            f"{offer.accelerators}",
            offer.scale_up.value,
            NONE if offer.network_bytes_per_s is None else f"{data(offer.network_bytes_per_s)}/s",
            dollars(offer.usd_micro_per_hour / 1e6),
            dollars(offer.usd_micro_per_hour / offer.accelerators / 1e6),
            "undated" if offer.price_date is None else offer.price_date.isoformat(),
        )
        for offer in offers
    )
    return table(head, rows)


def _peak(part: Accelerator, precision: Precision) -> str:
    peak = part.peak_flop_per_s.get(precision)
    return NONE if peak is None else f"{peak / 1e12:,.0f} T"


def _billions(count: int) -> str:
    return f"{format_quantity(count / 1e9, Dimension.TOKENS, 3).removesuffix(' tokens')} B"
