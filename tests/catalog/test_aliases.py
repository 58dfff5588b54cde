import pytest

from catalog.aliases import alias_table, normal_form
from catalog.errors import CatalogError
from catalog.read import Snapshot

# name and form factor as price lists write them; what is missing here has no part
OFFER_NAMES = {
    "A10 PCIe": "a10-24gb",
    "A10G PCIe": "a10g-24gb",
    "A100-40GB SXM": "a100-sxm-40gb",
    "A100-40GB PCIe": "a100-pcie-40gb",
    "A100-80GB SXM": "a100-sxm-80gb",
    "A100-80GB PCIe": "a100-pcie-80gb",
    "A100-80GB PCIe+NVLink bridge": "a100-pcie-80gb",
    "B200 SXM": "b200-sxm-180gb",
    "B300 SXM": "b300-sxm-270gb",
    "GB200 NVL72": "gb200-186gb",
    "GH200 Superchip": "gh200-96gb",
    "H100 SXM": "h100-sxm-80gb",
    "H100-PCIe PCIe": "h100-pcie-80gb",
    "H100-PCIe PCIe+NVLink bridge": "h100-pcie-80gb",
    "H100-NVL NVL": "h100-nvl-94gb",
    "H200 SXM": "h200-sxm-141gb",
    "Inferentia2": "inferentia2",
    "L4 PCIe": "l4-24gb",
    "L40 PCIe": "l40-48gb",
    "L40S PCIe": "l40s-48gb",
    "MI300X OAM": "mi300x-192gb",
    "RTX-4090 PCIe": "rtx-4090-24gb",
    "RTX-6000-Ada PCIe": "rtx-6000-ada-48gb",
    "RTX-A6000 PCIe": "rtx-a6000-48gb",
    "RTX-PRO-6000-SE PCIe": "rtx-pro-6000-96gb",
    "T4 PCIe": "t4-16gb",
    "TPU-v4 TPU slice": "tpu-v4",
    "TPU-v5e TPU slice": "tpu-v5e",
    "TPU-v5p TPU slice": "tpu-v5p",
    "TPU-v6e TPU slice": "tpu-v6e",
    "Trainium1": "trainium1",
    "V100-16GB SXM": "v100-sxm2-16gb",
    "V100-32GB SXM": "v100-sxm2-32gb",
}


@pytest.mark.parametrize(("name", "expected"), OFFER_NAMES.items())
def test_names_of_price_lists(snapshot: Snapshot, name: str, expected: str) -> None:
    assert snapshot.accelerator(name).id == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("H100-SXM-80GB", "h100-sxm-80gb"),
        ("h100_sxm", "h100-sxm-80gb"),
        ("H100", "h100-sxm-80gb"),
        ("H100-MEGA", "h100-sxm-80gb"),
        ("NVIDIA H100 80GB HBM3", "h100-sxm-80gb"),
        ("A100", "a100-sxm-80gb"),
        ("a100_sxm", "a100-sxm-80gb"),
        ("A100-SXM4-80GB", "a100-sxm-80gb"),
        ("mi300x", "mi300x-192gb"),
        ("b200_sxm", "b200-sxm-180gb"),
        ("gb300", "gb300-288gb"),
        ("rtx_pro_6000_server", "rtx-pro-6000-96gb"),
    ],
)
def test_names_of_parts(snapshot: Snapshot, name: str, expected: str) -> None:
    assert snapshot.accelerator(name).id == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("meta-llama/Llama-3.1-70B-Instruct", "llama-3.1-70b"),
        ("Llama 3.1 70B", "llama-3.1-70b"),
        ("DeepSeek-R1-0528", "deepseek-r1"),
        ("deepseek-ai/DeepSeek-R1", "deepseek-r1"),
        ("nvidia/Llama-3.1-8B-Instruct-FP8", "llama-3.1-8b"),
        ("nvidia/Qwen3-32B-NVFP4", "qwen3-32b"),
        ("nvidia/DeepSeek-V3.1-NVFP4", "deepseek-v3"),
        ("DeepSeek-V3.1", "deepseek-v3"),
        ("openai/gpt-oss-120b", "gpt-oss-120b"),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama-3.3-70b"),
    ],
)
def test_names_of_models(snapshot: Snapshot, name: str, expected: str) -> None:
    assert snapshot.model(name).id == expected


def test_every_id_is_a_name(snapshot: Snapshot) -> None:
    assert all(snapshot.accelerator(name).id == name for name in snapshot.accelerators)
    assert all(snapshot.model(name.upper()).id == name for name in snapshot.models)
    assert all(snapshot.model(model.hf_id).id == model.id for model in snapshot.models.values() if model.hf_id)


def test_signs_and_case_do_not_matter() -> None:
    assert normal_form("H100_SXM 80GB") == normal_form("h100-sxm/80.gb") == "h100sxm80gb"


def test_a_name_for_two_things_is_refused() -> None:
    with pytest.raises(CatalogError, match="'a_1' means both a-1 and b"):
        alias_table("parts", ["a-1", "b"], {"b": ["a_1"]})
    with pytest.raises(CatalogError, match="'c' is not in the catalog"):
        alias_table("parts", ["a"], {"c": ["x"]})
