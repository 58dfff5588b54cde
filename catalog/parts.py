"""Accelerators and the links between them.

Units: bytes, bytes/s per direction, dense FLOP/s, watts.
"""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Precision(StrEnum):
    """Operand precision of a matrix unit; the key of a part's peak FLOP/s."""

    BF16 = "bf16"
    FP16 = "fp16"
    FP8 = "fp8"
    INT8 = "int8"
    FP4 = "fp4"


class LinkKind(StrEnum):
    """How accelerators of one scale-up domain reach each other."""

    NVLINK = "nvlink"
    NVLINK_BRIDGE = "nvlink_bridge"
    XGMI = "xgmi"
    PCIE = "pcie"
    ICI = "ici"
    NEURONLINK = "neuronlink"
    ETHERNET = "ethernet"
    NONE = "none"


class Evidence(StrEnum):
    """How a part's step times are known (DESIGN rule 6)."""

    MEASURED = "measured"
    CLASS = "class"
    ESTIMATED = "estimated"


class Frozen(BaseModel):
    """Base of every catalog entity: immutable, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Link(Frozen):
    """The scale-up link of one accelerator; bandwidths in bytes/s, one direction.

    `all_to_all_bytes_per_s` is what one accelerator can send to all its peers together, `pair_bytes_per_s` what one
    pair gets: equal behind a switch, a fraction on xGMI and on bridges. `domain` is the largest group it spans.
    """

    kind: LinkKind
    all_to_all_bytes_per_s: float | None
    pair_bytes_per_s: float | None
    domain: int


class Disagreement(Frozen):
    """A value of the same field that another source states."""

    field: str
    value: float
    source: str


class Accelerator(Frozen):
    """One part as sold: H100 SXM, PCIe and NVL are three parts.

    `kernel_table` names the rows of the efficiency tables that describe this part's die (None: not measured).
    `multiprocessors` is None where the unit has no meaning (TPU, Neuron, Gaudi) or no source.
    """

    id: str
    vendor: str
    architecture: str
    form_factor: str
    memory_bytes: int
    memory_bandwidth_bytes_per_s: float
    peak_flop_per_s: dict[Precision, float]
    multiprocessors: int | None
    link: Link
    pcie_bytes_per_s: float
    tdp_watts: float | None
    evidence: Evidence
    kernel_table: str | None
    confidence: str
    source: str
    as_of: str
    field_sources: dict[str, str] = {}
    disagrees: tuple[Disagreement, ...] = ()
    notes: str = ""
