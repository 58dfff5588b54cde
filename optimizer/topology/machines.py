"""Instance types as a layout sees them."""

from __future__ import annotations

from dataclasses import dataclass, field

from catalog.offers import Offer
from catalog.parts import Accelerator, LinkKind


@dataclass(frozen=True)
class Machine:
    """What a layout can see of an instance type; offers that differ only in price, provider or region share one.

    Equality is by the part's id, the bandwidths that the wiring carries and how many instances there are
    (`most_instances`, None: nobody says), so that whatever holds for one offer of a machine holds for all of them.
    """

    accelerator_id: str
    accelerator: Accelerator = field(compare=False, repr=False)
    link_bytes_per_s: float
    pcie_bytes_per_s: float
    accelerators: int
    scale_up: LinkKind
    scale_up_domain: int
    p2p: bool
    network_bytes_per_s: float | None
    most_instances: int | None


def machine_of(offer: Offer, accelerator: Accelerator) -> Machine:
    """The machine behind an offer."""
    link = accelerator.link
    return Machine(
        accelerator_id=accelerator.id,
        accelerator=accelerator,
        link_bytes_per_s=link.all_to_all_bytes_per_s or link.pair_bytes_per_s or accelerator.pcie_bytes_per_s,
        pcie_bytes_per_s=accelerator.pcie_bytes_per_s,
        accelerators=offer.accelerators,
        scale_up=offer.scale_up,
        scale_up_domain=offer.scale_up_domain,
        p2p=offer.p2p,
        network_bytes_per_s=offer.network_bytes_per_s,
        most_instances=offer.most_instances,
    )
