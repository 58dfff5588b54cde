"""The user's own prices: a file of them, and discounts on list prices."""

from datetime import date as Date  # noqa: N812 - a field of this name would hide it
from typing import Annotated

from pydantic import Field

from requirements_specs.requirement import Frozen

MOST_USD_PER_HOUR = 1_000_000
"""What one machine may cost at most, dollars per hour."""


class OfferPrice(Frozen):
    """What an instance of one offer costs: micro-dollars per hour. `source` is the file's name and line."""

    offer: str
    usd_micro_per_hour: int = Field(gt=0)
    date: Date
    source: str


class PriceFile(Frozen):
    """A file of prices, as the spec names it, with the SHA-256 of its bytes; at most one price per offer."""

    file: str
    sha256: str
    prices: Annotated[tuple[OfferPrice, ...], Field(min_length=1)]


class Discount(Frozen):
    """`share` of the on-demand list price that a provider takes off; `source` is the spec's name and line."""

    provider: str
    share: float = Field(ge=0, lt=1)
    source: str
