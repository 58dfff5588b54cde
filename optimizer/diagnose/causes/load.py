"""What the load does: figures that contradict each other, requests that wait, arrivals beyond the capacity."""

from __future__ import annotations

from collections.abc import Iterator

from optimizer.arithmetic.loads import RESIDENT_OUTPUT_SHARE
from optimizer.diagnose.diagnosis import Cause, Finding
from optimizer.diagnose.evidence import Evidence
from optimizer.diagnose.forecast import highest_rate_per_s
from optimizer.diagnose.wording import count, duration, tokens_per_s
from optimizer.evaluate import Closed

# Little's law: what was measured may differ by this from the number of clients before the figures contradict.
AGREEMENT = 1.25
# Share of the arrivals that a deployment which keeps up answers in a run with a beginning and an end.
KEPT_UP = 0.95


def measurements(evidence: Evidence) -> Iterator[Finding]:
    """Figures of one closed loop that cannot all be true."""
    measured, load = evidence.measured, evidence.found.deployment.command.load
    if measured.tokens_per_s is None:
        return
    offered = None if load.rate_per_s is None else load.rate_per_s * load.output_tokens
    if offered is not None and measured.tokens_per_s < KEPT_UP * offered:
        yield Finding(
            cause=Cause.OVERLOAD,
            says=f"{tokens_per_s(measured.tokens_per_s)} were measured, {tokens_per_s(offered)} are asked for: the "
            "deployment did not keep up, or the run was too short to settle",
        )
    if measured.tpot_s is None or measured.ttft_s is None or load.concurrency is None:
        return
    request_s = measured.ttft_s + (load.output_tokens - 1.0) * measured.tpot_s
    in_flight = measured.tokens_per_s / load.output_tokens * request_s
    if max(in_flight / load.concurrency, load.concurrency / in_flight) > AGREEMENT:
        yield Finding(
            cause=Cause.MEASUREMENTS_DISAGREE,
            says=f"{tokens_per_s(measured.tokens_per_s)} of requests that take {duration(request_s)} would need "
            f"{count(in_flight)} clients (Little's law), not {count(load.concurrency)}: tokens/s may count prompts, "
            "clients may pause, or the figures are of different runs",
            premise=True,
        )


def occupancy(evidence: Evidence) -> Iterator[Finding]:
    """Requests that cannot run: no KV cache, no slot, or more arrivals than are carried."""
    found = evidence.found
    case, load = found.case, found.loaded.load
    if found.figures is None:
        rate = highest_rate_per_s(found)
        yield Finding(
            cause=Cause.OVERLOAD,
            says=f"{evidence.found.deployment.command.load.rate_per_s:g} req/s exceed what the deployment carries, "
            f"{rate:.3g} req/s: the queue grows without end, and no latency is steady"
            + ("" if evidence.best is not None else "; no other arrangement of these accelerators carries it either"),
            premise=True,
        )
        return
    if not isinstance(load, Closed):
        return
    clients, running = float(load.concurrency[0]), found.running
    if running >= 0.995 * clients:
        return
    waits = f"{count(clients - running)} of {count(clients)} clients of a replica wait"
    if running >= 0.999 * case.slots:
        yield Finding(
            cause=Cause.ENGINE_SLOTS,
            says=f"the engine runs {count(case.slots)} requests at once, its limit: {waits}; raise the limit, "
            "or they queue before their first token",
        )
        return
    yield Finding(
        cause=Cause.KV_PRESSURE,
        says=f"the KV cache of a replica holds {count(found.kv_tokens)} tokens, {count(running)} requests of "
        f"{count(case.prompt_tokens)} + {RESIDENT_OUTPUT_SHARE:g} × {count(case.output_tokens)}: {waits}, and more "
        "clients add queue, not tokens/s",
        premise=True,
    )
