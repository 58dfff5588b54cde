"""What engines and dashboards call the quantization of weights, as formats of the catalog."""

# In lower case; None: the checkpoint says which.
QUANTIZATION: dict[str, str | None] = {
    "awq": "int4",
    "awq_marlin": "int4",
    "gptq": "int4",
    "gptq_marlin": "int4",
    "moe_wna16": "int4",
    "fp8": "fp8",
    "fp8_per_tensor": "fp8",
    "fp8_per_block": "fp8",
    "w8a8_fp8": "fp8",
    "modelopt": "fp8",
    "modelopt_fp8": "fp8",
    "w8a8_int8": "int8",
    "fp4": "nvfp4",
    "modelopt_fp4": "nvfp4",
    "nvfp4": "nvfp4",
    "mxfp4": "mxfp4",
    "compressed-tensors": None,
    "quark": None,
    "auto": None,
    "none": None,
}
