"""Parts of the user's own: what they become, and what is wrong with bad ones."""

from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.custom import CustomParts, read_custom_parts
from catalog.errors import CatalogError
from catalog.offers import PriceKind, Tier
from catalog.parts import Evidence, LinkKind, Precision
from catalog.read import Snapshot

PART = """\
acme-x1:
  memory: 96 GB
  memory_bandwidth: 4 TB/s
  peak: {bf16: 900 TFLOP/s, fp8: 1800 TFLOP/s}
  link: {kind: ethernet, all_to_all: 600 GB/s, domain: 8}
  pcie: gen5
  offers:
    - {provider: acme, instance: x1.8, region: lab, accelerators: 8, scale_up_domain: 8, network: 400 Gbit/s,
       price: $16.20/h, price_date: 2026-11-01}
    - {provider: acme, instance: x1.1, region: lab, accelerators: 1, scale_up_domain: 1, tier: spot,
       price: $2/h, price_date: 2026-11-01}
"""
Read = Callable[..., CustomParts]


@pytest.fixture
def read(snapshot: Snapshot, tmp_path: Path) -> Read:
    """Read the file of parts with one text replaced by another."""

    def read_text(old: str = "", new: str = "", text: str = PART) -> CustomParts:
        assert old in text
        path = tmp_path / "parts.yaml"
        path.write_text(text.replace(old, new, 1) if old else text, encoding="utf-8")
        return read_custom_parts(path, "parts.yaml", snapshot)

    return read_text


def test_a_part_and_its_offers(read: Read) -> None:
    custom = read()
    part = custom.parts["acme-x1"]
    assert part.memory_bytes == 96 * 10**9
    assert part.memory_bandwidth_bytes_per_s == 4e12
    assert part.peak_flop_per_s == {Precision.BF16: 900e12, Precision.FP8: 1800e12}
    assert (part.link.kind, part.link.all_to_all_bytes_per_s, part.link.pair_bytes_per_s) == ("ethernet", 600e9, None)
    assert (part.pcie_bytes_per_s, part.tdp_watts, part.multiprocessors) == (63e9, None, None)
    assert (part.evidence, part.kernel_table) == (Evidence.ESTIMATED, None)
    assert (part.source, part.as_of) == ("custom parts parts.yaml", custom.version)
    eight, one = custom.offers["acme/x1.8/lab/on_demand"], custom.offers["acme/x1.1/lab/spot"]
    assert (eight.usd_micro_per_hour, eight.network_bytes_per_s) == (16_200_000, 50e9)
    assert (eight.price_kind, eight.price_date) == (PriceKind.OVERRIDE, date(2026, 11, 1))
    assert (eight.scale_up, eight.scale_up_domain, eight.p2p) == (LinkKind.ETHERNET, 8, False)
    assert (one.scale_up, one.tier, one.network_bytes_per_s) == (LinkKind.NONE, Tier.SPOT, None)


@pytest.mark.parametrize("like", ["h100-sxm-80gb", "H100_SXM", "h100-nvl-94gb"])
def test_a_part_like_a_measured_one_shares_its_tables(read: Read, like: str) -> None:
    part = read("  pcie:", f"  like: {like}\n  pcie:").parts["acme-x1"]
    assert (part.evidence, part.kernel_table) == (Evidence.CLASS, "h100_sxm")


def test_a_link_of_the_catalog_by_its_name(read: Read) -> None:
    part = read("{kind: ethernet, all_to_all: 600 GB/s, domain: 8}", "{name: nvlink4, domain: 8}").parts["acme-x1"]
    assert (part.link.kind, part.link.all_to_all_bytes_per_s) == (LinkKind.NVLINK, 450e9)


def test_a_host_without_a_scale_up_link_is_joined_by_pcie(read: Read) -> None:
    offers = read("scale_up_domain: 8", "scale_up_domain: 1").offers
    assert offers["acme/x1.8/lab/on_demand"].scale_up is LinkKind.PCIE


def test_another_content_is_another_version(read: Read) -> None:
    assert read().version == read().version != read("96 GB", "97 GB").version


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  memory: 96 GB\n", "", ["acme-x1.memory: this key is missing"]),
        ("96 GB", "96", ["parts.yaml:2: acme-x1.memory", "read 96", "MB, GB, MiB, GiB"]),
        ("96 GB", "96 Gb", ["acme-x1.memory", "'96 Gb'", "MB, GB, MiB, GiB"]),
        ("96 GB", "-96 GB", ["must be positive"]),
        ("96 GB", "96 TB/s", ["acme-x1.memory", "MB, GB, MiB, GiB"]),
        ("96 GB", "500 GB", ["acme-x1", "bytes of DRAM"]),
        ("4 TB/s", "4 GB/s", ["acme-x1", "seconds to read its DRAM once"]),
        ("900 TFLOP/s", "90000 TFLOP/s", ["acme-x1", "FLOP per byte"]),
        ("fp8: 1800", "fp8: 800", ["acme-x1", "fp8 over the 16-bit rate"]),
        ("all_to_all: 600 GB/s", "all_to_all: 6 GB/s", ["acme-x1", "ethernet bytes/s of one direction"]),
        ("all_to_all: 600 GB/s, ", "", ["acme-x1.link.all_to_all: this key is missing"]),
        ("kind: ethernet", "kind: ethernet2", ["link.kind", "did you mean: ethernet"]),
        ("domain: 8}", "domain: 0}", ["link.domain: out of range", "did you mean: 1"]),
        ("domain: 8}", "domain: 8, size: 3}", ["link.size: unknown key", "kind, all_to_all, pair, domain"]),
        ("{kind: ethernet, all_to_all: 600 GB/s, domain: 8}", "{name: nvlink9, domain: 8}",
         ["link.name", "did you mean: nvlink"]),
        ("  link: {kind: ethernet, all_to_all: 600 GB/s, domain: 8}\n", "", ["acme-x1.link: this key is missing"]),
        ("gen5", "gen55", ["parts.yaml:6: acme-x1.pcie", "did you mean: gen5"]),
        ("pcie: gen5", "pcie: gen5\n  evidence: measured", ["acme-x1.evidence: unknown key"]),
        ("pcie: gen5", "pcie: gen5\n  like: h1000", ["acme-x1.like: unknown accelerator"]),
        ("pcie: gen5", "pcie: gen5\n  like: mi300x", ["mi300x-192gb is not measured", "h100-sxm-80gb"]),
        ("pcie: gen5", "pcie: gen5\n  tdp: 7 W", ["acme-x1", "watts"]),
        ("pcie: gen5", "pcie: gen5\n  multiprocessors: many", ["multiprocessors: a whole number"]),
        ("fp8: 1800 TFLOP/s", "fp6: 1800 TFLOP/s", ["acme-x1.peak.fp6: unknown key"]),
        ("acme-x1", "h100-sxm", ["the catalog has a part of this name"]),
        ("acme-x1", "Acme X1", ["not a part's name"]),
        ("acme-x1", "1", ["key 1 is not a word"]),
        ("acme-x1:", "acme-x1: [a]\nother:", ["acme-x1: keys and values are needed"]),
        ("$16.20/h", "16.20", ["offers[0].price", "as $19.90/h"]),
        ("$16.20/h", "-$16.20/h", ["offers[0].price: not a price"]),
        ("$16.20/h", "€16.20/h", ["offers[0].price: not a price"]),
        ("$16.20/h", "$0/h", ["offers[0].price: not a price"]),
        ("$16.20/h", "$16200/h", ["acme/x1.8/lab/on_demand", "out of range"]),
        ("price_date: 2026-11-01", "price_date: yesterday", ["price_date: not a date", "as 2026-11-01"]),
        ("price: $16.20/h, ", "", ["offers[0].price: not a price"]),
        (", price_date: 2026-11-01", "", ["offers[0].price_date: this key is missing"]),
        ("accelerators: 8", "accelerators: 0", ["offers[0].accelerators: out of range"]),
        ("scale_up_domain: 8", "scale_up_domain: 16", ["scale-up domain 16 of 8"]),
        ("tier: spot", "tier: spott", ["offers[1].tier", "did you mean: spot"]),
        ("region: lab", "region: my lab", ["offers[0].region: not a name"]),
        ("provider: acme", "provider: owned", ["offers[0].provider: the name of machines under inventory.owned"]),
        ("provider: acme", "provider: Owned", ["offers[0].provider: the name of machines under inventory.owned"]),
        ("peak: {bf16: 900 TFLOP/s, fp8: 1800 TFLOP/s}", "peak: {fp16: 900 TFLOP/s}",
         ["parts.yaml: acme-x1.peak.bf16: this key is missing", "allowed: the dense rate, as 900 TFLOP/s"]),
        ("x1.1, region: lab", "x1.8, tier: on_demand, region: lab", ["key 'tier' is written twice"]),
        ("x1.1, region: lab, accelerators: 1, scale_up_domain: 1, tier: spot", "x1.8, region: lab, accelerators: 1, "
         "scale_up_domain: 1", ["acme/x1.8/lab/on_demand is offered twice"]),
        ("400 Gbit/s", "400 Gb", ["offers[0].network", "Gbit/s"]),
    ],
)  # fmt: skip
def test_a_bad_part_is_named_with_what_is_allowed(read: Read, old: str, new: str, said: list[str]) -> None:
    with pytest.raises(CatalogError) as error:
        read(old, new)
    message = str(error.value)
    assert "parts.yaml" in message
    for part in said:
        assert part in message, message


def test_a_key_without_a_value_is_as_good_as_none(read: Read) -> None:
    part = read("pcie: gen5", "pcie: gen5\n  notes:\n  vendor:\n  like:\n  tdp:").parts["acme-x1"]
    assert (part.notes, part.vendor, part.kernel_table, part.tdp_watts) == ("given by the user", "custom", None, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a mapping"),
        ("[]", "expected a mapping"),
        ("{}", "no part is described"),
        ("a: [", "not valid YAML"),
        ("a: {b: 1, b: 2}", "written twice"),
        ("a: &x {}\nb: *x", "parts.yaml:2: a YAML alias"),
        ("a: " + "[" * 50, "too much for a file of parts"),
        ("a: [" + "1, " * 30_000 + "1]", "too much for a file of parts"),
        ("a: !!python/name:os.system ''", "parts.yaml:1: a YAML tag"),
        ("a:\n  b: !!int abc", "parts.yaml:2: a YAML tag"),
        ("a: !!bool maybe", "a YAML tag"),
        ("a: !!timestamp foo", "a YAML tag"),
        ("a: !own {b: 1}", "a YAML tag"),
        ("a: !own [1]", "a YAML tag"),
        ("a: " + "9" * 5000, "a value is too long"),
        ("a: {pcie: 0x" + "f" * 5000 + "}", "a value is too long"),
        ("a: 0b_", "a number in it cannot be read"),
        ("? [a]\n: 1", "is not a word"),
        ("a: {offers: []}", "a.peak: this key is missing"),
    ],
    ids=range(19),
)
def test_what_is_no_file_of_parts_is_refused(read: Read, text: str, said: str) -> None:
    with pytest.raises(CatalogError) as error:
        read(text=text)
    assert said in str(error.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers())))
def test_any_value_of_any_key_is_read_or_refused(
    snapshot: Snapshot, tmp_path: Path, data: st.DataObject, value: object
) -> None:
    content = yaml.safe_load(PART)
    place = content
    while isinstance(place, dict | list) and place:
        inside, key = place, data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        place = inside[key]
        if data.draw(st.booleans()):
            break
    inside[key] = value
    path = tmp_path / "parts.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with suppress(CatalogError):  # whatever else is raised is a bug
        custom = read_custom_parts(path, "parts.yaml", snapshot)
        assert set(custom.parts) == {offer.accelerator for offer in custom.offers.values()}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["gen5", "96 GB", "900 TFLOP/s", "8", "2026-11-01", "acme-x1"]),
    st.sampled_from(["", "!!int ", "!!bool ", "!!float ", "!!timestamp ", "!!binary ", "!!set ", "!own ", "! "]),
    st.one_of(
        st.from_regex(r"[-+0-9xobaef_:.]{1,12}", fullmatch=True),
        st.integers(1, 6000).map(lambda digits: "9" * digits),
        st.integers(1, 6000).map(lambda digits: "0x" + "f" * digits),
    ),
)
def test_any_spelling_of_a_value_is_read_or_refused(
    snapshot: Snapshot, tmp_path: Path, old: str, tag: str, written: str
) -> None:
    path = tmp_path / "parts.yaml"
    path.write_text(PART.replace(old, f"{tag}{written}", 1), encoding="utf-8")
    with suppress(CatalogError):  # whatever else is raised is a bug
        custom = read_custom_parts(path, "parts.yaml", snapshot)
        assert tag == ""
        assert custom.parts


def test_a_file_that_is_not_there(snapshot: Snapshot, tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="cannot be read"):
        read_custom_parts(tmp_path / "none.yaml", "none.yaml", snapshot)
