"""Number formats as engines and checkpoints name them."""

from __future__ import annotations

import re

from catalog.quantization import QUANTIZATION
from optimizer.diagnose.launch.launch import LaunchError
from requirements_specs.known import nearest

KV_CACHE = {
    "auto": None,
    "bfloat16": "bf16",
    "bf16": "bf16",
    "float16": "bf16",
    "fp8": "fp8",
    "fp8_e4m3": "fp8",
    "fp8_e5m2": "fp8",
    "fp8_inc": "fp8",
}
HALF_PRECISION = frozenset({"half", "float16"})
FULL_PRECISION = frozenset({"auto", "bfloat16", "bf16"})
# The ends of checkpoint names, the longest first.
_CHECKPOINT_ENDS = (
    (r"(?:quantized[-_.])?w4a16|awq(?:-int4|-marlin)?|gptq(?:-int4|-int8)?|int4|4bit", "int4"),
    (r"(?:quantized[-_.])?w8a8|int8", "int8"),
    (r"nvfp4|fp4", "nvfp4"),
    (r"mxfp4", "mxfp4"),
    (r"fp8(?:-dynamic|-block|-kv)?", "fp8"),
    (r"bf16", "bf16"),
)


def weights_of(quantization: str) -> str | None:
    """The weight format that a value of the quantization flag means; LaunchError with the nearest if none."""
    return _known(quantization, QUANTIZATION, "quantization")


def kv_of(kv_cache_dtype: str) -> str | None:
    """The KV format that a cache type means; LaunchError with the nearest if none."""
    return _known(kv_cache_dtype, KV_CACHE, "KV cache type")


def is_half_precision(dtype: str) -> bool:
    """Whether a dtype is float16; LaunchError for one that no engine serves at the speed that is predicted."""
    if dtype in HALF_PRECISION:
        return True
    if dtype in FULL_PRECISION:
        return False
    raise LaunchError(
        f"dtype {dtype!r} is not predicted; predicted: {', '.join(sorted(HALF_PRECISION | FULL_PRECISION))}"
    )


def checkpoint_format(name: str) -> tuple[str, str | None]:
    """A checkpoint's name without the end that names its weight format, and that format."""
    for pattern, found in _CHECKPOINT_ENDS:
        match = re.search(rf"[-_.](?:{pattern})$", name, flags=re.IGNORECASE)
        if match is not None:
            return name[: match.start()], found
    return name, None


def _known(value: str, known: dict[str, str | None], noun: str) -> str | None:
    key = value.lower()
    if key not in known:
        near = nearest(key, known)
        raise LaunchError(
            f"{noun} {value!r} is not predicted; predicted: {', '.join(known)}"
            + (f"; nearest: {', '.join(near)}" if near else "")
        )
    return known[key]
