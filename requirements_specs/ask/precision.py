"""Number formats of weights and of the KV cache."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from requirements_specs.ask.reading import Reading
from requirements_specs.ask.vocabulary import Vocabulary


@dataclass(frozen=True)
class Precision:
    """Formats of weights and of the KV cache that are named; empty where none is."""

    weights: tuple[str, ...] = ()
    kv: tuple[str, ...] = ()


_FORMAT_NAMES: Mapping[str, tuple[str, ...]] = {
    "bf16": ("bf16",), "bfloat16": ("bf16",), "fp16": ("fp16",), "float16": ("fp16",), "half precision": ("fp16",),
    "unquantized": ("bf16",), "unquantised": ("bf16",), "16-bit": ("bf16", "fp16"), "16 bit": ("bf16", "fp16"),
    "fp8": ("fp8",), "w8a8": ("fp8", "int8"), "int8": ("int8",), "8-bit": ("fp8", "int8"), "8 bit": ("fp8", "int8"),
    "int4": ("int4",), "awq": ("int4",), "gptq": ("int4",), "w4a16": ("int4",), "4-bit": ("int4",), "4 bit": ("int4",),
    "fp4": ("nvfp4",), "nvfp4": ("nvfp4",), "mxfp4": ("mxfp4",),
}  # fmt: skip
_FORMAT = "|".join(map(re.escape, sorted(_FORMAT_NAMES, key=len, reverse=True)))
_KV = re.compile(
    rf"(?<![\w])(?:(?P<before>{_FORMAT}) kv(?:[- ]cache)?"
    rf"|kv(?:[- ]cache)?(?: (?:in|at|as|dtype))? ?=?:?(?P<after>{_FORMAT}))(?![\w])"
)
_WEIGHTS = re.compile(rf"(?<![a-z0-9])(?:{_FORMAT})(?:[- ](?:weights|quantized|quantization|precision))?(?![a-z0-9])")
_UNQUANTIZED = re.compile(
    r"(?<!\w)(?:(?:no|not|non|without|avoid)[- ](?:any )?quanti[sz](?:ation|ed|ing)|(?:don't|do not) quanti[sz]e)(?!\w)"
)
_OTHER_BITS = re.compile(r"(?<![\w.])\d{1,2}[- ]?bits?(?!\w)")


def read_precision(reading: Reading, vocabulary: Vocabulary) -> Precision:
    """Read number formats; `8-bit` allows every format of that width that the catalog holds."""
    known = vocabulary.names.formats
    kv: list[str] = []
    weights: list[str] = []
    for match in reading.take(_KV):
        kv += _formats(reading, match, match["before"] or match["after"], known)
    for match in reading.take(_WEIGHTS):
        written = next(name for name in sorted(_FORMAT_NAMES, key=len, reverse=True) if match[0].startswith(name))
        weights += _formats(reading, match, written, known)
    for match in reading.take(_UNQUANTIZED):
        weights += _formats(reading, match, "unquantized", known)
    for match in reading.take(_OTHER_BITS):
        allowed = ", ".join(sorted(known))
        reading.refuse(match.start(), "formats.weights", "no format has this width", read=match[0], allowed=allowed)
    return Precision(weights=tuple(dict.fromkeys(weights)), kv=tuple(dict.fromkeys(kv)))


def _formats(reading: Reading, match: re.Match[str], written: str, known: Iterable[str]) -> list[str]:
    formats = [name for name in _FORMAT_NAMES[written] if name in known]
    if not formats:
        reading.refuse(
            match.start(), "formats.weights", "unknown format", read=written, allowed=", ".join(sorted(known))
        )
    elif formats != [written]:
        reading.note("formats", " or ".join(formats), f"{written} is read as this")
    return formats
