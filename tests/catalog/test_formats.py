from pathlib import Path

import pytest

import catalog
from catalog.formats import FormatRefusal, formats_supported, read_authored, resolve
from catalog.parts import Evidence, Precision
from catalog.read import Snapshot

DATA = Path(catalog.__file__).parent / "data"


def refusal(
    snapshot: Snapshot, part: str, weights: str, kv: str = "bf16", activations: str = ""
) -> FormatRefusal | None:
    form = snapshot.formats[weights]
    default = form.kernels[0].activations if form.kernels else "bf16"
    return formats_supported(
        snapshot.accelerator(part), form, snapshot.formats[activations or default], snapshot.formats[kv]
    )


@pytest.mark.parametrize(
    ("part", "weights", "kv", "reason"),
    [
        ("v100-sxm2-32gb", "bf16", "bf16", FormatRefusal.NO_BF16),
        ("v100-sxm2-32gb", "fp16", "bf16", FormatRefusal.NO_BF16),
        ("t4-16gb", "int8", "bf16", FormatRefusal.NO_BF16),
        ("a100-sxm-80gb", "fp8", "bf16", FormatRefusal.NO_FP8),
        ("a100-sxm-80gb", "int8", "bf16", None),
        ("a100-sxm-80gb", "bf16", "fp8", FormatRefusal.NO_FP8_CACHE),
        ("h100-sxm-80gb", "fp8", "fp8", None),
        ("h100-sxm-80gb", "nvfp4", "bf16", FormatRefusal.NO_FP4),
        ("b200-sxm-180gb", "nvfp4", "fp8", None),
        ("l40s-48gb", "int4", "bf16", None),
        ("h100-sxm-80gb", "bf16", "int8", FormatRefusal.NOT_FOR_CACHE),
    ],
)
def test_a_part_runs_what_it_has_units_for(snapshot, part, weights, kv, reason) -> None:
    assert refusal(snapshot, part, weights, kv) is reason


def test_activations_need_a_kernel(snapshot: Snapshot) -> None:
    assert refusal(snapshot, "h100-sxm-80gb", "bf16", activations="fp8") is FormatRefusal.NO_KERNEL
    assert refusal(snapshot, "h100-sxm-80gb", "mxfp4", activations="fp8") is None
    assert refusal(snapshot, "a100-sxm-80gb", "mxfp4", activations="fp8") is FormatRefusal.NO_FP8
    assert refusal(snapshot, "a100-sxm-80gb", "mxfp4") is None


def test_a_format_without_kernels_stores_no_weights(snapshot: Snapshot) -> None:
    bare = snapshot.formats["fp8"].model_copy(update={"kernels": ()})
    bf16 = snapshot.formats["bf16"]
    part = snapshot.accelerator("h100-sxm-80gb")
    assert formats_supported(part, bare, bf16, bf16) is FormatRefusal.NOT_FOR_WEIGHTS


def test_every_reason_is_a_sentence_for_people() -> None:
    assert all(" " in reason.value and reason.value[0].islower() for reason in FormatRefusal)
    assert {precision.name for precision in Precision} <= {reason.name.removeprefix("NO_") for reason in FormatRefusal}


def test_fp8_means_the_block_variant_for_checkpoints_native_in_it(snapshot: Snapshot) -> None:
    assert resolve(snapshot.formats, "fp8", "fp8_block").id == "fp8_block"
    assert resolve(snapshot.formats, "fp8", "bf16").id == "fp8"
    with pytest.raises(KeyError):
        resolve(snapshot.formats, "fp7", "bf16")


def test_authored_formats_name_fitted_kernels(snapshot: Snapshot) -> None:
    formats = read_authored(DATA)
    assert set(formats) == {"bf16", "fp16", "fp8", "fp8_block", "int8", "nvfp4", "int4", "mxfp4"}
    for form in formats.values():
        for kernels in form.kernels:
            assert kernels.gemm in snapshot.efficiency.gemm
            assert kernels.experts in snapshot.efficiency.experts
            assert kernels.activations in formats
            ruled = Evidence.ESTIMATED in (kernels.gemm_evidence, kernels.experts_evidence)
            assert kernels.rule or not ruled
        if form.attention is not None:
            assert form.attention in snapshot.efficiency.decode_attention
            assert form.attention in snapshot.efficiency.context_latent


def test_sizes_include_scales(snapshot: Snapshot) -> None:
    sizes = {name: form.bytes_per_element for name, form in snapshot.formats.items()}
    assert sizes["nvfp4"] == (4 + 8 / 16) / 8
    assert sizes["mxfp4"] == (4 + 8 / 32) / 8
    assert sizes["int4"] == (4 + (16 + 4) / 128) / 8
    assert sizes["fp8_block"] == 1 + 4 / 128**2
