"""The candidate space: every offer with every layout, format choice, engine and engine limit, legality first.

The product is never written out row by row. Offers that differ only in price share a machine; machines that give a
layout the same step times share a physics key; engine limits multiply every placement alike. Rows are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from catalog.engines import Engine
from catalog.models import Attention, Model
from catalog.offers import Offer, Tier
from catalog.parts import Accelerator, Evidence, LinkKind
from optimizer.arithmetic.replica_rows import ReplicaRow
from optimizer.topology.format_choices import FormatChoice, native_refusal
from optimizer.topology.machines import Machine, machine_of
from optimizer.topology.wiring import stage_bytes_per_s, wiring_of
from requirements_specs.serving import Layout

TENSOR_PARALLEL = (1, 2, 4, 8, 16)
PIPELINE_PARALLEL = (1, 2, 4, 8)
# Engine limits; they multiply every placement.
TOKEN_BUDGETS: NDArray[np.float64] = np.array([512, 1024, 2048, 3072, 4096, 8192, 16384, 32768], dtype=np.float64)
MAX_NUM_SEQS: NDArray[np.float64] = np.array(
    [8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 640, 768, 1024], dtype=np.float64
)
ROWS_PER_PLACEMENT = len(TOKEN_BUDGETS) * len(MAX_NUM_SEQS)
# How many instances there are where nobody says.
ANY_NUMBER = np.iinfo(np.int64).max
# Block-scaled fp8 kernels need whole 128-wide blocks of every weight shard.
FP8_BLOCK = 128


class Illegal(StrEnum):
    """Why a layout cannot run on a machine; the value is the reason for people."""

    ESTIMATED_PART = "the part is not measured and the spec does not allow estimated parts"
    UNDATED_PRICE = "the price has no date and the spec does not allow undated prices"
    PINNED = "the spec pins another layout"
    HEADS = "attention heads do not divide over the tensor-parallel ranks"
    FEED_FORWARD = "the feed-forward width does not divide over the tensor-parallel ranks"
    LAYERS = "more pipeline stages than layers"
    EXPERTS = "experts or their blocks do not divide over the ranks"
    LEAVES_DOMAIN = "the tensor-parallel group would leave its scale-up domain"
    PARTIAL_INSTANCES = "the replica does not fill whole instances"
    NO_NETWORK = "the offer states no network bandwidth, so a replica may not span instances"
    FORMAT = "the part cannot run the formats"


@dataclass(frozen=True)
class ParallelLayout:
    """How one replica is split: tensor, pipeline, expert and attention-data parallelism."""

    tp: int
    pp: int
    ep: int
    dp_attention: int

    @property
    def accelerators(self) -> int:
        """Accelerators of one replica."""
        return self.tp * self.pp


@dataclass(frozen=True)
class CandidateSpace:
    """The legal part of the space, and how many rows were not legal.

    keys: K distinct physics. Placements, P of them: placement_key, placement_machine, replicas_per_unit,
    instances_per_unit, accelerators_per_unit, most_instances (ANY_NUMBER where nobody says), all (P,). A unit is what
    is rented together: one instance, or as many as one replica spans. offers_of_machine: offers of each machine,
    cheapest first. illegal: rows per reason.
    """

    offers: tuple[Offer, ...]
    keys: tuple[ReplicaRow, ...]
    layouts: tuple[ParallelLayout, ...]
    formats: tuple[FormatChoice, ...]
    machines: tuple[Machine, ...]
    offers_of_machine: tuple[tuple[int, ...], ...]
    placement_key: NDArray[np.int64]
    placement_machine: NDArray[np.int64]
    replicas_per_unit: NDArray[np.int64]
    instances_per_unit: NDArray[np.int64]
    accelerators_per_unit: NDArray[np.int64]
    most_instances: NDArray[np.int64]
    candidates: int
    illegal: Counter[Illegal]

    def rows_of(self, placement: int) -> int:
        """Rows that a placement stands for."""
        return len(self.offers_of_machine[self.placement_machine[placement]]) * ROWS_PER_PLACEMENT

    def of_any_number(self) -> CandidateSpace:
        """The same space as if there were any number of every instance."""
        return replace(self, most_instances=np.full_like(self.most_instances, ANY_NUMBER))


def layouts_of(model: Model) -> tuple[ParallelLayout, ...]:
    """Layouts that engines offer for the model.

    Expert parallelism over none or all of the ranks of a stage, attention data parallelism over any divisor of them;
    both only with experts.
    """
    layouts = []
    for tp in TENSOR_PARALLEL:
        expert_choices = (1, tp) if model.experts and tp > 1 else (1,)
        attention_choices = [dp for dp in TENSOR_PARALLEL if tp % dp == 0] if model.experts else [1]
        layouts += [
            ParallelLayout(tp, pp, ep, dp)
            for pp in PIPELINE_PARALLEL
            for ep in expert_choices
            for dp in attention_choices
        ]
    return tuple(layouts)


def model_refusal(model: Model, layout: ParallelLayout) -> Illegal | None:
    """Why the model's dimensions do not divide over a layout, or None."""
    attention_ranks = layout.tp // layout.dp_attention
    if model.heads % attention_ranks:
        return Illegal.HEADS
    shared_heads = model.attention is not Attention.MLA
    if shared_heads and model.kv_heads % attention_ranks and attention_ranks % model.kv_heads:
        return Illegal.HEADS
    if layout.pp > model.layers:
        return Illegal.LAYERS
    if model.experts:
        shard = model.expert_ffn // (layout.tp // layout.ep)
        whole_blocks = model.native_format != "fp8_block" or shard % FP8_BLOCK == 0
        if model.experts % layout.ep or model.expert_ffn % (layout.tp // layout.ep) or not whole_blocks:
            return Illegal.EXPERTS
    elif model.ffn % layout.tp:
        return Illegal.FEED_FORWARD
    return None


def pinned_out(layout: ParallelLayout, pins: Layout) -> bool:
    """Whether the spec's pins or ranges exclude a layout."""
    chosen = (
        (pins.tp, layout.tp),
        (pins.pp, layout.pp),
        (pins.ep, layout.ep),
        (pins.dp_attention, layout.dp_attention),
        (pins.accelerators_per_replica, layout.accelerators),
    )
    return any(choice is not None and not choice.allows(value) for choice, value in chosen)


def machine_refusal(machine: Machine, layout: ParallelLayout) -> Illegal | None:
    """Why a layout does not fit the wiring of a machine, or None."""
    if all(layout.tp > size for _, size in wiring_of(machine).groups):
        return Illegal.LEAVES_DOMAIN
    groups = tensor_groups(machine, layout.tp)
    if layout.accelerators <= machine.accelerators:
        return Illegal.LEAVES_DOMAIN if groups < layout.pp else None
    if layout.accelerators % machine.accelerators:
        return Illegal.PARTIAL_INSTANCES
    if groups * layout.tp < machine.accelerators:
        return Illegal.LEAVES_DOMAIN
    return None if wiring_of(machine).spans_instances else Illegal.NO_NETWORK


def tensor_groups(machine: Machine, tp: int) -> int:
    """Tensor-parallel groups that a machine holds, none of them across the domains of the link that it uses."""
    if tp == 1:
        return machine.accelerators
    size = next(size for _, size in wiring_of(machine).groups if tp <= size)
    domains, rest = divmod(machine.accelerators, size)
    return domains * (size // tp) + rest // tp


def candidate_space(
    model: Model,
    offers: Sequence[Offer],
    accelerators: dict[str, Accelerator],
    formats: Sequence[FormatChoice],
    engines: Sequence[Engine],
    pins: Layout,
    *,
    estimated_parts: bool,
    undated: bool,
    admitted_parts: frozenset[str] = frozenset(),
    tiers_differ: bool = False,
) -> CandidateSpace:
    """Legal placements of a model on offers.

    Args:
        model: the model.
        offers: what the inventory admits.
        accelerators: parts by id.
        formats: the format choices of the spec.
        engines: the engines of the spec.
        pins: the layout pins of the spec.
        estimated_parts: whether parts without measurements may be chosen.
        undated: whether prices without a date may be chosen.
        admitted_parts: parts that may be chosen without measurements in any case.
        tiers_differ: whether offers of two tiers differ in more than price, and so share no machine.

    """
    layouts = layouts_of(model)
    choices = [(choice, engine) for choice in formats for engine in engines]
    rows_per_offer = len(layouts) * len(choices) * ROWS_PER_PLACEMENT
    illegal: Counter[Illegal] = Counter()

    offers_of: dict[tuple[Machine, Tier | None], list[int]] = {}
    for index, offer in enumerate(offers):
        part = accelerators[offer.accelerator]
        if part.evidence is Evidence.ESTIMATED and not estimated_parts and part.id not in admitted_parts:
            illegal[Illegal.ESTIMATED_PART] += rows_per_offer
        elif offer.is_undated and not undated:
            illegal[Illegal.UNDATED_PRICE] += rows_per_offer
        else:
            tier = offer.tier if tiers_differ else None
            offers_of.setdefault((machine_of(offer, part), tier), []).append(index)

    model_refusals = {
        layout: Illegal.PINNED if pinned_out(layout, pins) else model_refusal(model, layout) for layout in layouts
    }
    keys: dict[tuple[object, ...], int] = {}
    key_rows: list[ReplicaRow] = []
    key_layouts: list[ParallelLayout] = []
    key_formats: list[FormatChoice] = []
    placements: list[tuple[int, int, int, int, int]] = []
    for machine_index, ((machine, _), indices) in enumerate(offers_of.items()):
        rows = len(indices) * ROWS_PER_PLACEMENT
        native = {choice: native_refusal(machine.accelerator, choice) for choice in formats}
        for layout in layouts:
            reason = model_refusals[layout] or machine_refusal(machine, layout)
            if reason is not None:
                illegal[reason] += len(choices) * rows
                continue
            link = _link_of(machine, layout)
            stage = stage_bytes_per_s(machine, layout.tp, layout.pp)
            shared = machine.p2p if link is LinkKind.PCIE else True
            instances = max(1, layout.accelerators // machine.accelerators)
            replicas = max(1, tensor_groups(machine, layout.tp) // layout.pp)
            for number, (choice, engine) in enumerate(choices):
                if native[choice] is not None:
                    illegal[Illegal.FORMAT] += rows
                    continue
                identity = (machine.accelerator_id, link, shared, stage, layout, number)
                if identity not in keys:
                    keys[identity] = len(key_rows)
                    key_rows.append(_replica_row(machine.accelerator, link, shared, stage, layout, choice, engine))
                    key_layouts.append(layout)
                    key_formats.append(choice)
                accelerators_per_unit = instances * machine.accelerators
                placements.append((keys[identity], machine_index, replicas, instances, accelerators_per_unit))

    table = np.array(placements, dtype=np.int64).reshape(len(placements), 5)
    known = [ANY_NUMBER if machine.most_instances is None else machine.most_instances for machine, _ in offers_of]
    return CandidateSpace(
        offers=tuple(offers),
        keys=tuple(key_rows),
        layouts=tuple(key_layouts),
        formats=tuple(key_formats),
        machines=tuple(machine for machine, _ in offers_of),
        offers_of_machine=tuple(
            tuple(sorted(indices, key=lambda index: (offers[index].usd_micro_per_hour, offers[index].id)))
            for indices in offers_of.values()
        ),
        placement_key=table[:, 0],
        placement_machine=table[:, 1],
        replicas_per_unit=table[:, 2],
        instances_per_unit=table[:, 3],
        accelerators_per_unit=table[:, 4],
        most_instances=np.array(known, dtype=np.int64)[table[:, 1]],
        candidates=len(offers) * rows_per_offer,
        illegal=illegal,
    )


def _link_of(machine: Machine, layout: ParallelLayout) -> LinkKind:
    """The fastest kind of link that holds a whole tensor-parallel group; a group of one uses none."""
    if layout.tp == 1:
        return LinkKind.NONE
    return next(kind for kind, size in wiring_of(machine).groups if layout.tp <= size)


def _replica_row(
    accelerator: Accelerator,
    link: LinkKind,
    p2p: bool,
    stage_bandwidth: float | None,
    layout: ParallelLayout,
    choice: FormatChoice,
    engine: Engine,
) -> ReplicaRow:
    return ReplicaRow(
        accelerator=accelerator,
        link=link,
        p2p=p2p,
        stage_bytes_per_s=stage_bandwidth,
        tp=layout.tp,
        pp=layout.pp,
        ep=layout.ep,
        dp_attention=layout.dp_attention,
        weights=choice.weight_format,
        activations=choice.activation_format,
        kv=choice.kv_format,
        experts=choice.weight_format,
        engine=engine,
    )
