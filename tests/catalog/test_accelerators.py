import pytest

from catalog.parts import Evidence, LinkKind, Precision
from catalog.read import Snapshot

# the constants of the kernel tables were fitted with these values, so they are exact
FITTED = {
    "a100-sxm-80gb": (85899345920, 2.039e12, 312e12, 108),
    "h100-sxm-80gb": (85899345920, 3.35e12, 989e12, 132),
    "h200-sxm-141gb": (151397597184, 4.8e12, 989e12, 132),
    "b200-sxm-180gb": (193273528320, 7.7e12, 2250e12, 148),
    "b300-sxm-270gb": (288400343040, 7.75e12, 2250e12, 148),
    "gb200-186gb": (198674743296, 8e12, 2500e12, 152),
    "gb300-288gb": (298013687808, 8e12, 2500e12, 152),
    "l40s-48gb": (48305799168, 864e9, 362.05e12, 142),
    "rtx-pro-6000-96gb": (102641958912, 1.792e12, 467800534963698.0, 188),
}
SAME_DIE = {
    "a100-sxm-40gb": "a100_sxm",
    "a100-pcie-40gb": "a100_sxm",
    "a100-pcie-80gb": "a100_sxm",
    "h100-pcie-80gb": "h100_sxm",
    "h100-nvl-94gb": "h100_sxm",
    "h800-sxm-80gb": "h100_sxm",
    "gh200-96gb": "h100_sxm",
    "gh200-144gb": "h100_sxm",
}


@pytest.mark.parametrize("name", FITTED)
def test_measured_parts_have_the_values_of_the_fits(snapshot: Snapshot, name: str) -> None:
    part = snapshot.accelerators[name]
    found = (
        part.memory_bytes,
        part.memory_bandwidth_bytes_per_s,
        part.peak_flop_per_s[Precision.BF16],
        part.multiprocessors,
    )
    assert found == FITTED[name]


def test_evidence(snapshot: Snapshot) -> None:
    by_evidence = {
        kind: {part.id for part in snapshot.accelerators.values() if part.evidence is kind} for kind in Evidence
    }
    assert by_evidence[Evidence.MEASURED] == set(FITTED)
    assert by_evidence[Evidence.CLASS] == set(SAME_DIE)
    assert {name: snapshot.accelerators[name].kernel_table for name in SAME_DIE} == SAME_DIE


def test_the_fourteen_parts_that_can_be_chosen(snapshot: Snapshot) -> None:
    offered = {offer.accelerator for offer in snapshot.offers}
    assert len(offered & (set(FITTED) | set(SAME_DIE))) == 14
    assert len(offered) == 31


def test_the_h100_variants_are_three_parts(snapshot: Snapshot) -> None:
    sxm, pcie, nvl = (snapshot.accelerators[name] for name in ("h100-sxm-80gb", "h100-pcie-80gb", "h100-nvl-94gb"))
    assert len({part.memory_bandwidth_bytes_per_s for part in (sxm, pcie, nvl)}) == 3
    assert len({part.peak_flop_per_s[Precision.BF16] for part in (sxm, pcie, nvl)}) == 3
    assert (sxm.multiprocessors, pcie.multiprocessors, nvl.multiprocessors) == (132, 114, 132)
    assert sxm.link.kind is LinkKind.NVLINK
    assert pcie.link.kind is nvl.link.kind is LinkKind.NVLINK_BRIDGE
    assert pcie.link.domain == nvl.link.domain == 2


def test_a_pair_gets_a_fraction_of_xgmi(snapshot: Snapshot) -> None:
    for name in ("mi300x-192gb", "mi325x-256gb", "mi350x-288gb", "mi355x-288gb", "mi250x-128gb"):
        link = snapshot.accelerators[name].link
        assert link.pair_bytes_per_s is not None
        assert link.all_to_all_bytes_per_s == 7 * link.pair_bytes_per_s


def test_parts_without_a_bf16_unit(snapshot: Snapshot) -> None:
    without = {part.id for part in snapshot.accelerators.values() if Precision.BF16 not in part.peak_flop_per_s}
    volta = {"v100-sxm2-16gb", "v100-sxm2-32gb", "v100-pcie-32gb"}
    assert without == volta | {"t4-16gb", "wse-2", "wse-3", "groq-lpu-v1"}


def test_multiprocessors_have_a_source_or_no_meaning(snapshot: Snapshot) -> None:
    for part in snapshot.accelerators.values():
        if part.vendor in ("NVIDIA", "AMD"):
            assert part.multiprocessors is not None
            assert "multiprocessors" in part.field_sources
        else:
            assert part.multiprocessors is None


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("b200-sxm-180gb", "memory_bandwidth_bytes_per_s", 8e12),
        ("b300-sxm-270gb", "memory_bandwidth_bytes_per_s", 8e12),
        ("b300-sxm-270gb", "peak_flop_per_s.int8", 4500e12),
        ("gaudi3", "peak_flop_per_s.bf16", 1835e12),
        ("gh200-144gb", "memory_bytes", 141 * 2**30),
        ("tpu-v5p", "tdp_watts", 540.0),
        ("h800-sxm-80gb", "link.all_to_all_bytes_per_s", 200e9),
        ("a10g-24gb", "multiprocessors", 72.0),
    ],
)
def test_known_conflicts_are_kept(snapshot: Snapshot, name: str, field: str, value: float) -> None:
    disagrees = snapshot.accelerators[name].disagrees
    assert any(entry.field == field and entry.value == value for entry in disagrees)


def test_the_planning_values_of_conflicts(snapshot: Snapshot) -> None:
    assert snapshot.accelerators["gaudi3"].peak_flop_per_s[Precision.BF16] == 1677e12
    assert snapshot.accelerators["b300-sxm-270gb"].peak_flop_per_s[Precision.INT8] == 153.5e12
    assert snapshot.accelerators["tpu-v5p"].tdp_watts is None


def test_pcie_is_one_direction_of_its_generation(snapshot: Snapshot) -> None:
    rates = {part.pcie_bytes_per_s for part in snapshot.accelerators.values()}
    assert rates == {15.75e9, 31.5e9, 63e9, 121e9}
    assert snapshot.accelerators["h100-sxm-80gb"].pcie_bytes_per_s == 63e9
