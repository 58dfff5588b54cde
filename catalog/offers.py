"""What can be rented: one instance type of one provider in one region, at one price.

Prices are integer micro-dollars per instance-hour; network bandwidth is bytes/s per instance, one direction.
"""

from datetime import date
from enum import StrEnum

from catalog.parts import Frozen, LinkKind

OWNED = "owned"
"""The provider of owned machines: of no other offer. Specifications, which know no catalog, name it alike."""


class Tier(StrEnum):
    """How the instance is bought."""

    ON_DEMAND = "on_demand"
    SPOT = "spot"


class PriceKind(StrEnum):
    """Where the price comes from."""

    LIST = "list"
    DISCOUNT = "discount"
    OVERRIDE = "override"
    OWNED = "owned"


class Offer(Frozen):
    """One rentable instance.

    `scale_up` and `scale_up_domain` say which accelerators of the instance reach each other without the host:
    8 on an HGX board, 2 on bridged pairs, 1 where every transfer crosses PCIe. `p2p`: whether PCIe transfers between
    accelerators avoid host memory. `network_bytes_per_s` is None where the source states none.
    `price_date` is None for an undated price, which a spec must allow. `most_instances` is how many there are, None
    where nobody says: of the catalog's offers no provider does.
    """

    id: str
    provider: str
    instance: str
    region: str
    tier: Tier
    accelerator: str
    accelerators: int
    scale_up: LinkKind
    scale_up_domain: int
    p2p: bool
    network_bytes_per_s: float | None
    usd_micro_per_hour: int
    price_kind: PriceKind
    price_date: date | None
    source: str
    most_instances: int | None = None

    @property
    def is_undated(self) -> bool:
        """Whether somebody else's price has no date; what owned hardware costs is stated by who asks."""
        return self.price_date is None and self.price_kind is not PriceKind.OWNED

    @property
    def price_source(self) -> str:
        """Where the price is from, without the source of the machine's other figures."""
        return self.source.partition(", ")[0] if self.price_kind is PriceKind.LIST else self.source


class ExcludedOffer(Frozen):
    """A row of a price source that must not be chosen, and why."""

    id: str
    reason: str
    source: str
