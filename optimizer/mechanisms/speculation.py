"""Speculative decoding at the hardware of a design: what it gains, and from how many sequences on it gains nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.arithmetic.arrays import Floats
from optimizer.arithmetic.replicas import Replicas
from optimizer.arithmetic.speculative import (
    Speculation,
    acceptance_for,
    kept_tokens,
    needed_tokens,
    speculating,
    verify_seconds,
)
from optimizer.evaluate import prepare
from optimizer.mechanisms.chosen import Chosen
from optimizer.mechanisms.effect import Effect, Setting, percent
from optimizer.outcome import Mechanism
from optimizer.traffic.speculative_bins import in_steps
from optimizer.traffic.step_tables import SEQUENCES

# Where the curve over the batch is read.
CURVE = (1, 4, 16, 64, 256, 1024)


@dataclass(frozen=True)
class Drafts:
    """What is known of the drafts; without an acceptance only what would be needed can be said.

    draft_cost: of each drafted token, in decode steps; 0 where the acceptance is not known.
    """

    drafted: int
    acceptance: float | None = None
    draft_cost: float = 0.0


@dataclass(frozen=True)
class AtSequences:
    """One batch: verify_steps, the step that verifies in decode steps; acceptance_needed to be no slower, None if none.

    speed_up: tokens per second of a sequence with drafts over those without; None without an acceptance.
    """

    sequences: float
    verify_steps: float
    acceptance_needed: float | None
    speed_up: float | None


@dataclass(frozen=True)
class BreakEven:
    """Drafts beside the batch, in steps without prompts.

    running: at the mean number of sequences that decode at the rate that is asked. most_sequences: that the cache and
    the engine's slots hold; the curve ends there. null_from: the least number from which on drafting gains nothing;
    None where it still gains at the most, or without an acceptance.
    """

    drafts: Drafts
    kept: float | None
    running: AtSequences
    curve: tuple[AtSequences, ...]
    most_sequences: int
    null_from: int | None


def break_even(chosen: Chosen, drafts: Drafts) -> BreakEven:
    """Where drafting pays on one pipeline of the design, at the mean context of the workload."""
    replicas, context = chosen.replicas, float(chosen.bins.mean_context[0])
    state = chosen.state(chosen.candidates(chosen.physics))
    running = max(float(state.point.sequences[0]), 1.0)
    most = max(int(min(state.kv_tokens[0] / context, SEQUENCES[-1])), 1)
    batches = np.concatenate([np.arange(1.0, most + 1.0), [running]])
    verify_steps = _verify_steps(replicas, drafts.drafted, batches, context)
    needed = needed_tokens(verify_steps, drafts.drafted, drafts.draft_cost)
    kept = None if drafts.acceptance is None else kept_tokens(drafts.acceptance, drafts.drafted)

    def at(index: int) -> AtSequences:
        return AtSequences(
            sequences=float(batches[index]),
            verify_steps=float(verify_steps[index]),
            acceptance_needed=acceptance_for(float(needed[index]), drafts.drafted),
            speed_up=None if kept is None else kept / float(needed[index]),
        )

    gains = np.flatnonzero(needed[:-1] < (0.0 if kept is None else kept))
    last = 0 if not len(gains) else int(gains[-1]) + 1
    return BreakEven(
        drafts=drafts,
        kept=kept,
        running=at(-1),
        curve=tuple(at(sequences - 1) for sequences in CURVE if sequences <= most),
        most_sequences=most,
        null_from=None if kept is None or last == most else last + 1,
    )


def _verify_steps(replicas: Replicas, drafted: int, sequences: Floats, context: float) -> Floats:
    decode_s = replicas.step_seconds(0.0, 0.0, 0.0, sequences[None, :], context)[0]
    verified: Floats = verify_seconds(replicas, drafted, sequences[None, :], context)[0] / decode_s
    return verified


def speculative_decoding(chosen: Chosen, found: BreakEven) -> Effect:
    """The design with drafts in every step against none.

    Steps that verify carry prompts as those that decode do, and requests take fewer of them; see `in_steps`.
    """
    drafts = found.drafts
    without = Setting("no drafts", chosen.now)
    if drafts.acceptance is None:
        return Effect(
            Mechanism.SPECULATIVE_DECODING,
            without=without,
            using=Setting("acceptance is not stated", None),
            in_use=False,
            reason=_needed(found),
            not_stated=True,
        )
    speculation = Speculation(drafts.drafted, drafts.acceptance, drafts.draft_cost)
    replicas = speculating(chosen.replicas, speculation)
    drafting = prepare(replicas, in_steps(chosen.bins, speculation.kept), chosen.physics.spread)
    (using,) = chosen.figures(chosen.candidates(drafting), speculation.kept)
    return Effect(
        Mechanism.SPECULATIVE_DECODING,
        without=without,
        using=Setting(f"{drafts.drafted} drafts, {percent(drafts.acceptance)} accepted", using),
        in_use=False,
        reason=_gained(found, speculation.kept, carries_more=using.highest_rate_per_s >= chosen.now.highest_rate_per_s),
    )


def _needed(found: BreakEven) -> str:
    running, drafted = found.running, found.drafts.drafted
    text = (
        f"no acceptance is stated; with {_count(running.sequences)} in a step, verifying {drafted} drafts takes "
        f"{running.verify_steps:.2f} decode steps, so "
    )
    if running.acceptance_needed is None:
        return text + "not even all of them are enough"
    return f"{text}{percent(running.acceptance_needed)} of them must be accepted to be no slower, if drafting is free"


def _gained(found: BreakEven, kept: float, *, carries_more: bool) -> str:
    running, drafts = found.running, found.drafts
    took = running.verify_steps + drafts.drafted * drafts.draft_cost
    work = f"with {_count(running.sequences)} in a step, drafts take {took:.2f} decode steps for {kept:.2f} tokens"
    if kept <= took:
        return f"a null move: {work}"
    end = (
        f"faster up to the {found.most_sequences:,} that fit"
        if found.null_from is None
        else f"a null move from {found.null_from:,} on"
    )
    text = f"{work}: {kept / took:.2f} times as fast between prompts, {end}"
    return text if carries_more else f"{text}; prompts wait for the longer steps"


def _count(sequences: float) -> str:
    return f"{sequences:,.0f} sequence{'' if round(sequences) == 1 else 's'}"
