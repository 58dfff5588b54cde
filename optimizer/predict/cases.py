"""One row of a case file as a deployment that the arithmetic can count, or the reason why it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from catalog.engines import engine_of, version_number
from catalog.errors import UnknownName
from catalog.formats import formats_supported, resolve
from catalog.models import Model
from catalog.parts import Accelerator, LinkKind
from catalog.read import Snapshot
from optimizer.additions import Additions
from optimizer.arithmetic.replica_rows import ReplicaRow
from optimizer.topology.format_choices import DEFAULT_KV, own_format
from optimizer.topology.layouts import ParallelLayout, model_refusal
from requirements_specs.errors import ValueProblem

REQUIRED = ("case_id", "model", "accelerator", "accelerators", "engine", "prompt_tokens", "output_tokens")
# Accelerators of one host where no scale-up link joins more of them.
PCIE_HOST_ACCELERATORS = 8
POOL_PREFIXES = ("prefill_", "decode_")


class Unsupported(Exception):  # noqa: N818 (a row's status, not a failure of the run)
    """A row that cannot be predicted; the message is the reason."""


@dataclass(frozen=True)
class Clients:
    """`concurrency` clients of the whole deployment; `requests` of the run, all together."""

    concurrency: float
    requests: float


@dataclass(frozen=True)
class Rate:
    """Poisson arrivals at the whole deployment, per second."""

    per_s: float


@dataclass(frozen=True)
class Everything:
    """Every request queued at the start."""


@dataclass(frozen=True)
class Case:
    """A deployment of equal replicas under one load; `slots` are the requests that one replica runs at once at most."""

    model: Model
    row: ReplicaRow
    replicas: int
    accelerators: int
    prompt_tokens: float
    output_tokens: float
    prefix_hit: float
    load: Clients | Rate | Everything
    slots: float = inf


def read_case(cells: Mapping[str, str], additions: Additions, host_accelerators: int | None = None) -> Case:
    """The deployment of one row; a model that it brings is added.

    Where it is known how many accelerators a host has, a tensor-parallel group may span hosts. The path of each of its
    accelerators to the network is its PCIe, which then counts as the link: a rule, so the interval is wider.

    Raises:
        Unsupported: with the reason for people.

    """
    _refuse_what_is_not_modelled(cells)
    model, accelerator = _named(cells, additions)
    snapshot = additions.snapshot
    if cells["engine"] not in snapshot.engines:
        raise Unsupported(f"unknown engine {cells['engine']!r}; known: {', '.join(snapshot.engines)}")
    layout = ParallelLayout(
        tp=_integer(cells, "tp"),
        pp=_integer(cells, "pp"),
        ep=_integer(cells, "ep"),
        dp_attention=_integer(cells, "dp_attention"),
    )
    if layout.tp % layout.ep or layout.tp % layout.dp_attention:
        raise Unsupported(f"ep {layout.ep} and dp_attention {layout.dp_attention} must divide tp {layout.tp}")
    refusal = model_refusal(model, layout)
    if refusal is not None:
        raise Unsupported(refusal.value)
    accelerators = _integer(cells, "accelerators")
    if accelerators % layout.accelerators:
        raise Unsupported(f"{accelerators} accelerators do not divide into replicas of {layout.accelerators}")
    return Case(
        model=model,
        row=_replica_row(cells, snapshot, model, accelerator, layout, host_accelerators),
        replicas=accelerators // layout.accelerators,
        accelerators=accelerators,
        prompt_tokens=_positive(cells, "prompt_tokens"),
        output_tokens=_positive(cells, "output_tokens"),
        prefix_hit=_share(cells, "prefix_hit"),
        load=_load(cells),
    )


def _refuse_what_is_not_modelled(cells: Mapping[str, str]) -> None:
    missing = [name for name in REQUIRED if not cells.get(name)]
    if missing:
        raise Unsupported(f"empty: {', '.join(missing)}")
    if cells.get("kind") not in (None, "", "serving"):
        raise Unsupported(f"kind {cells['kind']!r} is not predicted in this version; serving is")
    if any(value for name, value in cells.items() if name.startswith(POOL_PREFIXES)):
        raise Unsupported("prefill and decode pools are not predicted in this version")
    if cells.get("speculative"):
        raise Unsupported("speculative decoding is not predicted in this version")


def _named(cells: Mapping[str, str], additions: Additions) -> tuple[Model, Accelerator]:
    try:
        brought = additions.bring_model(cells["model"])
        snapshot = additions.snapshot
        model = snapshot.model(cells["model"]) if brought is None else snapshot.models[brought.id]
        accelerator = snapshot.accelerator(cells["accelerator"])
    except (UnknownName, ValueProblem) as error:
        raise Unsupported(str(error)) from error
    if model.uncounted is not None:
        raise Unsupported(f"{model.id} cannot be counted: {model.uncounted}")
    return model, accelerator


def _replica_row(
    cells: Mapping[str, str],
    snapshot: Snapshot,
    model: Model,
    accelerator: Accelerator,
    layout: ParallelLayout,
    host_accelerators: int | None,
) -> ReplicaRow:
    formats = snapshot.formats
    asked = cells.get("weights_format") or own_format(model, formats)
    names = {
        "weights_format": asked,
        "moe_format": cells.get("moe_format") or asked,
        "kv_format": cells.get("kv_format") or DEFAULT_KV,
    }
    for column, name in names.items():
        if name not in formats:
            raise Unsupported(f"unknown {column} {name!r}; known: {', '.join(formats)}")
    weights = resolve(formats, asked, model.native_format)
    experts = resolve(formats, names["moe_format"], model.native_format)
    if not weights.kernels or not experts.kernels:
        raise Unsupported(f"{asked} and {names['moe_format']} do not both store weights")
    activations = cells.get("activations_format") or weights.kernels[0].activations
    if activations not in formats:
        raise Unsupported(f"unknown activations_format {activations!r}; known: {', '.join(formats)}")
    kv = formats[names["kv_format"]]
    for stored in (weights, experts):
        kernels = stored.kernels_for(activations) or stored.kernels[0]
        refused = formats_supported(accelerator, stored, formats[kernels.activations], kv)
        if refused is not None:
            raise Unsupported(f"{accelerator.id} cannot run {stored.id}: {refused.value}")
    if weights.kernels_for(activations) is None:
        raise Unsupported(f"no kernel multiplies {weights.id} weights by {activations} activations")
    link, domain = _scale_up(accelerator)
    if host_accelerators is not None:
        domain = min(domain, host_accelerators)
        link = link if layout.tp <= domain else LinkKind.PCIE
    elif layout.tp > domain:
        raise Unsupported(f"tp {layout.tp} leaves the scale-up domain of {domain} × {accelerator.id}")
    version = cells.get("engine_version") or ""
    return ReplicaRow(
        accelerator=accelerator,
        link=link if layout.tp > 1 else LinkKind.NONE,
        p2p=True,  # a deployment that runs was set up to; the planner takes it only where an offer states it
        stage_bytes_per_s=_stage_bytes_per_s(cells, accelerator, layout, domain),
        tp=layout.tp,
        pp=layout.pp,
        ep=layout.ep,
        dp_attention=layout.dp_attention,
        weights=weights,
        activations=formats[activations],
        kv=kv,
        experts=experts,
        engine=engine_of(snapshot.engines, cells["engine"], version),
        engine_version=version if version_number(version) else "",
    )


def _scale_up(accelerator: Accelerator) -> tuple[LinkKind, int]:
    """Link and size of the largest tensor-parallel group that a host of the part holds."""
    link = accelerator.link
    if link.kind in (LinkKind.PCIE, LinkKind.NVLINK_BRIDGE, LinkKind.NONE):
        return LinkKind.PCIE, PCIE_HOST_ACCELERATORS
    return link.kind, link.domain


def _stage_bytes_per_s(
    cells: Mapping[str, str], accelerator: Accelerator, layout: ParallelLayout, domain: int
) -> float | None:
    if layout.pp == 1:
        return None
    if layout.accelerators <= domain:
        return accelerator.link.all_to_all_bytes_per_s or accelerator.pcie_bytes_per_s
    stated = cells.get("internode_bytes_per_s")
    if not stated:
        raise Unsupported("the replica spans hosts: internode_bytes_per_s is needed")
    return _number("internode_bytes_per_s", stated)


def _load(cells: Mapping[str, str]) -> Clients | Rate | Everything:
    if cells.get("concurrency") and cells.get("request_rate"):
        raise Unsupported("concurrency and request_rate exclude each other")
    if cells.get("concurrency"):
        clients = _positive(cells, "concurrency")
        stated = cells.get("requests")
        return Clients(clients, _number("requests", stated) if stated else 10.0 * clients)
    if cells.get("request_rate"):
        return Rate(_positive(cells, "request_rate"))
    return Everything()


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise Unsupported(f"{name} {text!r} is not a number") from None
    if not 0.0 < value < float("inf"):
        raise Unsupported(f"{name} must be positive and finite, not {text}")
    return value


def _positive(cells: Mapping[str, str], name: str) -> float:
    return _number(name, cells[name])


def _integer(cells: Mapping[str, str], name: str) -> int:
    """A whole number; an empty parallelism is 1."""
    text = cells.get(name) or "1"
    value = _number(name, text)
    if value != int(value):
        raise Unsupported(f"{name} must be a whole number, not {text}")
    return int(value)


def _share(cells: Mapping[str, str], name: str) -> float:
    """A number from 0 to below 1; an empty cell is 0."""
    text = cells.get(name) or "0"
    try:
        value = float(text)
    except ValueError:
        raise Unsupported(f"{name} {text!r} is not a number") from None
    if not 0.0 <= value < 1.0:
        raise Unsupported(f"{name} must be at least 0 and below 1, not {text}")
    return value
