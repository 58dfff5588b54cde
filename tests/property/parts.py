"""Parts with more of one resource, made by hand from the catalog's entities."""

from enum import Enum

from catalog.offers import Offer
from catalog.parts import Accelerator


class Scaled(Enum):
    """What of a part is scaled."""

    MEMORY = "memory-capacity"
    MEMORY_BANDWIDTH = "memory-bandwidth"
    LINKS = "network"
    COMPUTE = "compute"


def scaled_part(part: Accelerator, what: Scaled, factor: float) -> Accelerator:
    """The part with `factor` times as much of one resource; prices, launch times and efficiencies are not its own."""
    match what:
        case Scaled.MEMORY:
            update: dict[str, object] = {"memory_bytes": part.memory_bytes * factor}
        case Scaled.MEMORY_BANDWIDTH:
            update = {"memory_bandwidth_bytes_per_s": part.memory_bandwidth_bytes_per_s * factor}
        case Scaled.COMPUTE:
            count = part.multiprocessors
            update = {
                "peak_flop_per_s": {precision: peak * factor for precision, peak in part.peak_flop_per_s.items()},
                "multiprocessors": None if count is None else count * factor,
            }
        case Scaled.LINKS:
            link = part.link
            update = {
                "pcie_bytes_per_s": part.pcie_bytes_per_s * factor,
                "link": link.model_copy(
                    update={
                        "all_to_all_bytes_per_s": _times(link.all_to_all_bytes_per_s, factor),
                        "pair_bytes_per_s": _times(link.pair_bytes_per_s, factor),
                    }
                ),
            }
    return part.model_copy(update=update)


def scaled_network(offer: Offer, factor: float) -> Offer:
    """The offer with a network of `factor` times the bandwidth."""
    return offer.model_copy(update={"network_bytes_per_s": _times(offer.network_bytes_per_s, factor)})


def all_scaled(part: Accelerator, factor: float) -> Accelerator:
    """The part with `factor` times as much of everything."""
    for what in Scaled:
        part = scaled_part(part, what, factor)
    return part


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
