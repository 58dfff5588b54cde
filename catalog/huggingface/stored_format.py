"""The number format in which a checkpoint stores its weights, as an id of the catalog's formats.

A scheme that no format of the catalog describes is refused: its bytes or its kernels would be guessed.
"""

from collections.abc import Callable, Mapping

from catalog.fields import Fields

DTYPES = {"bfloat16": "bf16", "float16": "fp16", "float32": "bf16"}
CAST = "float32"
FP8_BLOCK = [128, 128]
# weights to a scale; -1 and null are a scale per output channel or fewer
CHANNELS = (-1, None)
INT4_GROUPS = (128, *CHANNELS)
NVFP4_GROUPS = (16,)
_BITS = 64


def stored_format(config: Fields, language: Fields) -> str:
    """Return the format of the weights.

    `config` is the whole file, `language` its part for the language model (the same in most files): the quantization
    stands in either, and so does the type of a checkpoint that is not quantized. Raises FileError.
    """
    for place in (config, language):
        scheme = place.section("quantization_config")
        if scheme is not None:
            return _quantized(scheme)
    for place in (language, config):
        for key in ("dtype", "torch_dtype"):
            if key in place:
                dtype = place.name(key, tuple(DTYPES))
                if dtype == CAST:
                    language.taken.append(f"bf16 for {CAST} weights, which engines cast when they load them")
                return DTYPES[dtype]
    raise config.error("dtype", "this key is missing", allowed=f"{', '.join(DTYPES)}; or a quantization_config")


def modelopt_format(file: Fields) -> str:
    """Return the format that ModelOpt's own `hf_quant_config.json` states beside a config; raises FileError."""
    scheme = file.section("quantization")
    if scheme is None:
        raise file.error("quantization", "this key is missing", allowed="{quant_algo: FP8}")
    return _modelopt(scheme)


def _quantized(scheme: Fields) -> str:
    if "quant_method" not in scheme and "quant_algo" in scheme:
        return _modelopt(scheme)
    return _SCHEMES[scheme.name("quant_method", tuple(_SCHEMES))](scheme)


def _fp8(scheme: Fields, block_key: str = "weight_block_size") -> str:
    block = scheme.value(block_key)
    if block is None:
        return "fp8"
    if block != FP8_BLOCK:
        raise scheme.error(block_key, "other blocks cannot be counted", allowed=f"{FP8_BLOCK}, or none")
    return "fp8_block"


def _int4(scheme: Fields) -> str:
    """AWQ and GPTQ: 4-bit weights, 16-bit activations."""
    bits = scheme.count("bits", _BITS)
    if bits != 4:
        raise scheme.error("bits", f"{bits}-bit weights alone cannot be counted", allowed="4", fix="4")
    _refuse_other_groups(scheme, INT4_GROUPS)
    return "int4"


def _refuse_other_groups(scheme: Fields, sizes: tuple[int | None, ...]) -> None:
    if scheme.value("group_size") not in sizes:
        allowed = " or ".join("null" if size is None else f"{size}" for size in sizes)
        raise scheme.error("group_size", "scales of other groups cannot be counted", allowed=allowed)


def _modelopt(scheme: Fields) -> str:
    return {"FP8": "fp8", "NVFP4": "nvfp4"}[scheme.name("quant_algo", ("FP8", "NVFP4"))]


def _compressed_tensors(scheme: Fields) -> str:
    """Return the format of compressed-tensors: one group of layers, with a scheme for weights and for activations."""
    groups = scheme.section("config_groups")
    if groups is None or len(groups.keys()) != 1:
        raise scheme.error("config_groups", "several schemes in one model cannot be counted", allowed="one group")
    (name,) = groups.keys()
    group = groups.section(name)
    weights = None if group is None else group.section("weights")
    if group is None or weights is None:
        raise groups.error(name, "weights are missing", allowed="weights: {num_bits, type, strategy}")
    activations = group.section("input_activations")
    found = (_kind(weights), None if activations is None else _kind(activations))
    if found == ("float8", "float8"):
        if "block_structure" not in weights:
            _refuse_other_groups(weights, CHANNELS)
        return _fp8(weights, "block_structure")
    if found == ("int8", "int8"):
        _refuse_other_groups(weights, CHANNELS)
        return "int8"
    if found == ("int4", None):
        _refuse_other_groups(weights, INT4_GROUPS)
        return "int4"
    if found == ("float4", "float4"):
        _refuse_other_groups(weights, NVFP4_GROUPS)
        return "nvfp4"
    allowed = "float8 with float8, int8 with int8, int4 alone, float4 with float4 activations"
    raise groups.error(name, "this scheme cannot be counted", allowed=allowed)


def _kind(numbers: Fields) -> str:
    """Return `int4`, `float8`, …."""
    return f"{numbers.name('type', ('int', 'float'))}{numbers.count('num_bits', _BITS)}"


_SCHEMES: Mapping[str, Callable[[Fields], str]] = {
    "fp8": _fp8,
    "fbgemm_fp8": lambda _: "fp8",
    "mxfp4": lambda _: "mxfp4",
    "awq": _int4,
    "gptq": _int4,
    "compressed-tensors": _compressed_tensors,
    "modelopt": _modelopt,
}
