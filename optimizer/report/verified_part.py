"""How search and simulation came to the design, as an answer prints it."""

from __future__ import annotations

from optimizer.answers import Judgement, Verification
from optimizer.arithmetic.money import usd_per_hour
from optimizer.outcome import EngineOut, Refused, SimulatedLimit, VerificationOut
from optimizer.report.design_part import formats_of, layout_of
from optimizer.report.simulated_part import limit_out
from optimizer.topology.layouts import CandidateSpace


def verification_out(space: CandidateSpace, verification: Verification) -> VerificationOut:
    """The rounds, what they refused, and what accepted the design."""
    judged = verification.judgement
    return VerificationOut(
        rounds=verification.rounds,
        seeds=None if judged is None else judged.seeds,
        requests=None if judged is None else judged.requests,
        pipelines=None if judged is None else judged.pipelines,
        request_rate_per_s=None if judged is None else judged.rate_per_s,
        limits=None if judged is None else _limits(judged),
        unfinished_share=None if judged is None else judged.unfinished_share,
        preemptions=None if judged is None else judged.preemptions,
        refusals=tuple(_refused(space, each) for each in verification.refusals),
    )


def not_accepted(verification: Verification | None) -> tuple[str, ...]:
    """The doubt that weighs most: simulation refuses the design, and no other is known that it accepts."""
    if verification is None or verification.judgement is not None:
        return ()
    return (
        f"simulation refuses this design, and each that {verification.rounds} rounds of search put in its place; "
        "no design is known that it accepts",
    )


def _limits(judged: Judgement) -> tuple[SimulatedLimit, ...]:
    return tuple(limit_out(each.limit, each.predicted_s, each.simulated) for each in judged.limits)


def _refused(space: CandidateSpace, judged: Judgement) -> Refused:
    column = judged.column
    row = space.keys[column.key]
    return Refused(
        accelerator=row.accelerator.id,
        layout=layout_of(space, column.key),
        formats=formats_of(space, column.key),
        engine=EngineOut(
            name=row.engine.id,
            max_num_seqs=column.max_num_seqs,
            max_num_batched_tokens=column.token_budget,
        ),
        replicas=column.replicas,
        usd_per_hour=usd_per_hour(column.usd_micro_per_hour),
        limits=_limits(judged),
    )
