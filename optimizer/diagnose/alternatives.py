"""Every other arrangement of the same accelerators under the same load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from optimizer.diagnose.deployment import Deployment
from optimizer.diagnose.diagnosis import Change
from optimizer.diagnose.forecast import Forecast
from optimizer.evaluate import Open
from optimizer.outcome import FormatsOut, LayoutOut
from optimizer.predict.cases import Case, Unsupported
from optimizer.predict.evaluation import evaluate_cases
from optimizer.topology.layouts import ParallelLayout, layouts_of

# What a change must gain to be worth a word.
LEAST_GAIN = 1.02


@dataclass(frozen=True)
class Alternatives:
    """How many arrangements were evaluated, and the best that holds the load if it is better than the command's."""

    evaluated: int
    best: Change | None


def alternatives(found: Forecast, *, any_formats: bool) -> Alternatives:
    """Evaluate every legal layout that uses all accelerators, with the command's formats or all that the part has.

    Under clients or everything at once the most tokens/s are best; under a rate, which all of them carry alike, the
    shortest request.
    """
    deployment = found.deployment
    cases = list(_cases(deployment, any_formats=any_formats))
    if not cases:
        return Alternatives(0, None)
    predicted = evaluate_cases(cases, deployment.command.additions.snapshot, 0.0)
    usable = predicted.fits & predicted.steady
    if not usable.any():
        return Alternatives(len(cases), None)
    figures = predicted.figures
    open_load = isinstance(found.loaded.load, Open)
    merit = 1.0 / figures.e2e_mean_s if open_load else figures.output_tokens_per_s
    best = int(np.argmax(np.where(usable, merit, -np.inf)))
    now = found.figures
    gain = 1.0
    if now is not None:
        gain = merit[best] * now.e2e_s.value if open_load else merit[best] / now.output_tokens_per_s.value
        if gain < LEAST_GAIN:
            return Alternatives(len(cases), None)
    case = cases[best]
    return Alternatives(
        len(cases),
        Change(
            replicas=case.replicas,
            layout=layout_out(case),
            formats=formats_out(case),
            output_tokens_per_s=float(figures.output_tokens_per_s[best]),
            tpot_s=float(figures.tpot_mean_s[best]),
            ttft_s=float(figures.ttft_mean_s[best]),
            metric="e2e_s" if open_load else "output_tokens_per_s",
            gain=float(gain),
        ),
    )


def layout_out(case: Case) -> LayoutOut:
    """The layout of a case as it is printed."""
    row = case.row
    return LayoutOut(tp=row.tp, pp=row.pp, ep=row.ep, dp_attention=row.dp_attention)


def formats_out(case: Case) -> FormatsOut:
    """The formats that a case is predicted with."""
    row = case.row
    return FormatsOut(weights=row.weights.id, activations=row.activations.id, kv=row.kv.id)


def _cases(deployment: Deployment, *, any_formats: bool) -> Iterator[Case]:
    command = deployment.command
    accelerators, load = command.machine.accelerators, command.load
    for layout in _layouts(deployment):
        replicas = accelerators // layout.accelerators
        if load.concurrency is not None and replicas > load.concurrency:
            continue
        for formats in _formats(deployment) if any_formats else (None,):
            try:
                yield command.case(layout, replicas, formats)
            except Unsupported:
                continue


def _layouts(deployment: Deployment) -> Iterator[ParallelLayout]:
    """Layouts of the search that fill the machine with groups that stay in their host."""
    machine = deployment.command.machine
    for layout in layouts_of(deployment.case.model):
        if layout.tp <= machine.domain and machine.accelerators % layout.accelerators == 0:
            yield layout


def _formats(deployment: Deployment) -> Iterator[Mapping[str, str]]:
    formats = deployment.command.additions.snapshot.formats
    for weights in formats.values():
        for kv in formats.values():
            if weights.kernels and kv.attention is not None:
                yield {"weights_format": weights.id, "kv_format": kv.id}
