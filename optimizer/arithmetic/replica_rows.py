"""What a physics key is made of, and the constants of many keys gathered into arrays."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Flag, auto
from typing import Generic, Protocol, TypeVar

import numpy as np

from catalog.efficiency import ContextAttentionConstants, DecodeAttentionConstants, EfficiencyTables
from catalog.engines import Engine
from catalog.formats import Kernels, NumberFormat, formats_supported
from catalog.models import Model
from catalog.parts import Accelerator, Evidence, LinkKind, Precision
from optimizer.arithmetic.arrays import Floats
from optimizer.arithmetic.attention import ContextFit, DecodeFit, DecodeLatentFit
from optimizer.arithmetic.memory import WeightBytes
from optimizer.arithmetic.roofline import ExpertFit, GemmFit, PartRates
from optimizer.arithmetic.transformer import is_latent

Item = TypeVar("Item")


class Estimate(Flag):
    """What in a key rests on a named rule instead of a fit."""

    NONE = 0
    COLLECTIVE = auto()
    DENSE_KERNELS = auto()
    EXPERT_KERNELS = auto()
    NO_MULTIPROCESSORS = auto()
    PIPELINE_HOP = auto()


@dataclass(frozen=True)
class ReplicaRow:
    """One physics key: a part, how its ranks are wired, a layout, formats and an engine.

    `link` joins a tensor-parallel group (NONE for one rank), `p2p` says whether PCIe transfers avoid host memory,
    `stage_bytes_per_s` joins consecutive pipeline stages (None with one stage). `tp` counts all ranks of a stage; its
    attention is split over tp/dp_attention of them; ep divides tp. `experts` is the format of routed experts.
    `engine_version` is stated of deployments that run, and tells which of the user's own measurements are of the same
    release.
    """

    accelerator: Accelerator
    link: LinkKind
    p2p: bool
    stage_bytes_per_s: float | None
    tp: int
    pp: int
    ep: int
    dp_attention: int
    weights: NumberFormat
    activations: NumberFormat
    kv: NumberFormat
    experts: NumberFormat
    engine: Engine
    engine_version: str = ""


class PhysicsTables(Protocol):
    """The part of a catalog snapshot that the arithmetic reads."""

    @property
    def formats(self) -> Mapping[str, NumberFormat]:
        """Formats by id."""

    @property
    def efficiency(self) -> EfficiencyTables:
        """Fitted constants."""


@dataclass(frozen=True)
class Fits:
    """Gathered kernel constants of K rows; `shared_gemm` is `dense_gemm` as it is felt beside routed experts."""

    attention_gemm: GemmFit
    dense_gemm: GemmFit
    shared_gemm: GemmFit
    bf16_gemm: GemmFit
    experts: ExpertFit | None
    context: ContextFit
    decode: DecodeFit | DecodeLatentFit
    kv_bytes: Floats
    weights: WeightBytes

    def faster(self, factor: float | Floats) -> "Fits":
        """The same constants as fractions of `factor` times the peaks."""
        return replace(
            self,
            attention_gemm=_faster(self.attention_gemm, factor),
            dense_gemm=_faster(self.dense_gemm, factor),
            shared_gemm=_faster(self.shared_gemm, factor),
            bf16_gemm=_faster(self.bf16_gemm, factor),
            experts=self.experts and replace(self.experts, flop_per_s=self.experts.flop_per_s * factor),
        )


class Gather(Generic[Item]):
    """Values of many items as an array, read once per distinct object: thousands of rows share a dozen constants."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._distinct: list[Item] = []
        positions: dict[int, int] = {}
        indices = []
        for item in items:
            position = positions.setdefault(id(item), len(positions))
            if position == len(self._distinct):
                self._distinct.append(item)
            indices.append(position)
        self._indices = np.array(indices, dtype=np.int64)

    def __call__(self, value: Callable[[Item], float]) -> Floats:
        """`value` of every item, (K,)."""
        return np.array([value(item) for item in self._distinct], dtype=np.float64)[self._indices]


def part_rates(rows: Sequence[ReplicaRow]) -> PartRates:
    """Rates of the parts of the rows; raises ValueError for a part that cannot run a row's formats."""
    checked = {(row.accelerator.id, row.weights.id, row.activations.id, row.kv.id): row for row in rows}
    for row in checked.values():
        refusal = formats_supported(row.accelerator, row.weights, row.activations, row.kv)
        if refusal is not None:
            names = f"{row.weights.id}/{row.activations.id}/{row.kv.id}"
            raise ValueError(f"{row.accelerator.id} cannot run {names}: {refusal.value}")
    parts = Gather(row.accelerator for row in rows)
    return PartRates(
        memory_bytes=parts(lambda part: part.memory_bytes),
        memory_bytes_per_s=parts(lambda part: part.memory_bandwidth_bytes_per_s),
        bf16_flop_per_s=parts(lambda part: part.peak_flop_per_s[Precision.BF16]),
        multiprocessors=parts(lambda part: part.multiprocessors or 0),
    )


def kernel_fits(model: Model, rows: Sequence[ReplicaRow], tables: PhysicsTables) -> Fits:
    """Constants of every kernel that a step of `model` runs."""
    efficiency = tables.efficiency
    own = [_kernels(row.weights, row.activations) for row in rows]
    kept = [
        None if row.weights.attention_weights is None else tables.formats[row.weights.attention_weights] for row in rows
    ]
    attention = [kernels if other is None else other.kernels[0] for kernels, other in zip(own, kept, strict=True)]
    attention_formats = [row.weights if other is None else other for row, other in zip(rows, kept, strict=True)]
    bf16 = tables.formats["bf16"]
    keys = [row.kv.attention for row in rows]
    attention_keys = [key for key in keys if key is not None]
    dense = _gemm_fit(rows, own, [row.weights for row in rows], efficiency)
    return Fits(
        attention_gemm=_gemm_fit(rows, attention, attention_formats, efficiency),
        dense_gemm=dense,
        shared_gemm=_beside_routed(rows, dense),
        bf16_gemm=_gemm_fit(rows, [bf16.kernels[0]] * len(rows), [bf16] * len(rows), efficiency),
        experts=_expert_fit(rows, efficiency) if model.expert_layers else None,
        context=_context_fit(model, attention_keys, efficiency),
        decode=_decode_fit(model, rows, attention_keys, efficiency),
        kv_bytes=Gather(row.kv for row in rows)(_bytes),
        weights=WeightBytes(
            attention=Gather(attention_formats)(_bytes),
            dense=Gather(row.weights for row in rows)(_bytes),
            experts=Gather(row.experts for row in rows)(_bytes),
        ),
    )


def kernel_estimates(model: Model, row: ReplicaRow) -> Estimate:
    """Which of a row's kernels follow a rule."""
    found = Estimate.NONE
    if _kernels(row.weights, row.activations).gemm_evidence is Evidence.ESTIMATED:
        found |= Estimate.DENSE_KERNELS
    if model.expert_layers and _expert_kernels(row).experts_evidence is Evidence.ESTIMATED:
        found |= Estimate.EXPERT_KERNELS
    if row.accelerator.multiprocessors is None:
        found |= Estimate.NO_MULTIPROCESSORS
    return found


def _faster(fit: GemmFit, factor: float | Floats) -> GemmFit:
    return replace(fit, flop_per_s=fit.flop_per_s * factor, product_flop_s=fit.product_flop_s / factor)


def _bytes(form: NumberFormat) -> float:
    return form.bytes_per_element


def _kernels(weights: NumberFormat, activations: NumberFormat) -> Kernels:
    kernels = weights.kernels_for(activations.id)
    if kernels is None:
        raise ValueError(f"no kernel multiplies {weights.id} weights by {activations.id} activations")
    return kernels


def _expert_kernels(row: ReplicaRow) -> Kernels:
    """Experts in a format of their own run with its default activations where the row's do not apply."""
    return row.experts.kernels_for(row.activations.id) or row.experts.kernels[0]


def _peaks(rows: Sequence[ReplicaRow], precisions: Iterable[Precision]) -> Floats:
    wanted = [(row.accelerator.id, precision) for row, precision in zip(rows, precisions, strict=True)]
    parts = {row.accelerator.id: row.accelerator for row in rows}
    peaks = {(part, precision): parts[part].peak_flop_per_s[precision] for part, precision in set(wanted)}
    return np.array([peaks[key] for key in wanted], dtype=np.float64)


def _gemm_fit(
    rows: Sequence[ReplicaRow], kernels: Sequence[Kernels], formats: Sequence[NumberFormat], tables: EfficiencyTables
) -> GemmFit:
    constants = Gather(tables.gemm[kernel.gemm] for kernel in kernels)
    return GemmFit(
        launch_s=constants(lambda fit: fit.launch_s),
        compute_efficiency=constants(lambda fit: fit.compute_efficiency),
        bandwidth_efficiency=constants(lambda fit: fit.bandwidth_efficiency),
        serial_s_per_inner=constants(lambda fit: fit.serial_s_per_inner),
        activation_traffic_factor=constants(lambda fit: fit.activation_traffic_factor),
        occupancy_exponent=constants(lambda fit: fit.occupancy_exponent),
        wave_exponent=constants(lambda fit: fit.wave_exponent),
        flop_per_s=_peaks(rows, (kernel.gemm_precision for kernel in kernels)),
        weight_bytes=Gather(formats)(_bytes),
        product_flop_s=Gather(row.engine for row in rows)(lambda engine: engine.product_flop_s),
    )


def _beside_routed(rows: Sequence[ReplicaRow], dense: GemmFit) -> GemmFit:
    """Products of shared experts; on a stream of their own they start, and fill, while those of routed experts run.

    Bytes and FLOPs still add: both streams share the memory and the multiprocessors.
    """
    in_line = Gather(row.engine for row in rows)(lambda engine: not engine.shared_experts_overlap)
    return replace(dense, launch_s=dense.launch_s * in_line, serial_s_per_inner=dense.serial_s_per_inner * in_line)


def _expert_fit(rows: Sequence[ReplicaRow], tables: EfficiencyTables) -> ExpertFit:
    kernels = [_expert_kernels(row) for row in rows]
    constants = Gather(tables.experts[kernel.experts] for kernel in kernels)
    return ExpertFit(
        launch_s=constants(lambda fit: fit.launch_s),
        compute_efficiency=constants(lambda fit: fit.compute_efficiency),
        bandwidth_efficiency=constants(lambda fit: fit.bandwidth_efficiency),
        padding_rows_per_expert=constants(lambda fit: fit.padding_rows_per_expert),
        hot_rank_imbalance=constants(lambda fit: fit.hot_rank_imbalance),
        touched_exponent=constants(lambda fit: fit.touched_exponent),
        traffic_factor=constants(lambda fit: fit.traffic_factor),
        routed_token_s=constants(lambda fit: fit.routed_token_s),
        flop_per_s=_peaks(rows, (kernel.experts_precision for kernel in kernels)),
        weight_bytes=Gather(row.experts for row in rows)(_bytes),
    )


def _context_fit(model: Model, keys: Sequence[str], tables: EfficiencyTables) -> ContextFit:
    by_key = tables.context_latent if is_latent(model) else tables.context_attention
    constants = Gather(by_key[key] for key in keys)
    return ContextFit(
        launch_s=constants(lambda fit: fit.launch_s),
        compute_efficiency=constants(lambda fit: fit.compute_efficiency * _head_factor(model, fit)),
        wave_exponent=constants(lambda fit: fit.wave_exponent),
        serial_s_per_key=constants(lambda fit: fit.serial_s_per_key),
        traffic_factor=constants(lambda fit: fit.traffic_factor),
    )


def _decode_fit(
    model: Model, rows: Sequence[ReplicaRow], keys: Sequence[str], tables: EfficiencyTables
) -> DecodeFit | DecodeLatentFit:
    if is_latent(model):
        latent = Gather(tables.decode_latent[key] for key in keys)
        return DecodeLatentFit(
            launch_s=latent(lambda fit: fit.launch_s),
            compute_efficiency=latent(lambda fit: fit.compute_efficiency),
            bandwidth_efficiency=latent(lambda fit: fit.bandwidth_efficiency),
            sequence_s=latent(lambda fit: fit.sequence_s),
            least_heads=latent(lambda fit: fit.least_heads),
            cache_ramp_s=latent(lambda fit: fit.cache_ramp_s),
        )
    constants = Gather(tables.decode_attention[key] for key in keys)
    return DecodeFit(
        launch_s=constants(lambda fit: fit.launch_s),
        compute_efficiency=constants(lambda fit: fit.compute_efficiency),
        bandwidth_efficiency=constants(lambda fit: fit.bandwidth_efficiency * _decode_factor(model, fit)),
        unit_s_per_sequence_kv_head=constants(lambda fit: fit.unit_s_per_sequence_kv_head),
        unit_s_per_sequence_head=constants(lambda fit: fit.unit_s_per_sequence_head),
        read_per_query_head=Gather(row.engine for row in rows)(lambda engine: engine.cache_read_per_query_head),
    )


def _head_factor(model: Model, fit: ContextAttentionConstants) -> float:
    """Efficiency factor of the fitted head size nearest to the model's (the larger one at equal distance)."""
    factors = {256: fit.head_256_factor, 192: fit.head_192_factor, 128: 1.0, 64: fit.head_64_factor}
    return factors[min(factors, key=lambda size: abs(size - model.head_dim))]


def _decode_factor(model: Model, fit: DecodeAttentionConstants) -> float:
    """Decode kernels were fitted at head sizes 64 and 128; the nearest applies."""
    return fit.head_64_factor if model.head_dim < 96 else 1.0
