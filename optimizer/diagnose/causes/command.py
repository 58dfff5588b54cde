"""What the command itself asks for: formats, speculation, flags that are not counted, accelerators, layout."""

from __future__ import annotations

from collections.abc import Iterator

from optimizer.diagnose.breakeven import LEAST_SAVING, verification, weight_only
from optimizer.diagnose.diagnosis import Cause, Finding, Metric
from optimizer.diagnose.evidence import Evidence
from optimizer.diagnose.wording import arrangement, count, duration, percent, sequences, tokens_per_s

# Drafted tokens per step where the command does not say.
DEFAULT_DRAFTED = 4


def formats(evidence: Evidence) -> Iterator[Finding]:
    """Formats that the part does not compute in, and weights that are widened to multiply."""
    found = evidence.found
    accelerator = found.case.row.accelerator.id
    for each in found.deployment.not_native:
        yield Finding(
            cause=Cause.FORMAT_NOT_NATIVE,
            says=f"{each.asked} is not native on {accelerator}: {each.reason}; predicted as {each.stands_for}",
            premise=True,
        )
    saved = weight_only(found)
    if saved is None:
        return
    text = (
        f"{found.deployment.weights} weights are widened to bf16 to multiply: they shorten a step of 1 sequence by "
        f"{percent(saved.alone)}, one of the {count(saved.sequences)} that run by {percent(saved.running)}, and "
        "prompts not at all"
    )
    if saved.crossover is not None:
        text += (
            f"; from {saved.crossover} sequences on they save less than {percent(LEAST_SAVING)}, and the work of "
            "widening them, which is not counted, comes on top: there bf16 is expected to be faster"
        )
    yield Finding(
        cause=Cause.WEIGHT_ONLY_FORMAT,
        says=text,
        premise=saved.crossover is not None and saved.sequences >= saved.crossover,
    )


def speculation(evidence: Evidence) -> Iterator[Finding]:
    """What speculative decoding would have to keep; it is not predicted."""
    asked = evidence.found.deployment.command.launch.speculation
    if asked is None:
        return
    cost = verification(evidence.found, asked.tokens or DEFAULT_DRAFTED)
    drafts = f"{cost.drafted} drafted tokens" + ("" if asked.tokens else " (not stated)")
    text = (
        f"speculative decoding ({asked.method}) is not predicted: the figures are without it. Verifying {drafts} "
        f"of {sequences(cost.sequences)} takes {cost.needed:.2f} decode steps, so {cost.needed:.2f} tokens per "
        "step must be kept to be no slower, drafting and the host's work not counted: "
    )
    if cost.acceptance is None:
        text += f"more than the {cost.drafted + 1} there are, so it can only be slower at this batch"
    else:
        text += f"an acceptance of {percent(cost.acceptance)} per drafted token"
    figures, measured = evidence.found.figures, evidence.measured.tpot_s
    if figures is not None and measured is not None and measured > figures.tpot_s.value:
        text += (
            f"; measured: {duration(measured)} per token, without it {duration(figures.tpot_s.value)} are predicted; "
            "switch it off and compare"
        )
    yield Finding(cause=Cause.SPECULATIVE_DECODING, says=text, premise=cost.acceptance is None)


def machine(evidence: Evidence) -> Iterator[Finding]:
    """Accelerators that the command leaves idle; pools share the machine with another command."""
    found = evidence.found
    idle = found.deployment.command.machine.accelerators - found.case.accelerators
    if idle > 0:
        yield Finding(
            cause=Cause.IDLE_ACCELERATORS,
            says=f"the command uses {found.case.accelerators} of {found.deployment.command.machine.accelerators} "
            "accelerators; the others are idle",
        )


def layout(evidence: Evidence) -> Iterator[Finding]:
    """Another arrangement that carries more."""
    best, found = evidence.best, evidence.found
    if best is None or found.figures is None or best.metric != Metric.TOKENS_PER_S:
        return
    now = found.deployment.layout
    if (best.layout.tp, best.layout.pp) != (now.tp, now.pp) or best.replicas != found.case.replicas:
        yield Finding(
            cause=Cause.LAYOUT,
            says=f"{arrangement(best.replicas, best.layout)} instead of {arrangement(found.case.replicas, now)} on the "
            f"same accelerators: {tokens_per_s(best.output_tokens_per_s)} instead of "
            f"{tokens_per_s(found.figures.output_tokens_per_s.value)}",
            premise=True,
        )


def not_counted(evidence: Evidence) -> Iterator[Finding]:
    """Flags that change the speed in a way that is not predicted."""
    for each in evidence.found.deployment.command.launch.unmodelled:
        yield Finding(cause=Cause.NOT_COUNTED, says=f"{each.flag} is not counted: {each.effect}")
