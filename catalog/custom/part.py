"""One entry of a file of custom parts as an accelerator."""

from collections.abc import Mapping
from typing import Any

from catalog.authoring.units import whole
from catalog.errors import UnknownName
from catalog.fields import Fields
from catalog.parts import Accelerator, Evidence, Link, LinkKind, Precision
from catalog.read import Snapshot

PART_KEYS = (
    "vendor", "architecture", "form_factor", "memory", "memory_bandwidth", "peak", "multiprocessors", "link", "pcie",
    "tdp", "like", "notes", "offers",
)  # fmt: skip
_NAMED_LINK = ("name", "domain")
_OWN_LINK = ("kind", "all_to_all", "pair", "domain")
_MOST_MULTIPROCESSORS = 10_000
_LARGEST_DOMAIN = 100_000
# what `Accelerator` must say of itself and no file states
_CONFIDENCE = "user"


def custom_part(name: str, fields: Fields, links: Mapping[str, Any], snapshot: Snapshot, source: str) -> Accelerator:
    """Return the part that `fields` describes; `links` are the authored links, `source` cites the file.

    Its evidence is *class*, with the kernel tables of the part that `like` names, or else *estimated*. Raises
    CatalogError.
    """
    fields.only(PART_KEYS)
    peak = fields.section("peak")
    if peak is None:
        raise fields.error("peak", "this key is missing", allowed="{bf16: 900 TFLOP/s, …}, dense")
    peak.only(tuple(Precision))
    if Precision.BF16 not in peak:  # attention needs it, whatever the format of the weights
        raise peak.error(Precision.BF16, "this key is missing", allowed="the dense rate, as 900 TFLOP/s")
    die = _measured_die(fields, snapshot)
    return Accelerator(
        id=name,
        vendor=fields.text("vendor", "custom"),
        architecture=fields.text("architecture", "custom"),
        form_factor=fields.text("form_factor", "custom"),
        memory_bytes=whole(fields.quantity("memory", "bytes"), f"{name}: memory"),
        memory_bandwidth_bytes_per_s=float(fields.quantity("memory_bandwidth", "bytes/s")),
        peak_flop_per_s={
            precision: float(peak.quantity(precision, "FLOP/s")) for precision in Precision if precision in peak
        },
        multiprocessors=fields.optional_count("multiprocessors", _MOST_MULTIPROCESSORS),
        link=_link(fields, links["scale_up"]),
        pcie_bytes_per_s=float(_pcie(fields, links["pcie"])),
        tdp_watts=float(fields.quantity("tdp", "watts")) if "tdp" in fields else None,
        evidence=Evidence.ESTIMATED if die is None else Evidence.CLASS,
        kernel_table=die,
        confidence=_CONFIDENCE,
        source=source,
        as_of=fields.source.version,
        notes=fields.text("notes", "given by the user"),
    )


def _measured_die(fields: Fields, snapshot: Snapshot) -> str | None:
    """Return the kernel tables of the part that `like` names, None without that key."""
    if "like" not in fields:
        return None
    measured = [part.id for part in snapshot.accelerators.values() if part.kernel_table is not None]
    try:
        like = snapshot.accelerator(fields.text("like"))
    except UnknownName as error:
        near = " or ".join(error.nearest) or None
        raise fields.error("like", "unknown accelerator", allowed=", ".join(measured), fix=near) from None
    if like.kernel_table is None:
        raise fields.error("like", f"{like.id} is not measured", allowed=", ".join(measured))
    return like.kernel_table


def _link(fields: Fields, known: Mapping[str, Any]) -> Link:
    link = fields.section("link")
    if link is None:
        raise fields.error("link", "this key is missing", allowed="{name: nvlink4, domain: 8}, or kind and bandwidths")
    domain = link.count("domain", _LARGEST_DOMAIN)
    if "name" not in link:
        link.only(_OWN_LINK)
        kind = LinkKind(link.name("kind", tuple(LinkKind)))
        rates = [float(link.quantity(key, "bytes/s")) if key in link else None for key in ("all_to_all", "pair")]
        if kind is not LinkKind.NONE and rates[0] is None:
            raise link.error(
                "all_to_all", "this key is missing", allowed="bytes/s to all peers together, one direction"
            )
        return Link(kind=kind, all_to_all_bytes_per_s=rates[0], pair_bytes_per_s=rates[1], domain=domain)
    link.only(_NAMED_LINK)
    authored = Fields(fields.source, known[link.name("name", tuple(known))])
    return Link(
        kind=LinkKind(authored.text("kind")),
        all_to_all_bytes_per_s=_authored(authored, "all_to_all"),
        pair_bytes_per_s=_authored(authored, "pair"),
        domain=domain,
    )


def _authored(link: Fields, key: str) -> float | None:
    return float(link.quantity(key, "bytes/s")) if key in link else None


def _pcie(fields: Fields, known: Mapping[str, Any]) -> float:
    generation = known[fields.name("pcie", tuple(known))]
    return float(Fields(fields.source, generation).quantity("per_direction", "bytes/s"))
