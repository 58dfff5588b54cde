"""Number formats as choices of the search.

Formats are a quality decision of the user: a silent spec gets the checkpoint's own weight format and fp8 weights where
the part has an fp8 unit, with a bf16 KV cache. Lower formats are never taken unasked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from catalog.formats import FormatRefusal, NumberFormat, formats_supported, resolve
from catalog.models import Model
from catalog.parts import Accelerator
from requirements_specs.serving import Formats

DEFAULT_LOWER_WEIGHTS = "fp8"
DEFAULT_KV = "bf16"


@dataclass(frozen=True)
class FormatChoice:
    """Weights, activations and KV cache of a design; the names are those of the spec and the report.

    `weight_format` is the variant that `weights` means for the checkpoint (block-scaled fp8 for one native in it).
    """

    weights: str
    activations: str
    kv: str
    weight_format: NumberFormat = field(compare=False, repr=False)
    activation_format: NumberFormat = field(compare=False, repr=False)
    kv_format: NumberFormat = field(compare=False, repr=False)

    @property
    def weight_bits(self) -> float:
        """Bits per weight."""
        return 8.0 * self.weight_format.bytes_per_element

    @property
    def kv_bits(self) -> float:
        """Bits per cached value."""
        return 8.0 * self.kv_format.bytes_per_element


def own_format(model: Model, formats: Mapping[str, NumberFormat]) -> str:
    """Name under which a spec asks for the checkpoint's own weight format."""
    variants = (name for name, known in formats.items() if known.native_variant.get(model.native_format))
    return next(variants, model.native_format)


def format_choices(model: Model, asked: Formats, formats: Mapping[str, NumberFormat]) -> tuple[FormatChoice, ...]:
    """Every combination of formats that the spec allows and some kernel computes."""
    if asked.weights is None:
        own = own_format(model, formats)
        weights: tuple[str, ...] = tuple(dict.fromkeys((own, DEFAULT_LOWER_WEIGHTS)))
    else:
        weights = asked.weights
    choices = []
    for name in weights:
        weight_format = resolve(formats, name, model.native_format)
        for kernels in weight_format.kernels[:1] if asked.activations is None else weight_format.kernels:
            if asked.activations is not None and kernels.activations not in asked.activations:
                continue
            choices += [
                FormatChoice(name, kernels.activations, kv, weight_format, formats[kernels.activations], formats[kv])
                for kv in (asked.kv or (DEFAULT_KV,))
            ]
    return tuple(choices)


def native_refusal(accelerator: Accelerator, choice: FormatChoice) -> FormatRefusal | None:
    """Why a part cannot run a choice, or None."""
    return formats_supported(accelerator, choice.weight_format, choice.activation_format, choice.kv_format)
