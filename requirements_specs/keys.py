"""The keys of a serving spec, and those that later versions will have."""

from collections.abc import Mapping

from requirements_specs.requirement import BudgetMetric, Metric, Statistic

STATISTICS = tuple(statistic.value for statistic in Statistic)
PERCENTILES = tuple(statistic.value for statistic in Statistic if statistic.probability is not None)
LENGTH_STATISTICS = ("mean", "p50", "p90", "p99")
NAMED_WORKLOADS = ("azure-code", "azure-conv", "arxiv-summarization", "sharegpt", "mooncake-chat", "reasoning")
"""Workloads whose lengths come with the package, `named_workloads.json`."""

KEYS: Mapping[str, tuple[str, ...]] = {
    "": (
        "kind",
        "name",
        "model",
        "objective",
        "risk",
        "workload",
        "slo",
        "budget",
        "inventory",
        "formats",
        "layout",
        "engines",
        "pools",
        "availability",
    ),
    "workload": (
        "request_rate",
        "offline",
        "trace",
        "prompt_tokens",
        "output_tokens",
        "prefix_cache_hit",
        "peak_factor",
        "arrivals",
        "profile",
        "growth",
    ),
    "workload.growth": ("monthly", "months"),
    "workload.offline": ("requests", "window"),
    "slo": (*(metric.value for metric in Metric), *PERCENTILES),
    "budget": tuple(metric.value for metric in BudgetMetric),
    "inventory": (
        "providers",
        "regions",
        "tiers",
        "accelerators",
        "custom_accelerators",
        "exclude_offers",
        "max_accelerators",
        "estimated_parts",
        "undated",
        "owned",
        "prices",
        "discounts",
        "spot",
    ),
    "inventory.spot": ("interruptions_per_hour", "restart"),
    "formats": ("weights", "activations", "kv"),
    "layout": ("tp", "pp", "ep", "dp_attention", "accelerators_per_replica"),
    "availability": ("spare_replicas", "load_cap", "cold_start"),
}
"""Keys of each section, by the section's path; `""` is the top."""

PLANNED: Mapping[str, str] = {
    "availability.zones": "availability.spare_replicas",
}
"""Keys that are not in this version -> what works today."""

PLANNED_KINDS = ("training", "rl", "fleet")

_TOKEN_LATENCY = (
    "gaps between tokens are not limited, as their percentile hides the requests that stall; "
    "tpot is (e2e − ttft)/(output tokens − 1) per request, percentile over requests"
)
EXPLAINED: Mapping[str, tuple[str, str]] = {
    f"slo.{name}": (_TOKEN_LATENCY, "tpot") for name in ("itl", "tbt", "inter_token_latency")
}
"""Keys that people try and that a spec will not have -> why, and the key to use."""


def joined(path: str, key: str) -> str:
    """Return the path of `key` in the section `path`."""
    return f"{path}.{key}" if path else key


def elsewhere(key: str) -> str | None:
    """Return the full path of a key of another section than the one it was found in, or None."""
    return next((joined(path, key) for path, keys in KEYS.items() if key in keys), None)
