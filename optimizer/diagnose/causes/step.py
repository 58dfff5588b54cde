"""Terms of the time per token that are large."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from catalog.parts import LinkKind
from optimizer.diagnose.diagnosis import Cause, Finding
from optimizer.diagnose.evidence import Evidence
from optimizer.diagnose.forecast import forecast
from optimizer.diagnose.terms import Term, context_of, decode_step_s
from optimizer.diagnose.wording import arrangement, count, duration, layout_name, percent, sequences, tokens_per_s
from optimizer.evaluate import Open
from optimizer.predict.cases import Unsupported

# Shares of the time per token from which on a term is a cause.
LARGE_INTERFERENCE = 0.2
LARGE_COLLECTIVES = 0.1
LARGE_ENGINE = 0.25
LARGE_LAUNCHES = 0.25
# A group of twice the ranks that is less than this faster has shards that are too small.
GOOD_DOUBLING = 1.6


def step(evidence: Evidence) -> Iterator[Finding]:
    """Terms of the time per token that are large, the largest first."""
    terms = evidence.term_s
    total = sum(terms.values())
    if total <= 0.0:
        return
    shares = {term: seconds / total for term, seconds in terms.items()}
    made = {
        Term.PREFILLS: (LARGE_INTERFERENCE, _interference),
        Term.COLLECTIVES: (LARGE_COLLECTIVES, _collectives),
        Term.ENGINE: (LARGE_ENGINE, _engine),
        Term.LAUNCHES: (LARGE_LAUNCHES, _launches),
    }
    for term, (least, words) in sorted(made.items(), key=lambda each: -shares[each[0]]):
        if shares[term] >= least:
            yield words(evidence, terms[term], shares[term])
    yield from _doubling(evidence)


def _interference(evidence: Evidence, seconds: float, share: float) -> Finding:
    case = evidence.found.case
    return Finding(
        cause=Cause.PREFILL_INTERFERENCE,
        says=f"prompts of other requests run in the steps of a decoding one: {duration(seconds)} per token, "
        f"{percent(share)} of TPOT at {count(case.prompt_tokens)} prompt to {count(case.output_tokens)} output tokens; "
        "a prefix cache, shorter prompts or a prefill pool take it away, smaller chunks only spread it",
    )


def _collectives(evidence: Evidence, seconds: float, share: float) -> Finding:
    deployment, row = evidence.found.deployment, evidence.found.case.row
    over = "PCIe" if row.link is LinkKind.PCIE else row.link.value
    if deployment.spans_hosts:
        over = "the network between hosts"
    return Finding(
        cause=Cause.COLLECTIVES,
        says=f"{layout_name(deployment.layout)} exchanges activations twice a layer over {over}: {duration(seconds)} "
        f"per token, {percent(share)} of TPOT; fewer ranks per replica take it away",
    )


def _engine(_: Evidence, seconds: float, share: float) -> Finding:
    return Finding(
        cause=Cause.ENGINE,
        says=f"scheduling and sampling between steps take {duration(seconds)} per token, {percent(share)} of TPOT; no "
        "accelerator shortens it, fewer sequences per replica or a newer engine do",
    )


def _launches(_: Evidence, seconds: float, share: float) -> Finding:
    return Finding(
        cause=Cause.LAUNCHES,
        says=f"the fixed times of kernels take {duration(seconds)} per token, {percent(share)} of TPOT, whatever the "
        "batch: more clients share them, more ranks or a faster accelerator do not shorten them",
    )


def _doubling(evidence: Evidence) -> Iterator[Finding]:
    """Whether the second half of the ranks earned its keep, against twice the replicas of half the ranks."""
    found = evidence.found
    layout, replicas = found.deployment.layout, found.case.replicas
    if found.figures is None or layout.tp == 1 or layout.tp % 2 or layout.dp_attention > 1:
        return
    clients = found.deployment.command.load.concurrency
    if clients is not None and clients < 2 * replicas:
        return
    half = replace(layout, tp=layout.tp // 2, ep=1 if layout.ep == 1 else layout.tp // 2)
    try:
        case = found.deployment.command.case(half, 2 * replicas)
    except Unsupported:
        return
    other = forecast(replace(found.deployment, case=case, layout=half))
    if not other.fits:
        return
    running, context = max(found.running / case.row.pp, 1.0), context_of(found.loaded.shape)
    steps = [float(decode_step_s(each.loaded.replica, np.array([running]), context)[0]) for each in (other, found)]
    faster = steps[0] / steps[1]
    closed = other.figures is not None and not isinstance(found.loaded.load, Open)
    carried = [each.figures.output_tokens_per_s.value for each in (other, found) if each.figures is not None]
    if faster >= GOOD_DOUBLING or (closed and carried[0] <= carried[1]):
        return
    text = (
        f"a step of {sequences(running)} takes {duration(steps[0])} with {layout_name(half)} and "
        f"{duration(steps[1])} with {layout_name(layout)}: {faster:.2f}× as fast on twice the accelerators, since "
        "collectives, launches and the engine do not shrink with the shards"
    )
    if closed:
        text += (
            f"; {arrangement(2 * replicas, half)} carry {tokens_per_s(carried[0])}, {arrangement(replicas, layout)} "
            f"{tokens_per_s(carried[1])}"
        )
    yield Finding(cause=Cause.SMALL_SHARDS, says=text, premise=True)
