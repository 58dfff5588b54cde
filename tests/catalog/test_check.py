from typing import Any

import pytest

from catalog.check import Check, Finding, Severity, check
from catalog.models import Attention
from catalog.parts import Evidence, Link, LinkKind, Precision
from catalog.read import Snapshot

H100 = "h100-sxm-80gb"
OFFER = "lambda/gpu_8x_h100_sxm5/global/on_demand"


def errors(findings: tuple[Finding, ...]) -> list[Finding]:
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def with_part(snapshot: Snapshot, name: str, **changes: Any) -> Snapshot:
    part = snapshot.accelerators[name].model_copy(update=changes)
    return snapshot.model_copy(update={"accelerators": {**snapshot.accelerators, name: part}})


def with_model(snapshot: Snapshot, name: str, **changes: Any) -> Snapshot:
    model = snapshot.models[name].model_copy(update=changes)
    return snapshot.model_copy(update={"models": {**snapshot.models, name: model}})


def with_offer(snapshot: Snapshot, name: str, **changes: Any) -> Snapshot:
    assert any(offer.id == name for offer in snapshot.offers)
    offers = tuple(offer.model_copy(update=changes) if offer.id == name else offer for offer in snapshot.offers)
    return snapshot.model_copy(update={"offers": offers})


def test_the_catalog_has_no_error(snapshot: Snapshot) -> None:
    assert errors(check(snapshot)) == []


def test_known_weaknesses_are_warnings(snapshot: Snapshot) -> None:
    warnings = [finding for finding in check(snapshot) if finding.severity is Severity.WARNING]
    assert {finding.check for finding in warnings} == {Check.REGION_UNKNOWN, Check.MONOTONE_PRICE}


def test_findings_have_a_fixed_order(snapshot: Snapshot) -> None:
    assert check(snapshot) == check(snapshot) == tuple(sorted(check(snapshot)))


@pytest.mark.parametrize(
    "changes",
    [
        {"memory_bytes": 80},
        {"memory_bytes": 80 * 10**12},
        {"memory_bandwidth_bytes_per_s": 3350.0},
        {"memory_bandwidth_bytes_per_s": 33.5e12},
        {"peak_flop_per_s": {Precision.BF16: 989.0}},
        {"peak_flop_per_s": {Precision.BF16: 989e12, Precision.FP8: 500e12}},
        {"peak_flop_per_s": {Precision.BF16: 9890e12}},
        {"pcie_bytes_per_s": 63.0},
        {"pcie_bytes_per_s": 256e9},
        {"tdp_watts": 7.0},
        {"link": Link(kind=LinkKind.NVLINK, all_to_all_bytes_per_s=900e9, pair_bytes_per_s=900e9, domain=8)},
        {"link": Link(kind=LinkKind.NVLINK, all_to_all_bytes_per_s=450.0, pair_bytes_per_s=450.0, domain=8)},
        {"link": Link(kind=LinkKind.NVLINK, all_to_all_bytes_per_s=450e9, pair_bytes_per_s=900e9, domain=8)},
        {"link": Link(kind=LinkKind.NONE, all_to_all_bytes_per_s=450e9, pair_bytes_per_s=450e9, domain=8)},
        {"link": Link(kind=LinkKind.NVLINK, all_to_all_bytes_per_s=450e9, pair_bytes_per_s=450e9, domain=0)},
    ],
)
def test_implausible_parts(snapshot: Snapshot, changes: dict[str, Any]) -> None:
    found = errors(check(with_part(snapshot, H100, **changes)))
    assert Check.PHYSICS in {finding.check for finding in found if finding.subject == H100}


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        (H100, {"kernel_table": None}),
        (H100, {"kernel_table": "h100"}),
        (H100, {"evidence": Evidence.CLASS}),
        ("mi300x-192gb", {"kernel_table": "h100_sxm"}),
        ("h800-sxm-80gb", {"kernel_table": "l40s"}),
        ("l40s-48gb", {"kernel_table": "a100_sxm"}),
    ],
)
def test_evidence_that_has_nothing_behind_it(snapshot: Snapshot, name: str, changes: dict[str, Any]) -> None:
    assert Check.EVIDENCE in {finding.check for finding in errors(check(with_part(snapshot, name, **changes)))}


@pytest.mark.parametrize(
    "changes",
    [
        {"field_sources": {}},
        {"source": "nowhere"},
        {"source": ""},
        {"field_sources": {"multiprocessors": "nvidia-h100-whitepaper", "smell": "pci-sig"}},
    ],
)
def test_values_without_a_source(snapshot: Snapshot, changes: dict[str, Any]) -> None:
    found = errors(check(with_part(snapshot, H100, **changes)))
    assert {finding.check for finding in found} == {Check.SOURCE}


@pytest.mark.parametrize(
    ("name", "changes", "broken"),
    [
        ("llama-3.1-70b", {"layers": 81}, Check.DIMENSIONS),
        ("llama-3.1-70b", {"kv_heads": 7}, Check.DIMENSIONS),
        ("llama-3.1-70b", {"kv_heads": 64}, Check.DIMENSIONS),
        ("llama-3.1-70b", {"attention": Attention.MLA}, Check.DIMENSIONS),
        ("llama-3.1-70b", {"window": 4096}, Check.DIMENSIONS),
        ("llama-3.1-70b", {"experts": 8}, Check.DIMENSIONS),
        ("llama-3.1-70b", {"active_parameters": 10**12}, Check.DIMENSIONS),
        ("deepseek-v3", {"active_experts": 300}, Check.DIMENSIONS),
        ("gpt-oss-120b", {"windowed_layers": 37}, Check.DIMENSIONS),
        ("gpt-oss-120b", {"window": 10**6}, Check.DIMENSIONS),
        ("llama-3.1-70b", {"ffn": 28000}, Check.PARAMETERS),
        ("deepseek-v3", {"q_lora_rank": 0}, Check.PARAMETERS),
        ("llama-3.1-70b", {"native_format": "fp7"}, Check.REFERENCE),
        ("llama-3.1-70b", {"source": "nowhere"}, Check.SOURCE),
    ],
)
def test_inconsistent_models(snapshot: Snapshot, name: str, changes: dict[str, Any], broken: Check) -> None:
    found = errors(check(with_model(snapshot, name, **changes)))
    assert broken in {finding.check for finding in found if finding.subject == name}


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"accelerator": "h100"}, Check.REFERENCE),
        ({"region": "us-1"}, Check.REFERENCE),
        ({"usd_micro_per_hour": 32}, Check.PRICE_RANGE),
        ({"usd_micro_per_hour": 31_920_000_000}, Check.PRICE_RANGE),
        ({"scale_up_domain": 16}, Check.HOST_LINK),
        ({"scale_up_domain": 0}, Check.HOST_LINK),
        ({"scale_up": LinkKind.XGMI}, Check.HOST_LINK),
        ({"scale_up": LinkKind.NONE}, Check.HOST_LINK),
        ({"scale_up": LinkKind.PCIE}, Check.HOST_LINK),
        ({"accelerators": 16, "scale_up_domain": 16}, Check.HOST_LINK),
        ({"source": "nowhere"}, Check.SOURCE),
    ],
)
def test_wrong_offers(snapshot: Snapshot, changes: dict[str, Any], broken: Check) -> None:
    found = errors(check(with_offer(snapshot, OFFER, **changes)))
    assert broken in {finding.check for finding in found if finding.subject == OFFER}


def test_spot_above_on_demand(snapshot: Snapshot) -> None:
    name = "aws/p5.48xlarge/us-east-1/spot"
    (finding,) = errors(check(with_offer(snapshot, name, usd_micro_per_hour=55_040_001)))
    assert (finding.check, finding.subject) == (Check.SPOT_PRICE, name)


@pytest.mark.parametrize("factor", [0.5, 2.1])
def test_a_price_far_from_the_median_of_its_instance(snapshot: Snapshot, factor: float) -> None:
    name = "azure/Standard_ND96isr_H200_v5/swedencentral/on_demand"
    median = 110_240_000
    found = errors(check(with_offer(snapshot, name, usd_micro_per_hour=int(median * factor))))
    assert Check.MEDIAN_PRICE in {finding.check for finding in found if finding.subject == name}


def test_an_entity_under_a_wrong_key(snapshot: Snapshot) -> None:
    models = {**snapshot.models, "llama": snapshot.models["llama-3.1-70b"]}
    (finding,) = errors(check(snapshot.model_copy(update={"models": models})))
    assert finding.message == "is filed under 'llama'"


def test_an_alias_to_nothing(snapshot: Snapshot) -> None:
    aliases = snapshot.aliases.model_copy(update={"models": {"x": "gone"}})
    (finding,) = errors(check(snapshot.model_copy(update={"aliases": aliases})))
    assert (finding.check, finding.subject) == (Check.REFERENCE, "gone")
