"""Fitted constants of kernels and collectives: what fraction of a peak an operation reaches, and its fixed time.

One set per operation and number format serves every part ("class constants"); collectives are per part. A constant has
a meaning only inside its own equation (optimizer/arithmetic/roofline.py, attention.py, collectives.py). Authored as
`data/efficiency/*.csv` with the unit in the column name; SI here.
"""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from catalog.parts import Evidence, Frozen

Row = TypeVar("Row")

PER_MICRO = 1e6
PER_NANO = 1e9
GIGA = 1e9
KILO = 1e3


class Fit(Frozen):
    """How a set of constants was found: the median over `fits` single-part fits on `parts` parts.

    `leave_part_out_median_log_error` is the median |ln(predicted/measured)| of a kernel on a part left out of the fit.
    """

    fits: int
    parts: int
    leave_part_out_median_log_error: float
    source: str


class GemmConstants(Frozen):
    """Dense matrix multiply; see `roofline.gemm_seconds`."""

    launch_s: float
    compute_efficiency: float
    bandwidth_efficiency: float
    serial_s_per_inner: float
    activation_traffic_factor: float
    occupancy_exponent: float
    wave_exponent: float
    fit: Fit


class ContextAttentionConstants(Frozen):
    """Attention of new tokens; the head factors scale the compute efficiency at other head sizes than 128."""

    launch_s: float
    compute_efficiency: float
    head_64_factor: float
    head_192_factor: float
    head_256_factor: float
    wave_exponent: float
    serial_s_per_key: float
    traffic_factor: float
    fit: Fit


class DecodeAttentionConstants(Frozen):
    """Attention of one new token per sequence over its cache, keys and values per head."""

    launch_s: float
    compute_efficiency: float
    bandwidth_efficiency: float
    head_64_factor: float
    unit_s_per_sequence_kv_head: float
    unit_s_per_sequence_head: float
    fit: Fit


class DecodeLatentAttentionConstants(Frozen):
    """Attention of one new token per sequence over a compressed (MLA) cache."""

    launch_s: float
    compute_efficiency: float
    bandwidth_efficiency: float
    sequence_s: float
    least_heads: float
    cache_ramp_s: float
    fit: Fit


class ExpertConstants(Frozen):
    """Grouped matrix multiply of a mixture-of-experts layer."""

    launch_s: float
    compute_efficiency: float
    bandwidth_efficiency: float
    padding_rows_per_expert: float
    hot_rank_imbalance: float
    touched_exponent: float
    traffic_factor: float
    routed_token_s: float
    fit: Fit


class AllReduceConstants(Frozen):
    """All-reduce of b bytes: launch + ramp·min(1, b/ramp_bytes) + b/bandwidth, at the link it was measured on."""

    kernel_table: str
    library: str
    accelerators: int
    launch_s: float
    ramp_s: float
    ramp_bytes: float
    bandwidth_bytes_per_s: float
    link_bytes_per_s: float
    source: str


class AllToAllConstants(Frozen):
    """Expert dispatch and combine across more than eight ranks: launch + routed bytes of one rank / bandwidth."""

    kernel_table: str
    ep: int
    dispatch_launch_s: float
    dispatch_bytes_per_s: float
    combine_launch_s: float
    combine_bytes_per_s: float
    source: str


class MeasuredSpread(Frozen):
    """Where nine of ten measured step times lie: from 1/faster_factor to slower_factor times their prediction.

    Of parts of one evidence with an engine era and a weight format; optimizer/calibration/spread.py found it from
    `groups` of one model on one part, of `runs` together.
    """

    evidence: Evidence
    engine: str
    weights: str
    slower_factor: float
    faster_factor: float
    groups: int
    runs: int
    source: str


class EfficiencyTables(Frozen):
    """Every fitted constant, by kernel name (the `gemm`, `experts`, `attention` keys of a number format)."""

    gemm: dict[str, GemmConstants]
    context_attention: dict[str, ContextAttentionConstants]
    context_latent: dict[str, ContextAttentionConstants]
    decode_attention: dict[str, DecodeAttentionConstants]
    decode_latent: dict[str, DecodeLatentAttentionConstants]
    experts: dict[str, ExpertConstants]
    all_reduce: tuple[AllReduceConstants, ...]
    all_to_all: tuple[AllToAllConstants, ...]
    step_spread: tuple[MeasuredSpread, ...]


class _Cells:
    """One CSV row whose cells are read by name; a missing or empty cell raises."""

    def __init__(self, cells: dict[str, str]) -> None:
        self._cells = cells

    def text(self, column: str) -> str:
        value = self._cells[column]
        if not value:
            raise ValueError(f"column {column!r} is empty in {self._cells}")
        return value

    def number(self, column: str) -> float:
        return float(self.text(column))

    def microseconds(self, column: str) -> float:
        return self.number(column) / PER_MICRO

    def nanoseconds(self, column: str) -> float:
        return self.number(column) / PER_NANO

    def fit(self) -> Fit:
        return Fit(
            fits=int(self.text("fits")),
            parts=int(self.text("parts")),
            leave_part_out_median_log_error=self.number("leave_part_out_median_log_error"),
            source=self.text("source"),
        )


def read_authored(data_dir: Path) -> EfficiencyTables:
    """Read `data_dir/efficiency/*.csv`; raises KeyError or ValueError on a missing column or a non-number."""
    folder = data_dir / "efficiency"

    def table(name: str, build: Callable[[_Cells], Row]) -> dict[str, Row]:
        rows = _rows(folder / name)
        entries = {row.text("kernel"): build(row) for row in rows}
        if len(entries) != len(rows):
            raise ValueError(f"{name} names a kernel twice")
        return entries

    return EfficiencyTables(
        gemm=table("gemm.csv", _gemm),
        context_attention=table("context_attention.csv", _context_attention),
        context_latent=table("context_mla.csv", _context_latent),
        decode_attention=table("decode_attention.csv", _decode_attention),
        decode_latent=table("decode_mla.csv", _decode_latent),
        experts=table("experts.csv", _experts),
        all_reduce=tuple(_all_reduce(row) for row in _rows(folder / "collectives.csv")),
        all_to_all=tuple(_all_to_all(row) for row in _rows(folder / "all_to_all.csv")),
        step_spread=tuple(_step_spread(row) for row in _rows(folder / "step_spread.csv")),
    )


def _rows(path: Path) -> list[_Cells]:
    with path.open(encoding="utf-8", newline="") as file:
        return [_Cells(row) for row in csv.DictReader(file)]


def _gemm(row: _Cells) -> GemmConstants:
    return GemmConstants(
        launch_s=row.microseconds("launch_us"),
        compute_efficiency=row.number("compute_efficiency"),
        bandwidth_efficiency=row.number("bandwidth_efficiency"),
        serial_s_per_inner=row.microseconds("serial_us_per_8192_inner") / 8192,
        activation_traffic_factor=row.number("activation_traffic_factor"),
        occupancy_exponent=row.number("occupancy_exponent"),
        wave_exponent=row.number("wave_exponent"),
        fit=row.fit(),
    )


def _context_attention(row: _Cells) -> ContextAttentionConstants:
    return ContextAttentionConstants(
        launch_s=row.microseconds("launch_us"),
        compute_efficiency=row.number("compute_efficiency"),
        head_64_factor=row.number("head_64_factor"),
        head_192_factor=row.number("head_192_factor"),
        head_256_factor=row.number("head_256_factor"),
        wave_exponent=row.number("wave_exponent"),
        serial_s_per_key=row.nanoseconds("serial_ns_per_key"),
        traffic_factor=row.number("traffic_factor"),
        fit=row.fit(),
    )


def _context_latent(row: _Cells) -> ContextAttentionConstants:
    return ContextAttentionConstants(
        launch_s=row.microseconds("launch_us"),
        compute_efficiency=row.number("compute_efficiency"),
        # fitted at the one head size that MLA has, so there is nothing to scale
        head_64_factor=1.0,
        head_192_factor=1.0,
        head_256_factor=1.0,
        wave_exponent=row.number("wave_exponent"),
        serial_s_per_key=row.nanoseconds("serial_ns_per_key"),
        traffic_factor=row.number("traffic_factor"),
        fit=row.fit(),
    )


def _decode_attention(row: _Cells) -> DecodeAttentionConstants:
    return DecodeAttentionConstants(
        launch_s=row.microseconds("launch_us"),
        compute_efficiency=row.number("compute_efficiency"),
        bandwidth_efficiency=row.number("bandwidth_efficiency"),
        head_64_factor=row.number("head_64_factor"),
        unit_s_per_sequence_kv_head=row.nanoseconds("unit_ns_per_sequence_kv_head"),
        unit_s_per_sequence_head=row.nanoseconds("unit_ns_per_sequence_head"),
        fit=row.fit(),
    )


def _decode_latent(row: _Cells) -> DecodeLatentAttentionConstants:
    return DecodeLatentAttentionConstants(
        launch_s=row.microseconds("launch_us"),
        compute_efficiency=row.number("compute_efficiency"),
        bandwidth_efficiency=row.number("bandwidth_efficiency"),
        sequence_s=row.nanoseconds("ns_per_sequence"),
        least_heads=row.number("least_heads"),
        cache_ramp_s=row.microseconds("cache_ramp_us"),
        fit=row.fit(),
    )


def _experts(row: _Cells) -> ExpertConstants:
    return ExpertConstants(
        launch_s=row.microseconds("launch_us"),
        compute_efficiency=row.number("compute_efficiency"),
        bandwidth_efficiency=row.number("bandwidth_efficiency"),
        padding_rows_per_expert=row.number("padding_rows_per_expert"),
        hot_rank_imbalance=row.number("hot_rank_imbalance"),
        touched_exponent=row.number("touched_exponent"),
        traffic_factor=row.number("traffic_factor"),
        routed_token_s=row.nanoseconds("ns_per_routed_token"),
        fit=row.fit(),
    )


def _all_reduce(row: _Cells) -> AllReduceConstants:
    return AllReduceConstants(
        kernel_table=row.text("kernel_table"),
        library=row.text("library"),
        accelerators=int(row.text("accelerators")),
        launch_s=row.microseconds("launch_us"),
        ramp_s=row.microseconds("ramp_us"),
        ramp_bytes=row.number("ramp_kb") * KILO,
        bandwidth_bytes_per_s=row.number("bandwidth_gb_per_s") * GIGA,
        link_bytes_per_s=row.number("link_gb_per_s") * GIGA,
        source=f"{row.text('kernel')} {row.text('version')}: {row.text('source')}",
    )


def _all_to_all(row: _Cells) -> AllToAllConstants:
    return AllToAllConstants(
        kernel_table=row.text("kernel_table"),
        ep=int(row.text("ep")),
        dispatch_launch_s=row.microseconds("dispatch_launch_us"),
        dispatch_bytes_per_s=row.number("dispatch_gb_per_s") * GIGA,
        combine_launch_s=row.microseconds("combine_launch_us"),
        combine_bytes_per_s=row.number("combine_gb_per_s") * GIGA,
        source=f"DeepEP low latency, engine {row.text('version')}: {row.text('source')}",
    )


def _step_spread(row: _Cells) -> MeasuredSpread:
    return MeasuredSpread(
        evidence=Evidence(row.text("evidence")),
        engine=row.text("engine"),
        weights=row.text("weights"),
        slower_factor=row.number("slower_factor"),
        faster_factor=row.number("faster_factor"),
        groups=int(row.text("groups")),
        runs=int(row.text("runs")),
        source=row.text("source"),
    )
