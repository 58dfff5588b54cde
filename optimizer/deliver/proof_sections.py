"""Why there is nothing cheaper: what loses and by how much, the ledger, and what other terms would cost."""

from __future__ import annotations

from optimizer.deliver.design_sections import counted, layout_text
from optimizer.deliver.figures import dollars, objective_text, signed_percent
from optimizer.deliver.page import GLUE, Section, listed, packed
from optimizer.outcome import Allowance, Alternative, Objective, ObjectiveMetric, Outcome, Scope, SearchOut

_NEXT_BEST = 2
_PROOF_LINES = 4


def next_best(outcome: Outcome, most_lines: int) -> Section:
    """The next designs and what they lack."""
    if not outcome.alternatives:
        return packed("Next best", ["nothing else meets the requirements"], 1)
    return listed("Next best", [_next_best(each) for each in outcome.alternatives[:_NEXT_BEST]], most_lines)


def _next_best(other: Alternative) -> str:
    formats = f"{other.formats.weights} {layout_text(other.layout)}"
    return f"{dollars(other.usd_per_hour)}/h {other.accelerator} {formats}: {other.why_not}"


def proof(outcome: Outcome, most_lines: int = _PROOF_LINES) -> Section:
    """Objective against bound, what became of every candidate, what simulation said, and what was searched."""
    claim = _claim(outcome.objective, outcome.search)
    if claim is None:
        claim = "no candidate is left" if outcome.proved else "the search stopped before an answer"
    pieces = (_ledger(outcome.search), claim, *_simulated(outcome), f"scope: {_scope(outcome.scope)}")
    return packed("Proof", pieces, most_lines)


def _simulated(outcome: Outcome) -> tuple[str, ...]:
    """What simulation confirmed, and the optimum of the laws where that is another."""
    verification, objective = outcome.verification, outcome.objective
    if verification is None:
        return ()
    rounds = counted(verification.rounds, "round")
    if verification.seeds is None or objective.value is None or objective.analytic_bound is None:
        return (f"simulation refused all winners of {rounds}",)
    sample = f"{counted(len(verification.seeds), 'seed')} of {verification.requests:,} requests"
    if not verification.seeds:
        sample = f"{verification.requests:,} requests of the trace"
    if objective.value == objective.analytic_bound:
        return (f"verified by simulation ({sample}{'' if verification.rounds == 1 else f', {rounds}'})",)
    laws, value = (objective_text(objective.metric, each) for each in (objective.analytic_bound, objective.value))
    price = signed_percent(objective.value / objective.analytic_bound - 1.0)
    return (
        f"C₀ = {laws} by the laws alone",
        f"verified by simulation: C = {value} ({price}, {rounds})",
    )


def _claim(objective: Objective, search: SearchOut) -> str | None:
    if objective.value is None:
        return None
    value = objective_text(objective.metric, objective.value)
    if objective.value == objective.bound:
        what = "mean e2e " if objective.metric is ObjectiveMetric.E2E_MEAN_S else ""
        return f"objective = bound = {what}{value} ({search.solver})"
    bound = "none" if objective.bound is None else objective_text(objective.metric, objective.bound)
    beyond = "<" if objective.metric is ObjectiveMetric.REQUESTS_PER_S else ">"
    return f"objective {value} {beyond} bound {bound} ({search.solver})"


def _ledger(search: SearchOut) -> str:
    parts = (
        (search.illegal, "illegal"),
        (search.bounded, "bounded"),
        (search.refused, "refused"),
        (search.dominated, "dominated"),
        (search.optimal, "optimal"),
        (search.tied, "tied"),
    )
    terms = f" +{GLUE}".join(f"{rows:,}{GLUE}{what}" for rows, what in parts)
    return f"{search.candidates:,} candidates = {terms}"


def _scope(scope: Scope) -> str:
    custom = [f"custom {', '.join(scope.custom_parts)}"] if scope.custom_parts else []
    estimated = "other estimated parts" if custom else "estimated parts"
    admitted = (estimated, scope.estimated_parts), ("undated prices", scope.undated)
    return ", ".join(
        [
            " or ".join(scope.engines),
            f"{' or '.join(scope.formats) or 'no'} weights",
            f"{scope.pools} pools",
            *custom,
            *(f"{'with' if allowed else 'no'} {what}" for what, allowed in admitted),
        ]
    )


def allowances(outcome: Outcome, none: str, most_lines: int = 2) -> Section:
    """Costs under other terms; `none` says what a missing cost means."""
    laws = "" if outcome.verification is None else "by the laws alone, "
    return packed("Otherwise", [f"{laws}{_allowance(each, outcome, none)}" for each in outcome.allowances], most_lines)


def _allowance(allowance: Allowance, outcome: Outcome, none: str) -> str:
    if allowance.usd_per_hour is None:
        return f"{allowance.change}: {none}"
    text = f"{allowance.change}: {dollars(allowance.usd_per_hour)}/h"
    if outcome.cost is None:
        return text
    objective = outcome.objective
    by_laws = objective.analytic_bound if objective.metric is ObjectiveMetric.USD_PER_HOUR else None
    beside = outcome.cost.usd_per_hour if by_laws is None else by_laws
    if allowance.usd_per_hour == beside:
        return f"{allowance.change}: the same"
    return f"{text} ({signed_percent(allowance.usd_per_hour / beside - 1.0)})"


def warnings(outcome: Outcome) -> Section:
    """What the reader should doubt."""
    return listed("Warning", outcome.warnings, 1)
