from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from requirements_specs.errors import SpecError
from requirements_specs.known import KnownNames
from requirements_specs.owned import OwnedMachines
from requirements_specs.read import spec_from_text
from requirements_specs.restate import restate
from requirements_specs.serving import ServingSpec

Read = Callable[[str], ServingSpec]
BARE = "accelerator: H100_SXM, accelerators: 8, machines: 4, usd_per_hour: $9.20/h"


@pytest.fixture
def read(minimal: str, names: KnownNames) -> Read:
    known = replace(names, links={"h100-sxm-80gb": "nvlink", "a100-pcie-80gb": "nvlink_bridge"})
    return lambda owned: spec_from_text(f"{minimal}inventory: {{owned: {owned}}}\n", "specs/chat.yaml", known)


def assumed(spec: ServingSpec) -> dict[str, str]:
    return {each.key: each.value for each in spec.assumed if each.key.startswith("inventory.owned")}


def test_owned_machines_with_everything_said(read: Read) -> None:
    spec = read(f"[{{{BARE}, name: rack A, scale_up: pcie, network: 400 Gbit/s, date: 2026-11-01}}]")
    assert spec.inventory.owned == (
        OwnedMachines(
            name="rack A",
            accelerator="h100-sxm-80gb",
            accelerators=8,
            machines=4,
            usd_micro_per_hour=9_200_000,
            scale_up="pcie",
            network_bytes_per_s=50e9,
            date=date(2026, 11, 1),
            source="chat.yaml:7",
        ),
    )
    assert assumed(spec) == {"inventory.owned[0].accelerator": "h100-sxm-80gb"}
    assert "owned 4 × 8 h100-sxm-80gb at $9.20/h" in "; ".join(restate(spec))


def test_one_entry_needs_no_list_and_what_is_not_said_is_assumed(read: Read) -> None:
    spec = read(f"{{{BARE}}}")
    (machines,) = spec.inventory.owned
    assert (machines.name, machines.scale_up, machines.network_bytes_per_s) == ("8x-h100-sxm-80gb", "nvlink", None)
    assert machines.date is None
    assert assumed(spec) == {
        "inventory.owned.accelerator": "h100-sxm-80gb",
        "inventory.owned.scale_up": "nvlink",
        "inventory.owned.network": "none",
    }


@pytest.mark.parametrize(
    ("part", "accelerators", "link"),
    [
        ("h100-sxm-80gb", 1, "none"),
        ("h100-sxm-80gb", 8, "nvlink"),
        ("a100-pcie-80gb", 8, "pcie"),
        ("h100-nvl-94gb", 2, "pcie"),
        ("h100-nvl-94gb", 1, "none"),
    ],
)
def test_the_link_is_the_parts_own_and_bridges_are_never_assumed(
    read: Read, part: str, accelerators: int, link: str
) -> None:
    spec = read(f"{{accelerator: {part}, accelerators: {accelerators}, machines: 1, usd_per_hour: $1/h}}")
    assert spec.inventory.owned[0].scale_up == link
    assert "inventory.owned.network" not in assumed(spec)  # one machine has nobody to reach


def test_a_month_s_cost_is_rounded_to_the_nearest_micro_dollar(read: Read) -> None:
    spec = read("{accelerator: h100-sxm-80gb, accelerators: 8, machines: 1, usd_per_hour: $10k/month}")
    assert spec.inventory.owned[0].usd_micro_per_hour == 13_698_630  # 13.69863013…


def test_owned_is_a_provider_where_something_is_owned(read: Read, minimal: str, names: KnownNames) -> None:
    assert read(f"{{{BARE}}}, providers: [owned]").inventory.providers == ("owned",)
    with pytest.raises(SpecError, match="unknown provider"):
        spec_from_text(f"{minimal}inventory: {{providers: [owned]}}\n", "chat.yaml", names)


@pytest.mark.parametrize(
    ("owned", "first", "detail"),
    [
        ("[]", "7:13: inventory.owned: an empty list owns nothing", "machines: 4"),
        ("h100", "7:20: inventory.owned: keys of owned machines are needed", "allowed: {accelerator: "),
        ("[h100]", "7:21: inventory.owned[0]: keys of owned machines are needed", "allowed: {accelerator: "),
        ("{accelerator: h100-sxm-80gb}", "7:20: inventory.owned.accelerators: this key is missing", "machines: 4"),
        (f"{{{BARE}, count: 3}}", "7:97: inventory.owned.count: unknown key", "allowed: accelerator, accelerators"),
        (f"{{{BARE.replace('H100_SXM', 'h100-smx')}}}", "7:34: inventory.owned.accelerator: unknown acc", "h100-sxm"),
        (
            f"{{{BARE.replace('machines: 4', 'machines: 0')}}}",
            "7:71: inventory.owned.machines: not a pos",
            "at least 1",
        ),
        (f"{{{BARE.replace('machines: 4', 'machines: -4')}}}", "7:71: inventory.owned.machines: not a", "read: -4"),
        (f"{{{BARE.replace('accelerators: 8', 'accelerators: 0')}}}", "7:58: inventory.owned.accelerators: not", "1"),
        (f"{{{BARE.replace('$9.20/h', '$0/h')}}}", "7:88: inventory.owned.usd_per_hour: must be positive", "more than"),
        (f"{{{BARE.replace('$9.20/h', '-$3/h')}}}", "7:88: inventory.owned.usd_per_hour: must be positive", "-$3"),
        (f"{{{BARE.replace('$9.20/h', '€9/h')}}}", "7:88: inventory.owned.usd_per_hour: not dollars", "$2.50/h"),
        (f"{{{BARE.replace('$9.20/h', '$0.0000001/h')}}}", "7:88: inventory.owned.usd_per_hour: rounds to n", "more"),
        (f"{{{BARE}, scale_up: nvlinks}}", "7:107: inventory.owned.scale_up: a machine of 8", "did you mean: nvlink"),
        (f"{{{BARE}, network: 400}}", "7:106: inventory.owned.network: a bare number", "did you mean: 400 GB/s"),
        (f"{{{BARE}, date: today}}", "7:103: inventory.owned.date: not a date", "YYYY-MM-DD"),
        (f"{{{BARE}, name: a/b}}", "7:103: inventory.owned.name: a name without slashes", "did you mean: a-b"),
        (f"[{{{BARE}}}, {{{BARE}}}]", "7:99: inventory.owned[1]: another entry has this name", "8x-h100-sxm-80gb-b"),
    ],
)
def test_owned_machines_that_are_none(read: Read, owned: str, first: str, detail: str) -> None:
    with pytest.raises(SpecError) as error:
        read(owned)
    message = str(error.value)
    assert message.startswith(f"specs/chat.yaml:{first}"), message
    assert detail in message
