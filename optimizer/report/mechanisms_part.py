"""Mechanisms as an answer prints them."""

from __future__ import annotations

from optimizer.answers import Answer
from optimizer.arithmetic.money import usd_per_hour
from optimizer.mechanisms import AtSequences, BreakEven, Effect, Mechanisms, Resolved, Setting
from optimizer.outcome import (
    BatchOut,
    MechanismFigures,
    MechanismOut,
    MechanismsOut,
    Outcome,
    ResolvedOut,
    SettingOut,
    SpeculationOut,
)


def with_mechanisms(outcome: Outcome, found: Answer, mechanisms: Mechanisms) -> Outcome:
    """The outcome with every mechanism at its design."""
    shown = MechanismsOut(
        request_rate_per_s=found.problem.demand.rate_per_s,
        choices=tuple(_choice(effect) for effect in mechanisms.effects),
        speculation=_speculation(mechanisms.break_even),
    )
    return outcome.model_copy(update={"mechanisms": shown})


def _choice(effect: Effect) -> MechanismOut:
    return MechanismOut(
        mechanism=effect.mechanism,
        in_use=effect.in_use,
        off=_setting(effect.without),
        on=_setting(effect.using),
        worth=effect.worth,
        gain=effect.gain,
        reason=effect.reason,
        resolved=None if effect.resolved is None else _resolved(effect.resolved),
    )


def _setting(setting: Setting) -> SettingOut:
    figures = setting.figures
    if figures is None:
        return SettingOut(name=setting.name, figures=None)
    shown = MechanismFigures(
        highest_rate_per_s=figures.highest_rate_per_s, ttft_p99_s=figures.ttft_p99_s, tpot_p99_s=figures.tpot_p99_s
    )
    return SettingOut(name=setting.name, figures=shown)


def _resolved(resolved: Resolved) -> ResolvedOut:
    cost = resolved.usd_micro_per_hour
    return ResolvedOut(
        requirement=resolved.key, to=resolved.value, usd_per_hour=None if cost is None else usd_per_hour(cost)
    )


def _speculation(found: BreakEven) -> SpeculationOut:
    drafts, speed_up = found.drafts, found.running.speed_up
    return SpeculationOut(
        drafted=drafts.drafted,
        acceptance=drafts.acceptance,
        draft_cost=None if drafts.acceptance is None else drafts.draft_cost,
        kept_tokens=found.kept,
        running=_batch(found.running),
        curve=tuple(_batch(each) for each in found.curve),
        most_sequences=found.most_sequences,
        null_move=None if speed_up is None else speed_up <= 1.0,
        null_from=found.null_from,
    )


def _batch(at: AtSequences) -> BatchOut:
    return BatchOut(
        sequences=at.sequences,
        verify_steps=at.verify_steps,
        acceptance_needed=at.acceptance_needed,
        speed_up=at.speed_up,
    )
