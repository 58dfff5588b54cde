"""Corrections of the step times by the user's own measurements: a layer over the catalog, one file.

A correction belongs to one (model, part, engine), and in it to the stacks that were measured: a weight format under one
version of the engine, since other formats run other kernels and releases change them. It turns the constants of the
engine into those of the user's own system, so that whatever is computed from a corrected engine keeps its laws: every
step, and the floor and the bound of every step, has the same factor.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from catalog.engines import Engine, version_number
from catalog.errors import CatalogError
from catalog.parts import Frozen

if TYPE_CHECKING:
    from catalog.read import Snapshot

Factor = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Error = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


# Of `FirstTokenFactors`, what multiplies.
MULTIPLES = ("fixed", "own_prefill", "burst")


class MeasuredLoad(StrEnum):
    """The kind of load of the results that a correction was fitted to."""

    CLOSED_LOOP = "closed_loop"
    OPEN = "open"


class Change(Frozen):
    """Median |ln(predicted/measured)| of the results that were fitted, before and after the correction."""

    before: Error
    after: Error


class ResultFile(Frozen):
    """A file of results that went into a correction."""

    name: str
    sha256: str


class FirstTokenFactors(Frozen):
    """Multiples of what a first token waits for beside a queue, with the steps corrected as well.

    fixed: of the host's time and of the decode steps that it waits for. own_prefill: of the wait for its own prefill.
    burst: of the wait behind the other prompts of the start. waiting_clients: no multiple, but how many clients of a
    closed loop wait for another's answer to end.
    """

    fixed: Factor
    own_prefill: Factor
    burst: Factor
    waiting_clients: Error = 0.0

    @classmethod
    def alike(cls, factor: float) -> FirstTokenFactors:
        """The same multiple of everything."""
        return cls(fixed=factor, own_prefill=factor, burst=factor)


class StackFactors(Frozen):
    """What measurements say of one weight format under one version of the engine, "" where results state none.

    step: multiple of every step. first_token: multiples of the first token of a request that finds room in the cache;
    None leaves it as it is predicted without a correction, the steps in it too.
    """

    weights: str
    engine_version: str
    step: Factor
    first_token: FirstTokenFactors | None


class Correction(Frozen):
    """What measurements say of one (model, part, engine), all by catalog id.

    stacks: each that was measured. prefill_factor: further multiple of what a prompt adds to the steps that carry it.
    step_deviation: standard deviation of the logarithm of a step time that is left; it holds for the tensor parallel
    sizes that were measured (`tp`), others have the factors but no narrower interval. results: how many were fitted.
    """

    model: str
    accelerator: str
    engine: str
    stacks: tuple[StackFactors, ...] = Field(min_length=1)
    prefill_factor: Factor
    step_deviation: Factor
    tp: tuple[int, ...] = Field(min_length=1)
    results: int = Field(ge=1)
    load: MeasuredLoad
    tpot_error: Change
    ttft_error: Change
    tools: tuple[str, ...]
    files: tuple[ResultFile, ...]
    as_of: str
    catalog_hash: str

    @model_validator(mode="before")
    @classmethod
    def _with_stacks(cls, data: Any) -> Any:
        """Before schema version 3 the first token had one set of factors; in version 1, one factor."""
        if not isinstance(data, dict) or "stacks" in data or not isinstance(data.get("step_factors"), dict):
            return data
        first_token = data.get("first_token")
        if "first_token_factor" in data:
            first_token = dict.fromkeys(MULTIPLES, data["first_token_factor"])
        old = {"step_factors", "first_token", "first_token_factor"}
        stacks = [
            {"weights": weights, "engine_version": "", "step": step, "first_token": first_token}
            for weights, step in data["step_factors"].items()
        ]
        return {name: value for name, value in data.items() if name not in old} | {"stacks": stacks}

    def stack_of(self, weights: str, engine_version: str) -> StackFactors | None:
        """What was measured with a weight format: under the version, or else under the newest; None if nothing was."""
        measured = [stack for stack in self.stacks if stack.weights == weights]
        own = [stack for stack in measured if stack.engine_version == engine_version]
        return max(own or measured, key=lambda stack: version_number(stack.engine_version), default=None)

    def applied_to(self, engine: Engine, weights: str, engine_version: str) -> Engine:
        """The engine as it was measured with a weight format; KeyError for one that was not measured."""
        stack = self.stack_of(weights, engine_version)
        if stack is None:
            raise KeyError(weights)
        return corrected_engine(engine, stack.step, self.prefill_factor, stack.first_token)

    @property
    def group(self) -> tuple[str, str, str]:
        """(model, accelerator, engine)."""
        return self.model, self.accelerator, self.engine


class Layer(Frozen):
    """The content of a calibration file; one correction per group. Versions 1 and 2 are read, version 3 is written."""

    schema_version: Literal[1, 2, 3] = 3
    kind: Literal["roofplan-calibration"] = "roofplan-calibration"
    corrections: tuple[Correction, ...] = ()


def corrected_engine(engine: Engine, step: float, prefill: float, first_token: FirstTokenFactors | None) -> Engine:
    """The engine with every step, what a prompt adds to it, and what the first token waits for multiplied.

    Steps are those of one pipeline stage; hops between stages stay. The own prefill has its own multiple, so the
    prefill factor is taken out of it again; of a first token that is left alone, the step factor too.
    """
    first = FirstTokenFactors.alike(1.0) if first_token is None else first_token
    steps_in_it = step if first_token is None else 1.0
    return engine.model_copy(
        update={
            "kernel_scale": step * engine.kernel_scale,
            "step_s": step * engine.step_s,
            "sequence_s": step * engine.sequence_s,
            "layer_s": step * engine.layer_s,
            "eager_layer_s": step * engine.eager_layer_s,
            "prefill_factor": prefill * engine.prefill_factor,
            "prefill_event_s": step * prefill * engine.prefill_event_s,
            "host_s": first.fixed * engine.host_s,
            "extra_steps": first.fixed / steps_in_it * engine.extra_steps,
            "attention_dp_steps": first.fixed / steps_in_it * engine.attention_dp_steps,
            "own_prefill_factor": first.own_prefill / (steps_in_it * prefill) * engine.own_prefill_factor,
            "burst_share": first.burst / steps_in_it * engine.burst_share,
            "waiting_clients": engine.waiting_clients + first.waiting_clients,
        }
    )


def read_layer(path: Path) -> Layer:
    """Return the layer in a calibration file.

    Raises CatalogError if it cannot be read, is no such file, or names a group twice; the message says where.
    """
    try:
        layer = Layer.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CatalogError(f"{path}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise CatalogError(
            f"{path}: {where + ': ' if where else ''}{first['msg']}; a calibration file is what "
            "`roofplan calibrate … -o FILE` writes"
        ) from None
    twice = _first_repeated(correction.group for correction in layer.corrections)
    if twice is not None:
        raise CatalogError(f"{path}: corrections: {', '.join(twice)} stands there twice")
    return layer


def _first_repeated(groups: Iterable[tuple[str, str, str]]) -> tuple[str, str, str] | None:
    seen = set()
    for group in groups:
        if group in seen:
            return group
        seen.add(group)
    return None


def with_layer(snapshot: Snapshot, path: Path) -> Snapshot:
    """Return the snapshot with the corrections of the calibration file at `path`.

    Raises CatalogError as `read_layer` does, and where a correction names what the catalog does not hold.
    """
    layer = read_layer(path)
    tables: dict[str, Collection[str]] = {
        "model": snapshot.models,
        "accelerator": snapshot.accelerators,
        "engine": snapshot.engines,
        "format": snapshot.formats,
    }
    for correction in layer.corrections:
        names = [
            *zip(tables, correction.group, strict=False),
            *(("format", stack.weights) for stack in correction.stacks),
        ]
        for kind, name in names:
            if name not in tables[kind]:
                raise CatalogError(f"{path}: corrections: no {kind} {name!r} in this catalog")
    corrections = {correction.group: correction for correction in layer.corrections}
    return snapshot.model_copy(update={"corrections": corrections})
