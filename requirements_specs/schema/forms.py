"""How the value of each key is written, as JSON Schema: one entry for every key of `KEYS` that is not a section."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from requirements_specs.keys import LENGTH_STATISTICS, NAMED_WORKLOADS, PERCENTILES, STATISTICS
from requirements_specs.quantity import Dimension, quantity_pattern
from requirements_specs.requirement import Metric
from requirements_specs.serving import Objective, Pools

Schema: TypeAlias = Mapping[str, object]
"""A JSON object."""


@dataclass(frozen=True)
class Form:
    """The schema of a value, and what it means in a few words."""

    schema: Schema
    description: str


DIMENSION_NAMES: Mapping[Dimension, str] = {
    Dimension.TIME: "time",
    Dimension.BANDWIDTH: "bandwidth",
    Dimension.REQUEST_RATE: "request_rate",
    Dimension.TOKENS: "tokens",
    Dimension.SHARE: "share",
    Dimension.MONEY_PER_HOUR: "usd_per_hour",
    Dimension.MONEY_PER_MONTH: "usd_per_month",
    Dimension.MONEY_PER_MILLION_TOKENS: "usd_per_million_tokens",
}
"""Dimensions that a spec writes, with the names of their definitions."""

_TEXT: Schema = {"type": "string", "minLength": 1}
_NAMES: Schema = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}
_NAMES_OR_NONE: Schema = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}
_MORE_LENGTHS = "statistics, a histogram or a named workload"
_TRUTH: Schema = {"type": "boolean"}


def definitions() -> dict[str, Schema]:
    """Return the schemas that several keys refer to: every dimension, a length, a choice of integers."""
    quantities: dict[str, Schema] = {
        name: {"type": "string", "pattern": quantity_pattern(dimension)} for dimension, name in DIMENSION_NAMES.items()
    }
    quantities["share"] = {"anyOf": [quantities["share"], {"type": "number", "minimum": 0, "maximum": 1}]}
    return quantities | {
        "latency": _object({name: _of(Dimension.TIME) for name in STATISTICS}),
        "length": {
            "anyOf": [
                _of(Dimension.TOKENS),
                {"enum": list(NAMED_WORKLOADS)},
                {**_object({name: _of(Dimension.TOKENS) for name in LENGTH_STATISTICS}), "minProperties": 2},
                {"type": "array", "items": _histogram_row(), "minItems": 1},
            ]
        },
        "choice": {
            "anyOf": [
                _whole(1),
                {"type": "array", "items": _whole(1), "minItems": 1},
                {**_object({"min": _whole(1), "max": _whole(1)}), "minProperties": 1},
            ]
        },
    }


def reference(name: str) -> Schema:
    """Return a reference to a definition."""
    return {"$ref": f"#/definitions/{name}"}


def _of(dimension: Dimension) -> Schema:
    return reference(DIMENSION_NAMES[dimension])


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _whole(least: int) -> Schema:
    return {"anyOf": [{"type": "integer", "minimum": least}, {"type": "string", "pattern": r"^\+?[0-9]{1,9}$"}]}


def _number(least: float, most: float) -> Schema:
    written = {"type": "string", "pattern": r"^[0-9]{1,9}(?:\.[0-9]{1,17})?$"}
    return {"anyOf": [{"type": "number", "minimum": least, "maximum": most}, written]}


def _owned() -> Schema:
    """Return the schema of machines of one's own: one entry or a list."""
    entry: Schema = {
        **_object(
            {
                "accelerator": _TEXT,
                "accelerators": _whole(1),
                "machines": _whole(1),
                "usd_per_hour": _of(Dimension.MONEY_PER_HOUR),
                "name": _TEXT,
                "scale_up": _TEXT,
                "network": _of(Dimension.BANDWIDTH),
                "date": {"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
            }
        ),
        "required": ["accelerator", "accelerators", "machines", "usd_per_hour"],
    }
    return {"anyOf": [entry, {"type": "array", "items": entry, "minItems": 1}]}


def _prices() -> Schema:
    """Return the schema of a file of prices: its name, or with the hash that pins it."""
    digest = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
    return {"anyOf": [_TEXT, {**_object({"file": _TEXT, "sha256": digest}), "required": ["file"]}]}


def _trace() -> Schema:
    """Return the schema of an arrival trace: its file, or with the window that it is sized on."""
    return {"anyOf": [_TEXT, {**_object({"file": _TEXT, "window": _of(Dimension.TIME)}), "required": ["file"]}]}


def _arrivals() -> Schema:
    """Return the schema of how bursty arrivals are: a name, or an index of dispersion."""
    return {
        "anyOf": [_TEXT, {**_object({"index_of_dispersion": _number(1, 1000)}), "required": ["index_of_dispersion"]}]
    }


def _profile() -> Schema:
    """Return the schema of the periods of a day or a week."""
    period = {**_object({"hours": _number(0.01, 168), "factor": _number(0.001, 1000)}), "required": ["hours", "factor"]}
    return {"type": "array", "items": period, "minItems": 1}


def _histogram_row() -> Schema:
    tokens: Schema = {"anyOf": [_of(Dimension.TOKENS), _whole(1)]}
    return {**_object({"tokens": tokens, "share": _of(Dimension.SHARE)}), "required": ["tokens", "share"]}


FORMS: Mapping[str, Form] = {
    "kind": Form({"enum": ["serving"]}, "the kind of the specification"),
    "name": Form({"anyOf": [_TEXT, {"type": "number"}]}, "a name for reports"),
    "model": Form(_TEXT, "a model of the catalog (roofplan catalog list models), or the path of its config.json"),
    "objective": Form({"enum": list(Objective)}, "what is optimised"),
    "risk": Form(_of(Dimension.SHARE), "every limit must hold with probability 1 − risk; 0.5 is the point prediction"),
    "engines": Form(_NAMES, "engines that may be used"),
    "pools": Form({"enum": list(Pools)}, "whether prefill and decode share their replicas"),
    "workload.request_rate": Form(_of(Dimension.REQUEST_RATE), "mean arrivals, as 10 req/s"),
    "workload.offline.requests": Form(
        {"anyOf": [{"type": "integer", "minimum": 1}, _TEXT]}, "requests of a job that waits: 2,000,000 or 2 M"
    ),
    "workload.offline.window": Form(_of(Dimension.TIME), "the time in which the job must end, as 8 h"),
    "workload.trace": Form(_trace(), "a file of arrivals, beside the spec; rate and lengths of its busiest window"),
    "workload.prompt_tokens": Form(reference("length"), f"prompt lengths: 512 tokens, {_MORE_LENGTHS}"),
    "workload.output_tokens": Form(reference("length"), f"answer lengths: 200 tokens, {_MORE_LENGTHS}"),
    "workload.prefix_cache_hit": Form(_of(Dimension.SHARE), "share of prompt tokens that a prefix cache holds"),
    "workload.peak_factor": Form(_number(1, 1000), "the highest rate over the mean"),
    "workload.arrivals": Form(_arrivals(), "poisson, a named workload with times, or {index_of_dispersion: 4}"),
    "workload.profile": Form(
        _profile(), "periods of a day (24 h in all) or a week (168 h): hours at a factor on the rate"
    ),
    "workload.growth.monthly": Form(
        {"type": "string", "pattern": quantity_pattern(Dimension.SHARE)},
        "by how much the rate grows every month, as 4 %",
    ),
    "workload.growth.months": Form(_whole(1), "for how many months it grows; the design is sized for the end"),
    **{f"slo.{metric}": Form(reference("latency"), f"limits on {metric}, by mean or percentile") for metric in Metric},
    **{f"slo.{name}": Form(_of(Dimension.TIME), f"the limit on ttft at {name}") for name in PERCENTILES},
    "budget.usd_per_hour": Form(_of(Dimension.MONEY_PER_HOUR), "the most that the design may cost, as $60/h"),
    "budget.usd_per_month": Form(_of(Dimension.MONEY_PER_MONTH), "the same by the month of 730 h, as $40k/month"),
    "budget.usd_per_million_output_tokens": Form(
        _of(Dimension.MONEY_PER_MILLION_TOKENS), "whole cost over output tokens, as $2/M tokens"
    ),
    "inventory.providers": Form(_NAMES, "providers that may be used"),
    "inventory.regions": Form(_NAMES, "regions that may be used, as their providers name them"),
    "inventory.tiers": Form(_NAMES, "on_demand, spot or both"),
    "inventory.accelerators": Form(_NAMES, "parts that may be used: roofplan catalog list parts"),
    "inventory.custom_accelerators": Form(_TEXT, "a YAML file of parts and offers of your own, beside the spec"),
    "inventory.exclude_offers": Form(_NAMES_OR_NONE, "offers that may not be used, by id"),
    "inventory.max_accelerators": Form(_whole(1), "the most accelerators in all"),
    "inventory.estimated_parts": Form(_TRUTH, "whether parts without measured step times may be chosen"),
    "inventory.undated": Form(_TRUTH, "whether prices without a date may be chosen"),
    "inventory.owned": Form(_owned(), "machines that stand in your own rack, and what they cost by the hour"),
    "inventory.prices": Form(_prices(), "a CSV file of your prices, beside the spec"),
    "inventory.spot.interruptions_per_hour": Form(_number(0, 1000), "how often a spot instance is taken away"),
    "inventory.spot.restart": Form(_of(Dimension.TIME), "from an interruption until its replica works again"),
    "inventory.discounts": Form(
        {"type": "object", "additionalProperties": _of(Dimension.SHARE), "minProperties": 1},
        "share off the list price, by provider, as {azure: 35 %}",
    ),
    "formats.weights": Form(_NAMES, "formats that weights may have"),
    "formats.activations": Form(_NAMES, "formats that activations may have"),
    "formats.kv": Form(_NAMES, "formats that the KV cache may have"),
    "layout.tp": Form(reference("choice"), "tensor parallelism: 4, [2, 4] or {min: 2, max: 8}"),
    "layout.pp": Form(reference("choice"), "pipeline parallelism"),
    "layout.ep": Form(reference("choice"), "expert parallelism"),
    "layout.dp_attention": Form(reference("choice"), "data parallelism of the attention"),
    "layout.accelerators_per_replica": Form(reference("choice"), "accelerators of one replica"),
    "availability.spare_replicas": Form(_whole(0), "replicas kept in spare"),
    "availability.load_cap": Form(_of(Dimension.SHARE), "the largest share of a replica's capacity that is used"),
    "availability.cold_start": Form(_of(Dimension.TIME), "from renting an instance until its replicas serve"),
}
"""Path of a key -> how its value is written."""

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "": ("kind", "model", "workload"),
    "workload.offline": ("requests", "window"),
    "workload.growth": ("monthly", "months"),
    "inventory.spot": ("interruptions_per_hour", "restart"),
}
"""Keys without which no spec is read, by section."""

REQUIRED_UNLESS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "workload": ("trace", ("prompt_tokens", "output_tokens")),
}
"""Section -> a key that stands for others, and these."""
