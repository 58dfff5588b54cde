"""The model that a launch command names: a catalog name, a checkpoint of one, a path or a hub id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog.aliases import normal_form
from catalog.models import Model
from optimizer.additions import Additions
from optimizer.diagnose.launch.formats import checkpoint_format
from optimizer.errors import QuestionError


@dataclass(frozen=True)
class NamedModel:
    """A model, the name by which the catalog finds it, and the weight format that the checkpoint's name ends with.

    `interpreted`: the last part of the written name alone decided.
    """

    model: Model
    name: str
    weights: str | None
    interpreted: bool


def named_model(written: str, additions: Additions) -> NamedModel:
    """The model of a launch command.

    A folder that exists here is read; of one that does not, and of an owner that the catalog does not know, the last
    part of the name counts. Raises QuestionError, UnknownName with the nearest names, or ValueProblem.
    """
    base, weights = checkpoint_format(written.rstrip("/"))
    aliases = additions.snapshot.aliases.models
    for name, interpreted in ((written, False), (base, False), (_last(written), True), (_last(base), True)):
        found = aliases.get(normal_form(name)) or (_by_last_part(aliases).get(name.lower()) if interpreted else None)
        if found is not None:
            return _counted(additions.snapshot.models[found], found, weights, interpreted)
    if _exists(written) or "/" in written.strip("./"):
        brought = additions.bring_model(written)
        if brought is not None:
            return _counted(additions.snapshot.models[brought.id], written, weights, False)
    return _counted(additions.snapshot.model(base), base, weights, False)


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:  # a name that no file can have
        return False


def _counted(model: Model, name: str, weights: str | None, interpreted: bool) -> NamedModel:
    if model.uncounted is not None:
        raise QuestionError(f"{model.id} cannot be counted: {model.uncounted}")
    return NamedModel(model, name, weights, interpreted)


def _last(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]


def _by_last_part(aliases: Mapping[str, str]) -> dict[str, str]:
    """Models by the last part of their names with an owner, where it means one model only."""
    owners: dict[str, set[str]] = {}
    for spelling, model in aliases.items():
        if "/" in spelling:
            owners.setdefault(_last(spelling), set()).add(model)
    return {part: models.pop() for part, models in owners.items() if len(models) == 1}
