"""Values of a spec by their paths, and a spec with other values there: how a relaxation is applied."""

from collections.abc import Mapping
from typing import Any

from requirements_specs.requirement import LatencyLimit
from requirements_specs.serving import ServingSpec

_SLO = "slo"


def value_at(spec: ServingSpec, path: str) -> Any:
    """Return the value at a path, as `inventory.providers`; a latency limit in seconds, None where there is none."""
    if _is_limit(path):
        return next((limit.limit_s for limit in spec.slo if limit.id == path), None)
    found: Any = spec
    for name in path.split("."):
        found = getattr(found, name)
    return found


def with_values(spec: ServingSpec, values: Mapping[str, Any]) -> ServingSpec:
    """Return the spec with other values at some paths; None drops a latency limit, and lifts any other restriction."""
    limits: list[LatencyLimit] = []
    for limit in spec.slo:
        limit_s = values.get(limit.id, limit.limit_s)
        if limit_s is not None:
            limits.append(limit.model_copy(update={"limit_s": limit_s}))
    update: dict[str, Any] = {_SLO: tuple(limits)}
    for path, value in values.items():
        if _is_limit(path):
            continue
        section, _, key = path.rpartition(".")
        if section:
            update[section] = update.get(section, getattr(spec, section)).model_copy(update={key: value})
        else:
            update[key] = value
    return spec.model_copy(update=update)


def _is_limit(path: str) -> bool:
    return path.startswith(f"{_SLO}.")
