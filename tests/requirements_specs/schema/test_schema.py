"""The JSON Schema of a spec, judged by a validator that is not ours."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from requirements_specs.errors import QuantityError
from requirements_specs.keys import KEYS, joined
from requirements_specs.quantity import Dimension, format_quantity, parse_quantity, quantity_pattern
from requirements_specs.read_owned import OWNED_KEYS
from requirements_specs.schema.build import PACKAGED, schema, schema_text
from requirements_specs.schema.forms import DIMENSION_NAMES, FORMS, REQUIRED
from tests.requirements_specs.conftest import FULL

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))
MINIMAL = """\
kind: serving
model: llama-3.1-70b
workload:
  request_rate: 10 req/s
  prompt_tokens: 512 tokens
  output_tokens: 200 tokens
"""


class Loader(yaml.SafeLoader):
    """YAML as editors read it, by its core schema: a date is a text."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rows if tag != "tag:yaml.org,2002:timestamp"]
    for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def errors(text: str) -> list[str]:
    document = yaml.load(text, Loader)
    return [error.message for error in Draft7Validator(json.loads(schema_text())).iter_errors(document)]


def test_the_packaged_copy_is_what_the_keys_make() -> None:
    assert PACKAGED.read_text(encoding="utf-8") == schema_text(), (
        "write it anew: roofplan catalog schema -o requirements_specs/schema/roofplan.schema.json"
    )


def test_it_is_a_schema_of_draft_7() -> None:
    Draft7Validator.check_schema(schema())
    assert "prefixItems" not in schema_text()
    assert "$defs" not in schema_text()


def test_every_key_has_a_form_and_every_form_is_a_key() -> None:
    paths = {joined(section, key) for section, keys in KEYS.items() for key in keys}
    assert {path for path in paths if path not in KEYS} == set(FORMS)
    assert all(joined(section, key) in paths for section, keys in REQUIRED.items() for key in keys)
    assert all(form.description for form in FORMS.values())


def test_every_key_of_owned_machines_has_a_form() -> None:
    entry, _ = json.loads(schema_text())["properties"]["inventory"]["properties"]["owned"]["anyOf"]
    assert tuple(entry["properties"]) == OWNED_KEYS


def test_every_key_stands_in_the_schema_and_nothing_else() -> None:
    def paths(node: Mapping[str, Any], path: str = "") -> set[str]:
        found = set()
        for key, value in node["properties"].items():
            full = joined(path, key)
            found |= {full} | (paths(value, full) if full in KEYS else set())
        return found

    assert paths(json.loads(schema_text())) == {joined(section, key) for section, keys in KEYS.items() for key in keys}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_valid(example: Path) -> None:
    assert errors(example.read_text(encoding="utf-8")) == []


def test_a_spec_with_every_key_is_valid() -> None:
    assert errors(FULL) == []
    assert errors(MINIMAL) == []


GOOD = [
    "name: 12\n",
    "risk: 0.1\n",
    "risk: 20 %\n",
    "engines: vllm\n",
    "slo: {}\n",
    "slo: {p99: 200ms, tpot: {mean: 50 ms}}\n",
    "budget: {usd_per_hour: 60 USD/h, usd_per_month: $40 k / month}\n",
    "budget: {usd_per_million_output_tokens: $0.6 per million tokens}\n",
    "layout: {tp: 4, pp: [1, 2], ep: {max: 8}}\n",
    "inventory: {exclude_offers: []}\n",
    "availability: {spare_replicas: 0, load_cap: 0.9}\n",
    "inventory: {owned: {accelerator: h100, accelerators: 8, machines: 4, usd_per_hour: $9.20/h, date: 2026-10-01}}\n",
    "inventory: {prices: mine.csv, discounts: {aws: 35 %}}\n",
]
GOOD_WORKLOADS = [
    "{trace: requests.csv}",
    "{trace: {file: requests.csv, window: 5 min}, prefix_cache_hit: 20 %}",
    "{request_rate: 10 rps, prompt_tokens: azure-conv, output_tokens: reasoning}",
]


@pytest.mark.parametrize("text", GOOD)
def test_other_spellings_are_valid(text: str) -> None:
    assert errors(MINIMAL + text) == []


@pytest.mark.parametrize("workload", GOOD_WORKLOADS)
def test_traces_and_named_workloads_are_valid(workload: str) -> None:
    assert errors(f"kind: serving\nmodel: m\nworkload: {workload}\n") == []


BAD = [
    "modle: x\n",
    "request_rate: 1 rps\n",
    "objective: prettiest\n",
    "risk: 2\n",
    "risk: 200 GB\n",
    "name: ''\n",
    "pools: some\n",
    "engines: []\n",
    "slo: {ttft: 200 ms}\n",
    "slo: {ttft: {p99: 200}}\n",
    "slo: {ttft: {p99: 200 GB}}\n",
    "slo: {ttft: {p75: 200 ms}}\n",
    "slo: {itl: {p99: 20 ms}}\n",
    "slo: [1]\n",
    "budget: {usd_per_hour: 60}\n",
    "budget: {usd_per_hour: $60}\n",
    "budget: {usd_per_hour: €60/h}\n",
    "budget: {usd_per_day: $60/day}\n",
    "inventory: {max_accelerators: 0}\n",
    "inventory: {max_accelerators: 1.5}\n",
    "inventory: {undated: maybe}\n",
    "inventory: {providers: {a: b}}\n",
    "layout: {tp: 0}\n",
    "layout: {tp: {}}\n",
    "layout: {tp: {least: 2}}\n",
    "layout: {pp: four}\n",
    "availability: {load_cap: 3}\n",
    "formats: {kv: []}\n",
    "inventory: {owned: {accelerator: h100, accelerators: 8, machines: 4}}\n",
    "inventory: {owned: [{accelerator: h100, accelerators: 8, machines: 4, usd_per_hour: 9.2}]}\n",
    "inventory: {owned: []}\n",
    "inventory: {prices: {sha256: abc}}\n",
    "inventory: {discounts: {aws: 150}}\n",
]
BAD_WORKLOADS = [
    "{request_rate: 10, prompt_tokens: 5 tokens, output_tokens: 5 tokens}",
    "{request_rate: 10 GB, prompt_tokens: 5 tokens, output_tokens: 5 tokens}",
    "{request_rate: 10 rps, prompt_tokens: 512, output_tokens: 5 tokens}",
    "{request_rate: 10 rps, prompt_tokens: {mean: 5 tokens}, output_tokens: 5 tokens}",
    "{request_rate: 10 rps, prompt_tokens: {p95: 5 tokens, p50: 3 tokens}, output_tokens: 5 tokens}",
    "{request_rate: 10 rps, prompt_tokens: [], output_tokens: 5 tokens}",
    "{request_rate: 10 rps, prompt_tokens: [{tokens: 5}], output_tokens: 5 tokens}",
    "{request_rate: 10 rps, prompt_tokens: 5 tokens}",
    "{request_rate: 10 rps, prompt_tokens: 5 tokens, output_tokens: 5 tokens, peak_factor: 0.5}",
    "{request_rate: 10 rps, prompt_tokens: 5 tokens, output_tokens: 5 tokens, profile: []}",
    "{request_rate: 10 rps, prompt_tokens: 5 tokens, output_tokens: 5 tokens, profile: [{hours: 24}]}",
    "{request_rate: 10 rps, prompt_tokens: 5 tokens, output_tokens: 5 tokens, profile: [{hours: 24, factor: 0}]}",
    "{request_rate: 10 rps, prompt_tokens: 5 tokens, output_tokens: 5 tokens, growth: {monthly: 4, months: 2}}",
    "{request_rate: 10 rps, prompt_tokens: 5 tokens, output_tokens: 5 tokens, growth: {monthly: 4 %}}",
    "{request_rate: 10 rps, prompt_tokens: azure, output_tokens: 5 tokens}",
    "{trace: {window: 5 min}}",
    "{trace: {file: requests.csv, window: 5}}",
    "{trace: requests.csv, prompt_tokens: 5 tokens}",
    "{trace: requests.csv, prompt_tokens: 5 tokens, output_tokens: 5 tokens}",
]


@pytest.mark.parametrize(
    "text",
    [
        *(MINIMAL + line for line in BAD),
        *(f"kind: serving\nmodel: m\nworkload: {each}\n" for each in BAD_WORKLOADS),
        "kind: serving\n",
        MINIMAL.replace("serving", "cooking"),
        MINIMAL.replace("model: llama-3.1-70b", "model: [a]"),
        "[]",
    ],
)
def test_bad_documents_are_rejected(text: str) -> None:
    assert errors(text)


WRITTEN = {
    Dimension.TIME: ["200 ms", "200ms", "1.5 S", "2 MIN", "80 µs", "1e3 ms", ".5 s"],
    Dimension.BANDWIDTH: ["400 Gbit/s", "50 GB/s", "400Gbps"],
    Dimension.REQUEST_RATE: ["10 req/s", "12 rps", "600 RPM", "1 M req / day", "10 requests per second", "3k req/min"],
    Dimension.TOKENS: ["512 tokens", "1.5k tokens", "2 million toks", "1,500 tokens"],
    Dimension.SHARE: ["35 %", "0.35", "5 percent"],
    Dimension.MONEY_PER_HOUR: ["$2.50/h", "US$ 2 / hour", "60 USD/h", "$1k per day", "2 dollars/h"],
    Dimension.MONEY_PER_MONTH: ["$40k/month", "$2.5/h"],
    Dimension.MONEY_PER_MILLION_TOKENS: ["$0.60/M tokens", "$0.0006/k tokens", "$2 per million tokens"],
}


def matches(dimension: Dimension, text: str) -> bool:
    return not list(Draft7Validator({"pattern": quantity_pattern(dimension)}).iter_errors(text))


@pytest.mark.parametrize("dimension", DIMENSION_NAMES)
def test_a_pattern_allows_what_the_parser_reads(dimension: Dimension) -> None:
    for text in WRITTEN[dimension]:
        parse_quantity(text, dimension)
        assert matches(dimension, text), text


@given(st.sampled_from(list(DIMENSION_NAMES)), st.floats(1e-9, 1e12))
def test_a_pattern_allows_what_the_program_writes(dimension: Dimension, value: float) -> None:
    assert matches(dimension, format_quantity(value, dimension))


@given(st.sampled_from(list(DIMENSION_NAMES)), st.sampled_from(list(WRITTEN)), st.data())
def test_a_pattern_refuses_what_the_parser_refuses_for_its_unit(
    dimension: Dimension, other: Dimension, data: st.DataObject
) -> None:
    text = data.draw(st.sampled_from(WRITTEN[other]))
    try:
        parse_quantity(text, dimension)
    except QuantityError:
        assert not matches(dimension, text), text
    else:
        assert matches(dimension, text), text
