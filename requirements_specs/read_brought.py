"""The keys that may name a file of the user's own: a model, parts."""

from requirements_specs.known import KnownNames, resolve
from requirements_specs.section import Findings, Section


def read_model(top: Section, findings: Findings, names: KnownNames) -> str | None:
    """Return the id of the model, of the catalog or brought; what was read of a brought one is noted as assumed."""

    def model_id(written: str) -> str:
        brought = names.bring_model(written)
        if brought is None:
            return resolve(written, names.models, "model")
        findings.assume("model", brought.what, brought.where)
        return brought.id

    return top.value("model", model_id)


def read_custom_parts(inventory: Section, findings: Findings, names: KnownNames) -> tuple[tuple[str, ...], KnownNames]:
    """Return the ids of the parts that the spec brings, and the names that it may use with them."""
    brought = inventory.value("custom_accelerators", names.bring_parts)
    if brought is None:
        return (), names
    for part in brought.parts:
        findings.assume("inventory.custom_accelerators", f"{part.id} {part.what}", part.where)
    return tuple(part.id for part in brought.parts), brought.names
