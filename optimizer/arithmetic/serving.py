"""From rows of parts, layouts and formats to a struct of arrays."""

from collections.abc import Sequence

import numpy as np

from catalog.models import Model
from optimizer.arithmetic.arrays import Floats, Integers
from optimizer.arithmetic.collectives import (
    HOST_LAUNCH_S,
    NO_EXCHANGE,
    SCALE_UP_LAUNCH_S,
    SCALE_UP_SHARE,
    AllReduceTime,
    CollectiveIndex,
    ExchangeTime,
    all_reduce_time,
    exchange_time,
)
from optimizer.arithmetic.replica_rows import (
    Estimate,
    Gather,
    PhysicsTables,
    ReplicaRow,
    kernel_estimates,
    kernel_fits,
    part_rates,
)
from optimizer.arithmetic.replicas import Replicas
from optimizer.arithmetic.step_coefficients import (
    LARGEST_REDUCED_EXPERT_GROUP,
    EngineCosts,
    Wiring,
)

__all__ = ["ReplicaRow", "Replicas", "build_replicas"]

# Data sheets round; between the 31.5 GB/s of PCIe 4 and the 63 GB/s of PCIe 5.
LEAST_PCIE_5_BYTES_PER_S = 60e9


def build_replicas(model: Model, rows: Sequence[ReplicaRow], tables: PhysicsTables) -> Replicas:
    """Gather the constants of `rows`, one physics key each, all of `model`.

    Raises ValueError for no rows, a model that the arithmetic cannot count, a layout whose ranks do not divide, a part
    that cannot run a row's formats, or pipeline stages without a link.
    """
    if not rows:
        raise ValueError("no physics keys")
    if model.uncounted is not None:
        raise ValueError(f"{model.id} is not counted: {model.uncounted}")
    tp, pp = _integers([row.tp for row in rows]), _integers([row.pp for row in rows])
    ep, dp_attention = _integers([row.ep for row in rows]), _integers([row.dp_attention for row in rows])
    if np.any(tp % dp_attention) or np.any(tp % ep) or np.any(pp > model.layers):
        raise ValueError("dp_attention and ep must divide tp, and a stage needs a layer")
    rates, fits = part_rates(rows), kernel_fits(model, rows, tables)
    wiring, wiring_estimates = _wiring(model, rows, CollectiveIndex.of(tables.efficiency))
    blocks = {row.engine.kv_block_tokens for row in rows}
    engines = Gather(row.engine for row in rows)
    if len(blocks) > 1:
        raise ValueError(f"engines with different KV blocks in one set of keys: {sorted(blocks)}")
    costs = EngineCosts(
        kernel_scale=engines(lambda engine: engine.kernel_scale),
        step_s=engines(lambda engine: engine.step_s),
        sequence_s=engines(lambda engine: engine.sequence_s),
        layer_s=engines(lambda engine: engine.layer_s),
        eager_layer_s=engines(lambda engine: engine.eager_layer_s) * _host_factor(rows),
    )
    estimates = _kernel_estimates(model, rows)
    return Replicas(
        model=model,
        tp=tp,
        pp=pp,
        ep=ep,
        dp_attention=dp_attention,
        rates=rates,
        fits=fits,
        wiring=wiring,
        engine=costs,
        memory_fraction=engines(lambda engine: engine.memory_fraction),
        cache_fraction=engines(lambda engine: engine.cache_fraction),
        overhead_bytes=engines(lambda engine: engine.overhead_bytes),
        kv_block_tokens=blocks.pop(),
        host_s=engines(lambda engine: engine.host_s),
        own_prefill_factor=engines(lambda engine: engine.own_prefill_factor),
        prefill_factor=engines(lambda engine: engine.prefill_factor),
        prefill_event_s=engines(lambda engine: engine.prefill_event_s),
        interference=engines(lambda engine: engine.interference),
        extra_steps=engines(lambda engine: engine.extra_steps)
        + np.where(dp_attention > 1, engines(lambda engine: engine.attention_dp_steps), 0.0),
        burst_share=engines(lambda engine: engine.burst_share),
        waiting_clients=engines(lambda engine: engine.waiting_clients),
        prefill_chunk_tokens=engines(lambda engine: engine.prefill_chunk_tokens),
        estimates=_integers([(a | b).value for a, b in zip(estimates, wiring_estimates, strict=True)]),
    )


def _integers(values: Sequence[int]) -> Integers:
    return np.array(values, dtype=np.int64)


def _kernel_estimates(model: Model, rows: Sequence[ReplicaRow]) -> list[Estimate]:
    known: dict[tuple[str, str, str, str], Estimate] = {}
    found = []
    for row in rows:
        key = (row.accelerator.id, row.weights.id, row.activations.id, row.experts.id)
        if key not in known:
            known[key] = kernel_estimates(model, row)
        found.append(known[key])
    return found


def _host_factor(rows: Sequence[ReplicaRow]) -> Floats:
    """How much slower each row's host launches kernels than those of PCIe 5, (K,): processors came with their PCIe."""
    return np.array(
        [
            row.engine.older_host_factor if row.accelerator.pcie_bytes_per_s < LEAST_PCIE_5_BYTES_PER_S else 1.0
            for row in rows
        ]
    )


def _wiring(model: Model, rows: Sequence[ReplicaRow], index: CollectiveIndex) -> tuple[Wiring, list[Estimate]]:
    known: dict[tuple[object, ...], AllReduceTime] = {}

    def reduce_time(row: ReplicaRow, ranks: int) -> AllReduceTime:
        key = (row.accelerator.id, row.link, row.p2p, row.engine.library, ranks)
        if key not in known:
            known[key] = all_reduce_time(index, row.accelerator, row.link, row.engine.library, ranks, p2p=row.p2p)
        return known[key]

    stages = [reduce_time(row, row.tp) for row in rows]
    groups = [reduce_time(row, row.tp // row.dp_attention if row.dp_attention > 1 else 1) for row in rows]
    exchanges = [_exchange(model, row, index) for row in rows]
    stage, group, exchange = Gather(stages), Gather(groups), Gather(exchanges)
    hop_launch, hop_bytes_per_s = _hops(rows)
    wiring = Wiring(
        stage_launch_s=stage(lambda time: time.launch_s),
        stage_ramp_s=stage(lambda time: time.ramp_s),
        stage_ramp_bytes=stage(lambda time: time.ramp_bytes),
        stage_bytes_per_s=stage(lambda time: time.bytes_per_s),
        attention_launch_s=group(lambda time: time.launch_s),
        attention_ramp_s=group(lambda time: time.ramp_s),
        attention_ramp_bytes=group(lambda time: time.ramp_bytes),
        attention_bytes_per_s=group(lambda time: time.bytes_per_s),
        exchange_launch_s=exchange(lambda time: time.launch_s),
        exchange_s_per_element=exchange(lambda time: time.s_per_routed_element),
        hop_launch_s=hop_launch,
        hop_bytes_per_s=hop_bytes_per_s,
    )
    estimates = []
    for row, whole, part, experts in zip(rows, stages, groups, exchanges, strict=True):
        ruled = whole.estimated or part.estimated or experts.estimated
        found = Estimate.COLLECTIVE if ruled else Estimate.NONE
        estimates.append(found | (Estimate.PIPELINE_HOP if row.pp > 1 else Estimate.NONE))
    return wiring, estimates


def _exchange(model: Model, row: ReplicaRow, index: CollectiveIndex) -> ExchangeTime:
    if row.dp_attention == 1 or row.ep <= LARGEST_REDUCED_EXPERT_GROUP:
        return NO_EXCHANGE
    return exchange_time(index, row.accelerator, row.link, row.ep, model.active_experts, p2p=row.p2p)


def _hops(rows: Sequence[ReplicaRow]) -> tuple[Floats, Floats]:
    """Launch and effective bandwidth of one hop between stages, (K,); a rule of this project, so estimated.

    A hop sends the activations of the step over the narrowest link between stages at the share that a collective
    reaches. A link slower than the part's scale-up link has the launch time of a host transfer.
    """
    launch, bytes_per_s = [], []
    for row in rows:
        if row.pp == 1:
            launch.append(0.0)
            bytes_per_s.append(1.0)
            continue
        if row.stage_bytes_per_s is None:
            raise ValueError(f"{row.accelerator.id}: {row.pp} pipeline stages need a link between them")
        scale_up = row.accelerator.link.all_to_all_bytes_per_s or row.accelerator.link.pair_bytes_per_s
        fast = scale_up is not None and row.stage_bytes_per_s >= scale_up
        launch.append(SCALE_UP_LAUNCH_S if fast else HOST_LAUNCH_S)
        bytes_per_s.append(SCALE_UP_SHARE * row.stage_bytes_per_s)
    return np.array(launch), np.array(bytes_per_s)
