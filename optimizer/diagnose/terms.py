"""A predicted time taken apart: what it loses when one thing after the other is taken away.

Every term is a difference of two evaluations of the same deployment, so the terms sum to the time. What is taken away
first gets what it adds to all the rest: compute is what multiplying adds to reading the weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from optimizer.arithmetic.arrays import Floats
from optimizer.arithmetic.loads import LoadShape
from optimizer.arithmetic.serving import Replicas
from optimizer.arithmetic.step_coefficients import EngineCosts, Wiring
from optimizer.arithmetic.step_times import Resource
from optimizer.bottleneck.hypothetical import BOUNDLESS
from optimizer.evaluate import LOWEST_RATE_PER_S, Closed, Evaluation, Load, Open, StepSpread, evaluate
from optimizer.traffic.step_tables import SEQUENCES, at_sequences


class Term(StrEnum):
    """A part of a time; the value names it for people."""

    PREFILLS = "prefills of other requests"
    WEIGHTS = "reading weights"
    KV = "reading the KV cache"
    COMPUTE = "multiplying, beyond reading"
    COLLECTIVES = "collectives"
    ENGINE = "engine between steps"
    LAUNCHES = "kernel launches"
    QUEUE = "waiting for a place"
    BURST = "burst of the start"
    OWN_PREFILL = "own prefill"
    STEPS = "steps before the first token is sent"
    HOST = "host"


@dataclass(frozen=True)
class Share:
    """Seconds of one term."""

    term: Term
    seconds: float


@dataclass(frozen=True)
class Loaded:
    """One replica under its share of the load: everything that an evaluation needs, one row each."""

    replica: Replicas
    shape: LoadShape
    load: Load

    def evaluated(self) -> Evaluation:
        """The point prediction."""
        return evaluate(self.replica, self.shape, self.load, StepSpread.none(1), 0.0)

    def on(self, replica: Replicas) -> Loaded:
        """The same with another replica."""
        return replace(self, replica=replica)


def per_token_terms(loaded: Loaded) -> tuple[Share, ...]:
    """The mean time per output token: other requests' prefills, then the parts of a step that only decodes."""
    found = loaded.evaluated()
    total = float(found.tpot_mean_s[0])
    sequences = found.resident
    if not isinstance(loaded.load, Open):
        sequences = np.maximum(sequences / loaded.replica.pp, 1.0)
    parts = decode_terms(loaded.replica, sequences, context_of(loaded.shape), tabulated=isinstance(loaded.load, Open))
    decode = sum(part.seconds for part in parts)
    return (Share(Term.PREFILLS, max(total - decode, 0.0)), *parts)


def context_of(shape: LoadShape) -> Floats:
    """Mean tokens that a decoding sequence attends to, (1,)."""
    return shape.prompt_tokens + shape.output_tokens / 2.0


def decode_terms(replica: Replicas, sequences: Floats, context: Floats, *, tabulated: bool) -> tuple[Share, ...]:
    """The parts of a decode step of so many sequences of a pipeline, (1,); `tabulated` reads it as open arrivals do."""
    no_wiring = replace(replica, wiring=_free(replica.wiring))
    no_compute = no_wiring.scaled(Resource.COMPUTE, BOUNDLESS)
    no_bandwidth = no_compute.scaled(Resource.MEMORY_BANDWIDTH, BOUNDLESS)
    still = EngineCosts(no_bandwidth.engine.kernel_scale, *(np.zeros(1) for _ in range(4)))
    launches_only = replace(no_bandwidth, engine=still)
    nothing = np.zeros_like(context)
    stages = (
        (Term.COLLECTIVES, replica, context),
        (Term.KV, no_wiring, context),
        (Term.COMPUTE, no_wiring, nothing),
        (Term.WEIGHTS, no_compute, nothing),
        (Term.ENGINE, no_bandwidth, nothing),
        (Term.LAUNCHES, launches_only, nothing),
    )
    times = [_decode_s(each, sequences, length, tabulated) for _, each, length in stages]
    parts = _differences([term for term, _, _ in stages], times)
    order = (Term.WEIGHTS, Term.KV, Term.COMPUTE, Term.COLLECTIVES, Term.ENGINE, Term.LAUNCHES)
    return tuple(sorted(parts, key=lambda part: order.index(part.term)))


def first_token_terms(loaded: Loaded) -> tuple[Share, ...]:
    """The mean time to the first token."""
    if isinstance(loaded.load, Open):
        alone = replace(loaded, load=replace(loaded.load, rate_per_s=np.full(1, LOWEST_RATE_PER_S)))
        return _told_apart((Term.QUEUE, loaded), (Term.OWN_PREFILL, alone), rest=loaded.replica.host_s)
    stages = [(Term.QUEUE, loaded)]
    admitted = loaded
    if isinstance(loaded.load, Closed):
        clients, resident = loaded.load.concurrency, loaded.evaluated().resident
        requests = loaded.load.requests * resident / clients
        at_once = replace(loaded, load=Closed(resident, requests, loaded.load.slots))
        admitted = at_once.on(replace(loaded.replica, waiting_clients=np.zeros(1)))
    no_burst = admitted.on(replace(loaded.replica, burst_share=np.zeros(1)))
    no_steps = no_burst.on(replace(no_burst.replica, extra_steps=np.zeros(1)))
    stages += [(Term.BURST, admitted), (Term.STEPS, no_burst), (Term.OWN_PREFILL, no_steps)]
    return _told_apart(*stages, rest=loaded.replica.host_s)


def _told_apart(*stages: tuple[Term, Loaded], rest: Floats) -> tuple[Share, ...]:
    times = [float(each.evaluated().ttft_mean_s[0]) for _, each in stages]
    return _differences([*(term for term, _ in stages), Term.HOST], [*times, float(rest[0])])


def _differences(terms: Sequence[Term], times: Iterable[float]) -> tuple[Share, ...]:
    """What each time is above the next; the last is what is left. Rounding below nothing is nothing."""
    values = [*times, 0.0]
    return tuple(
        Share(term, max(value - following, 0.0))
        for term, value, following in zip(terms, values, values[1:], strict=False)
    )


def decode_step_s(replica: Replicas, sequences: Floats, context: Floats) -> Floats:
    """A step that decodes `sequences` (G,) of a pipeline, (G,) seconds."""
    steps: Floats = replica.step_seconds(0.0, 0.0, 0.0, sequences[None, :], context[:, None])[0]
    return steps


def _decode_s(replica: Replicas, sequences: Floats, context: Floats, tabulated: bool) -> float:
    if not tabulated:
        return float(decode_step_s(replica, sequences, context)[0])
    steps = decode_step_s(replica, SEQUENCES[1:], context)
    table = np.maximum.accumulate(np.concatenate([steps[:1], steps]))
    return float(at_sequences(table[None, :], sequences)[0])


def _free(wiring: Wiring) -> Wiring:
    """Links over which everything arrives at once."""
    at_once, endless = np.zeros_like(wiring.stage_launch_s), np.full_like(wiring.stage_launch_s, np.inf)
    return replace(
        wiring,
        stage_launch_s=at_once,
        stage_ramp_s=at_once,
        stage_bytes_per_s=endless,
        attention_launch_s=at_once,
        attention_ramp_s=at_once,
        attention_bytes_per_s=endless,
        exchange_launch_s=at_once,
        exchange_s_per_element=at_once,
        hop_launch_s=at_once,
        hop_bytes_per_s=endless,
    )
