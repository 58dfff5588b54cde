import json
from collections.abc import Callable
from pathlib import Path

import pytest

import catalog.read
from tests.cli.conftest import Ran

Run = Callable[..., Ran]


@pytest.mark.parametrize(("kind", "name"), [("parts", "h100-sxm-80gb"), ("models", "deepseek-v3")])
def test_parts_and_models_are_listed_by_id(run: Run, kind: str, name: str) -> None:
    ran = run("catalog", "list", kind)
    assert (ran.code, ran.err) == (0, "")
    names = [line.split()[0] for line in ran.out.splitlines()[1:]]
    assert name in names
    assert names == sorted(names)
    assert [line.split()[0] for line in run("catalog", "list", kind, "--match", name).out.splitlines()[1:]] == [
        found for found in names if name in found
    ]


def test_offers_are_filtered_and_the_cheapest_comes_first(run: Run) -> None:
    filters = ("--accelerator", "H100-SXM", "--provider", "AWS", "--tier", "spot", "--region", "us-east-1")
    ran = run("catalog", "list", "offers", *filters, "--json")
    assert (ran.code, ran.err) == (0, "")
    answer = json.loads(ran.out)
    assert list(answer) == ["schema_version", "kind", "entries", "catalog_hash"]
    offers = answer["entries"]
    assert offers
    assert {offer["accelerator"] for offer in offers} == {"h100-sxm-80gb"}
    assert {(offer["provider"], offer["tier"], offer["region"]) for offer in offers} == {("aws", "spot", "us-east-1")}
    prices = [
        offer["usd_micro_per_hour"] / offer["accelerators"]
        for offer in json.loads(run("catalog", "list", "offers", "--provider", "lambda", "--json").out)["entries"]
    ]
    assert prices == sorted(prices)


def test_a_filter_that_nothing_answers_to_is_bad_input(run: Run) -> None:
    ran = run("catalog", "list", "offers", "--provider", "lambada")
    assert (ran.code, ran.out) == (2, "")
    assert "did you mean: lambda" in ran.err
    ran = run("catalog", "list", "models", "--provider", "aws")
    assert (ran.code, ran.out) == (2, "")
    assert "--provider" in ran.err


@pytest.mark.parametrize("name", ["H100_SXM", "deepseek-ai/DeepSeek-V3", "lambda/gpu_1x_a10/global/on_demand"])
def test_an_entry_is_shown_with_its_sources(run: Run, name: str) -> None:
    ran = run("catalog", "show", name)
    assert (ran.code, ran.err) == (0, "")
    (entry,) = json.loads(run("catalog", "show", name, "--json").out)["entries"]
    assert ran.out.splitlines()[0].split() == ["id", entry["id"]]
    for source in entry["source"].split(", "):
        assert f"\n[{source}] " in ran.out


def test_values_are_shown_with_their_units_and_what_others_say(run: Run) -> None:
    out = run("catalog", "show", "h100-sxm-80gb").out
    assert "80 GiB (85,899,345,920)" in out
    assert "3.35 TB/s" in out
    assert "989 TFLOP/s" in out
    assert "source of multiprocessors: " in out
    assert "says peak_flop_per_s.fp8 is 1,979 TFLOP/s" in out


def test_an_unknown_name_is_bad_input_with_the_nearest(run: Run) -> None:
    ran = run("catalog", "show", "h1000")
    assert (ran.code, ran.out) == (2, "")
    assert "h100-sxm-80gb" in ran.err


def test_the_shipped_catalog_passes_its_checks(run: Run) -> None:
    ran = run("catalog", "check")
    assert ran.code == 0
    assert " 0 errors, " in ran.out.splitlines()[-1]
    answer = json.loads(run("catalog", "check", "--json").out)
    assert list(answer) == ["schema_version", "errors", "findings", "catalog_hash"]
    assert answer["errors"] == 0


def test_an_error_in_the_data_ends_with_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = catalog.read.load()
    first, *rest = snapshot.offers
    broken = snapshot.model_copy(update={"offers": (first.model_copy(update={"accelerator": "h1000"}), *rest)})
    monkeypatch.setattr(catalog.read, "load", lambda: broken)
    ran = run("catalog", "check")
    assert ran.code == 1
    assert f"error: reference: {first.id}: no part 'h1000'" in ran.out.splitlines()


def test_the_schema_is_printed_or_written(run: Run, tmp_path: Path) -> None:
    ran = run("catalog", "schema")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out)["$schema"] == "http://json-schema.org/draft-07/schema#"
    path = tmp_path / "schema.json"
    assert run("catalog", "schema", "-o", str(path)).out == f"written to {path}\n"
    assert path.read_text(encoding="utf-8") == ran.out == run("catalog", "schema", "--json").out
    assert json.loads(run("catalog", "schema", "-o", str(path), "--json").out) == {
        "schema_version": 1,
        "out": str(path),
    }
    ran = run("catalog", "schema", "-o", str(tmp_path / "nowhere" / "schema.json"))
    assert (ran.code, ran.out) == (2, "")
    assert "cannot be written" in ran.err
