"""The schema of a whole spec, made from `KEYS` and `FORMS`."""

import json
from pathlib import Path

from requirements_specs.keys import KEYS, joined
from requirements_specs.schema.forms import FORMS, REQUIRED, REQUIRED_UNLESS, Schema, definitions

PACKAGED = Path(__file__).with_name("roofplan.schema.json")
"""The copy that comes with the package, for the modeline of a spec."""


def schema() -> Schema:
    """Return the JSON Schema (draft-07) of a spec file."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Roofplan specification",
        "description": "What is asked of a serving system: model, workload, limits, and what may be rented.",
        **_section(""),
        "definitions": definitions(),
    }


def schema_text() -> str:
    """Return the schema as a file: the bytes of `PACKAGED`."""
    return json.dumps(schema(), ensure_ascii=False, indent=2) + "\n"


def _section(path: str) -> Schema:
    """Return the schema of a section with everything below it."""
    properties: dict[str, Schema] = {}
    for key in KEYS[path]:
        full = joined(path, key)
        form = FORMS.get(full)
        properties[key] = _section(full) if form is None else {"description": form.description, **form.schema}
    required: dict[str, Schema | list[object]] = {}
    if path in REQUIRED:
        required["required"] = list(REQUIRED[path])
    if path in REQUIRED_UNLESS:
        instead, keys = REQUIRED_UNLESS[path]
        required["anyOf"] = [
            {"required": [instead], "not": {"anyOf": [{"required": [key]} for key in keys]}},
            {"required": list(keys), "not": {"required": [instead]}},
        ]
    return {"type": "object", "properties": properties, "additionalProperties": False, **required}
