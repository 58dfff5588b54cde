"""What a question brings to the catalog: a model from a config.json or the hub, parts from a file of the user's own.

The catalog itself stays as it is, its hash too: a question is answered with a copy that holds the additions.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.aliases import alias_table, normal_form
from catalog.errors import CatalogError, FileError
from catalog.read import Snapshot
from optimizer.names import known_names
from requirements_specs.errors import ValueProblem
from requirements_specs.known import Brought, BroughtParts, KnownNames, nearest
from requirements_specs.read import read_spec
from requirements_specs.serving import ServingSpec

if TYPE_CHECKING:
    from catalog.custom import CustomParts
    from catalog.huggingface import ConfigModel


def read_question(spec_file: Path, catalog: Snapshot) -> tuple[ServingSpec, Snapshot]:
    """The specification in a file, and the catalog with what it brings; raises SpecError."""
    additions = Additions(catalog, spec_file.parent)
    spec = read_spec(spec_file, additions.names)
    return spec, additions.snapshot


class Additions:
    """The additions of one question; paths are relative to the folder `beside`, each file is read once."""

    def __init__(self, catalog: Snapshot, beside: Path) -> None:
        self.snapshot = catalog
        self._beside = beside
        self._models: dict[str, Brought | ValueProblem | None] = {}

    @property
    def names(self) -> KnownNames:
        """Every name that may be used, with the ways to bring more."""
        return replace(known_names(self.snapshot), bring_model=self.bring_model, bring_parts=self._bring_parts)

    def bring_model(self, written: str) -> Brought | None:
        """Add the model that a path or a hub id names; None for a name of the catalog, and for one of no kind.

        Raises:
            ValueProblem: the file or the hub does not give a model that can be counted.

        """
        if written not in self._models:
            try:
                self._models[written] = self._brought_model(written)
            except ValueProblem as problem:
                self._models[written] = problem
        found = self._models[written]
        if isinstance(found, ValueProblem):
            raise found
        return found

    def _brought_model(self, written: str) -> Brought | None:
        if _is_path(written):
            return self._add_model(self._beside / written, written)
        known = self.snapshot.aliases.models
        if normal_form(written) in known:
            return None
        from catalog.huggingface.hub import HubError, fetch_config, is_hub_id

        if not is_hub_id(written):
            return None
        try:
            path = fetch_config(written)
        except HubError as error:
            likely = (f"./{written}",) if (self._beside / written).is_dir() else nearest(written, known, count=2)
            names = dict.fromkeys(known.get(name, name) for name in likely)
            raise ValueProblem(str(error), read=written, fix=" or ".join(names) or None) from None
        return self._add_model(path, written)

    def _add_model(self, path: Path, written: str) -> Brought:
        from catalog.huggingface import read_model

        try:
            read = read_model(path, written, self.snapshot.formats)
        except CatalogError as error:
            raise _problem(error) from None
        models = {**self.snapshot.models, written: read.model}
        self.snapshot = self.snapshot.model_copy(update={"models": models})
        return Brought(written, _counted(read), _origin(read))

    def _bring_parts(self, written: str) -> BroughtParts:
        from catalog.custom import read_custom_parts

        try:
            read = read_custom_parts(self._beside / written, written, self.snapshot)
            self.snapshot = _with_parts(self.snapshot, read)
        except CatalogError as error:
            raise _problem(error) from None
        origin = f"read from {written} ({read.version})"
        brought = (Brought(part.id, part.evidence.value, origin) for part in read.parts.values())
        return BroughtParts(tuple(brought), self.names)


def _is_path(written: str) -> bool:
    """Whether a text names a file rather than a model: no name begins like a path or ends like a file."""
    return written.startswith((".", "/")) or written.endswith(".json")


def _counted(read: ConfigModel) -> str:
    """What was counted, in a few words."""
    model = read.model
    counts = f"{model.total_parameters / 1e9:.2f}B parameters"
    if model.experts:
        counts += f", {model.active_parameters / 1e9:.2f}B active"
    return f"{counts}, {model.native_format}"


def _origin(read: ConfigModel) -> str:
    """Where the model comes from, and what its file left open."""
    model = read.model
    parts = [f"counted from the {model.family} config {model.id} ({model.as_of})"]
    if read.language_part:
        parts.append("its language model only")
    if read.taken:
        parts.append(f"not in it: {', '.join(read.taken)}")
    return "; ".join(parts)


def _with_parts(snapshot: Snapshot, custom: CustomParts) -> Snapshot:
    """A copy of the catalog that holds the parts and offers of a file."""
    aliases = snapshot.aliases
    names = {**aliases.accelerators, **alias_table("accelerators", custom.parts, {})}
    offers = sorted((*snapshot.offers, *custom.offers.values()), key=lambda offer: offer.id)
    return snapshot.model_copy(
        update={
            "accelerators": {**snapshot.accelerators, **custom.parts},
            "offers": tuple(offers),
            "aliases": aliases.model_copy(update={"accelerators": names}),
        }
    )


def _problem(error: CatalogError) -> ValueProblem:
    """An error about a file as one about the value that names it."""
    if isinstance(error, FileError):
        return ValueProblem(error.problem, read=error.read, allowed=error.allowed, fix=error.fix)
    return ValueProblem(str(error))
