"""Number formats of weights, activations and the KV cache, and which part can run them.

A weight format names the kernels that serve it, the matrix unit they use and whether their constants were fitted or
follow a named rule. Sizes are bytes per element, scales included.
"""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from pydantic import Field

from catalog.parts import Accelerator, Evidence, Frozen, Precision


class Kernels(Frozen):
    """The kernels of one weight format with one activation format.

    `gemm` and `experts` are keys of the efficiency tables, for dense layers and for experts; the precisions are the
    matrix units whose peaks they are fractions of. A format that no dense kernel was fitted for takes another's by the
    rule in `rule`, and is then estimated.
    """

    activations: str
    gemm: str
    gemm_precision: Precision
    gemm_evidence: Evidence
    experts: str
    experts_precision: Precision
    experts_evidence: Evidence
    rule: str = ""


class NumberFormat(Frozen):
    """One storage format.

    `kernels` is empty for a format in which weights are not stored, its first entry is the default. `attention` is the
    key of the attention kernels if the KV cache can be stored in it. `attention_weights` is the format that published
    checkpoints keep for the attention projections (None: the format itself). `native_variant` maps a checkpoint's own
    format to the variant that this format means for it.
    """

    id: str
    label: str
    bytes_per_element: float
    kernels: tuple[Kernels, ...] = ()
    attention: str | None = None
    cache_precision: Precision | None = None
    attention_weights: str | None = None
    native_variant: dict[str, str] = Field(default_factory=dict)
    source: str
    as_of: str

    def kernels_for(self, activations: str) -> Kernels | None:
        """The kernels that multiply weights of this format by `activations`, or None if there are none."""
        return next((kernels for kernels in self.kernels if kernels.activations == activations), None)


class FormatRefusal(StrEnum):
    """Why a part cannot run a set of formats; the value is the reason for people."""

    NO_BF16 = "the part has no bf16 matrix unit, which attention and unquantised layers need"
    NO_FP16 = "the part has no fp16 matrix unit"
    NO_FP8 = "the part has no fp8 matrix unit"
    NO_INT8 = "the part has no int8 matrix unit"
    NO_FP4 = "the part has no fp4 matrix unit"
    NO_FP8_CACHE = "the part has no fp8 unit, so an fp8 KV cache is neither native nor measured on it"
    NOT_FOR_WEIGHTS = "the format does not store weights"
    NOT_FOR_CACHE = "the format does not store a KV cache"
    NO_KERNEL = "no kernel multiplies weights of that format by those activations"


_MISSING_UNIT = {
    Precision.BF16: FormatRefusal.NO_BF16,
    Precision.FP16: FormatRefusal.NO_FP16,
    Precision.FP8: FormatRefusal.NO_FP8,
    Precision.INT8: FormatRefusal.NO_INT8,
    Precision.FP4: FormatRefusal.NO_FP4,
}


def formats_supported(
    accelerator: Accelerator, weights: NumberFormat, activations: NumberFormat, cache: NumberFormat
) -> FormatRefusal | None:
    """Why `accelerator` cannot serve these formats, or None if it can."""
    if Precision.BF16 not in accelerator.peak_flop_per_s:
        return FormatRefusal.NO_BF16
    if not weights.kernels:
        return FormatRefusal.NOT_FOR_WEIGHTS
    kernels = weights.kernels_for(activations.id)
    if kernels is None:
        return FormatRefusal.NO_KERNEL
    for precision in (kernels.gemm_precision, kernels.experts_precision):
        if precision not in accelerator.peak_flop_per_s:
            return _MISSING_UNIT[precision]
    if cache.attention is None:
        return FormatRefusal.NOT_FOR_CACHE
    if cache.cache_precision is not None and cache.cache_precision not in accelerator.peak_flop_per_s:
        return FormatRefusal.NO_FP8_CACHE
    return None


def resolve(formats: Mapping[str, NumberFormat], asked: str, native_format: str) -> NumberFormat:
    """The weight format that `asked` means for a checkpoint stored in `native_format`; KeyError if unknown.

    For example `fp8` is block-scaled fp8 for a checkpoint that is native in it.
    """
    return formats[formats[asked].native_variant.get(native_format, asked)]


def read_authored(data_dir: Path) -> dict[str, NumberFormat]:
    """Read `data_dir/formats.yaml`; pydantic errors name what is wrong with an entry."""
    import yaml  # a run loads the compiled snapshot and never needs the parser

    entries = yaml.safe_load((data_dir / "formats.yaml").read_text(encoding="utf-8"))
    return {name: NumberFormat(id=name, **fields) for name, fields in entries.items()}
