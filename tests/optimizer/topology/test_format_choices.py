import pytest

from catalog.formats import FormatRefusal
from catalog.read import Snapshot
from optimizer.topology.format_choices import FormatChoice, format_choices, native_refusal, own_format
from requirements_specs.serving import Formats


def choices(snapshot: Snapshot, model: str, asked: Formats | None = None) -> tuple[FormatChoice, ...]:
    return format_choices(snapshot.models[model], asked or Formats(), snapshot.formats)


def names(found: tuple[FormatChoice, ...]) -> list[tuple[str, str, str]]:
    return [(choice.weights, choice.activations, choice.kv) for choice in found]


@pytest.mark.parametrize(
    ("model", "weights"),
    [
        ("llama-3.1-70b", ["bf16", "fp8"]),
        ("deepseek-v3", ["fp8"]),
        ("gpt-oss-120b", ["mxfp4", "fp8"]),
    ],
)
def test_a_silent_spec_gets_the_checkpoint_s_own_format_and_fp8(
    snapshot: Snapshot, model: str, weights: list[str]
) -> None:
    found = choices(snapshot, model)
    assert [choice.weights for choice in found] == weights
    assert {choice.kv for choice in found} == {"bf16"}


def test_four_bit_weights_are_never_taken_unasked(snapshot: Snapshot) -> None:
    for model in snapshot.models.values():
        taken = {choice.weights for choice in format_choices(model, Formats(), snapshot.formats)}
        assert taken <= {own_format(model, snapshot.formats), "fp8"}
        assert not taken & {"int4", "nvfp4", "int8"}


def test_fp8_of_a_block_scaled_checkpoint_stays_block_scaled(snapshot: Snapshot) -> None:
    (native,) = choices(snapshot, "deepseek-v3")
    assert native.weight_format.id == "fp8_block"
    assert native.weight_bits == pytest.approx(8.0 + 32.0 / 128**2)
    assert [choice.weight_format.id for choice in choices(snapshot, "llama-3.1-8b")] == ["bf16", "fp8"]


def test_what_is_asked_is_taken_and_nothing_else(snapshot: Snapshot) -> None:
    asked = Formats(weights=("int4",), kv=("bf16", "fp8"))
    assert names(choices(snapshot, "llama-3.1-8b", asked)) == [("int4", "bf16", "bf16"), ("int4", "bf16", "fp8")]


def test_activations_choose_among_kernels(snapshot: Snapshot) -> None:
    both = choices(snapshot, "gpt-oss-120b", Formats(weights=("mxfp4",), activations=("bf16", "fp8")))
    assert names(both) == [("mxfp4", "bf16", "bf16"), ("mxfp4", "fp8", "bf16")]
    one = choices(snapshot, "gpt-oss-120b", Formats(weights=("mxfp4",), activations=("fp8",)))
    assert names(one) == [("mxfp4", "fp8", "bf16")]
    assert choices(snapshot, "llama-3.1-8b", Formats(weights=("bf16",), activations=("fp8",))) == ()


def test_bits_include_scales(snapshot: Snapshot) -> None:
    found = choices(snapshot, "llama-3.1-8b", Formats(weights=("bf16", "fp8", "int4", "nvfp4"), kv=("fp8",)))
    assert [choice.weight_bits for choice in found] == pytest.approx([16.0, 8.0, 4.0 + 20.0 / 128.0, 4.5])
    assert {choice.kv_bits for choice in found} == {8.0}


@pytest.mark.parametrize(
    ("part", "weights", "kv", "refusal"),
    [
        ("v100-sxm2-32gb", "bf16", "bf16", FormatRefusal.NO_BF16),
        ("t4-16gb", "bf16", "bf16", FormatRefusal.NO_BF16),
        ("a100-sxm-80gb", "bf16", "bf16", None),
        ("a100-sxm-80gb", "fp8", "bf16", FormatRefusal.NO_FP8),
        ("a100-sxm-80gb", "bf16", "fp8", FormatRefusal.NO_FP8_CACHE),
        ("h100-sxm-80gb", "fp8", "fp8", None),
        ("h100-sxm-80gb", "nvfp4", "bf16", FormatRefusal.NO_FP4),
        ("b200-sxm-180gb", "nvfp4", "fp8", None),
        ("l40s-48gb", "fp8", "bf16", None),
    ],
)
def test_parts_refuse_what_they_lack(
    snapshot: Snapshot, part: str, weights: str, kv: str, refusal: FormatRefusal | None
) -> None:
    (choice,) = choices(snapshot, "llama-3.1-8b", Formats(weights=(weights,), kv=(kv,)))
    assert native_refusal(snapshot.accelerators[part], choice) is refusal
