"""What prefill and decode pools do, and whether prompts queue before them."""

from __future__ import annotations

from collections.abc import Iterator

from optimizer.diagnose.diagnosis import Cause, Finding, PoolsOut
from optimizer.diagnose.evidence import Evidence
from optimizer.diagnose.wording import count, duration, percent, tokens_per_s

# A pool that computes this share of the time has a queue; fewer requests or prompt times than this are none.
BUSY = 0.6
LEAST_QUEUE = 2.0


def pools(evidence: Evidence) -> Iterator[Finding]:
    """What bounds the pools, where requests wait, and what the accelerators carry without pools."""
    bounds = evidence.pools
    if bounds is None:
        return
    load = evidence.found.deployment.command.load
    short = "prefill" if bounds.prefill_share_of_work > bounds.prefill_share_of_accelerators else "decode"
    yield Finding(
        cause=Cause.POOLS,
        says=f"pools are not predicted; {bounds.prefill_accelerators} + {bounds.decode_accelerators} accelerators let "
        f"at most {tokens_per_s(bounds.output_tokens_per_s_at_most)} pass. Prompts are "
        f"{percent(bounds.prefill_share_of_work)} of the work, the prefill pool has "
        f"{percent(bounds.prefill_share_of_accelerators)} of the accelerators: the {short} pool is too small. With "
        f"{count(load.prompt_tokens)} prompt tokens this split is right for {count(bounds.balanced_output_tokens)} "
        f"output tokens; asked are {count(load.output_tokens)}",
    )
    if bounds.waiting_for_prefill is not None and evidence.measured.ttft_s is not None:
        yield _prefill_queue(bounds, bounds.waiting_for_prefill, evidence.measured.ttft_s)
    figures, best = evidence.found.figures, evidence.best
    carried = 0.0 if figures is None else figures.output_tokens_per_s.value
    carried = carried if best is None else best.output_tokens_per_s
    if carried > bounds.output_tokens_per_s_at_most:
        accelerators = evidence.found.deployment.command.machine.accelerators
        yield Finding(
            cause=Cause.POOLS,
            says=f"the {accelerators} accelerators without pools carry {tokens_per_s(carried)}, more than these pools "
            "can: pools keep the two latencies apart, they do not add throughput here",
            premise=True,
        )


def _prefill_queue(pools: PoolsOut, waiting: float, ttft_s: float) -> Finding:
    """What the measured first tokens say of the prefill pool, by Little's law."""
    prompt_s = 1.0 / pools.prompts_per_s
    busy = waiting / ttft_s * prompt_s
    text = (
        f"measured: {count(waiting)} requests are before their first token, {duration(ttft_s)} each; the prefill pool "
        f"computes a prompt in {duration(prompt_s)} and is busy {percent(min(busy, 1.0))} of the time: "
    )
    if waiting < LEAST_QUEUE or ttft_s < LEAST_QUEUE * prompt_s:
        text += "there is no prefill queue to speak of"
    elif busy >= BUSY:
        text += "a prefill queue, the pool has too few workers"
    else:
        text += "a queue that its compute does not explain; look at the transfer of the KV cache and at the router"
    return Finding(cause=Cause.POOLS, says=text)
