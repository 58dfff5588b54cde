"""What a user may choose instead: alternatives, designs near the optimum, and the staircase of cost against a limit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict

from optimizer.answers import Alternative as Loser
from optimizer.answers import Answer
from optimizer.arithmetic.money import usd_per_hour
from optimizer.evaluate import Laws, mean_state
from optimizer.outcome import Alternative, Choice, FormatsOut, FrontierOut, FrontierStep, LayoutOut, NearOptimum
from optimizer.report.design_part import formats_of, layout_of, price_date_of, price_label
from optimizer.report.objective_part import value_of
from optimizer.search.columns import Column, candidates_of, rate_of
from optimizer.search.refine import NEAR_PERCENT
from optimizer.topology.layouts import CandidateSpace
from requirements_specs.requirement import Metric, Statistic
from requirements_specs.serving import Objective, ServingSpec

if TYPE_CHECKING:
    from optimizer.search.frontier import Frontier


class Short(TypedDict):
    """The fields of `Choice`."""

    accelerator: str
    offer: str
    instances: int
    replicas: int
    layout: LayoutOut
    formats: FormatsOut
    price_kind: str
    price_date: str | None
    price_source: str
    usd_per_hour: float


def short(space: CandidateSpace, column: Column) -> Short:
    """A design in short."""
    offer = space.offers[column.offer]
    return Short(
        accelerator=space.keys[column.key].accelerator.id,
        offer=offer.id,
        instances=column.instances,
        replicas=column.replicas,
        layout=layout_of(space, column.key),
        formats=formats_of(space, column.key),
        price_kind=offer.price_kind.value,
        price_date=price_date_of(offer),
        price_source=offer.price_source,
        usd_per_hour=usd_per_hour(column.usd_micro_per_hour),
    )


def alternatives(spec: ServingSpec, found: Answer) -> tuple[Alternative, ...]:
    """The next distinct designs; their figures where they were asked for."""
    return tuple(_alternative(spec, found, loser) for loser in found.alternatives)


def _alternative(spec: ServingSpec, found: Answer, loser: Loser) -> Alternative:
    column, binding = loser.column, loser.binding
    ttft_s, tpot_s = (None, None) if binding is None else _tails(found, loser)
    return Alternative(
        **short(found.problem.space, column),
        value=value_of(spec.objective, column),
        why_not=_why_not(spec.objective, found.problem.space, column, found.design),
        ttft_p99_s=ttft_s,
        tpot_p99_s=tpot_s,
        binding_wall=None if binding is None else binding.wall,
    )


def _tails(found: Answer, loser: Loser) -> tuple[float, float]:
    """Predicted p99 of TTFT and TPOT, seconds."""
    candidate = candidates_of(found.problem.physics, loser.column)
    working = loser.column.replicas - loser.demand.spare_replicas
    question = replace(found.problem.question.among(working), deviations=0.0)
    state = mean_state(candidate, rate_of(loser.demand, loser.column), question)
    laws = Laws(candidate, state)
    ttft, tpot = (float(laws.statistic(metric, Statistic.P99)[0]) for metric in (Metric.TTFT, Metric.TPOT))
    return ttft, tpot


def _why_not(sought: Objective, space: CandidateSpace, column: Column, design: Column) -> str:
    """What a design lacks beside the optimum."""
    offer = space.offers[column.offer]
    instances = f"{column.instances} instance{'' if column.instances == 1 else 's'}"
    rented = f"{instances} at ${usd_per_hour(offer.usd_micro_per_hour):,.2f}/h ({price_label(offer)})"
    worse = abs(value_of(sought, column) - value_of(sought, design))
    if column.value != design.value:
        if sought is Objective.FASTEST:
            return f"{1e3 * worse:,.0f} ms slower: mean e2e {value_of(sought, column):,.3f} s"
        return f"{worse:,.3g} req/s fewer: it carries {value_of(sought, column):,.6g} req/s"
    if extra := usd_per_hour(column.usd_micro_per_hour - design.usd_micro_per_hour):
        return f"+${extra:,.2f}/h: {rented}"
    if column.largest_ratio > design.largest_ratio:
        return (
            f"same cost, nearer its limit ({100 * column.largest_ratio:.0f} % of it against "
            f"{100 * design.largest_ratio:.0f} %)"
        )
    return "same cost, later in the order of ties"


def near_optimum(found: Answer) -> NearOptimum | None:
    """Designs within a few percent of the optimum; None unless alternatives are asked for."""
    if found.near is None:
        return None
    designs = tuple(Choice(**short(found.problem.space, column)) for column in found.near)
    return NearOptimum(share=NEAR_PERCENT / 100, count=len(designs), designs=designs)


def frontier(space: CandidateSpace, stairs: Frontier | None) -> FrontierOut | None:
    """The staircase; None unless it is asked for."""
    if stairs is None:
        return None
    from optimizer.search.frontier import LIMIT_DIGITS, MOST_POINTS  # only who asks for it pays for it

    return FrontierOut(
        requirement=f"slo.{stairs.metric}.{stairs.statistic}",
        digits=LIMIT_DIGITS,
        most_steps=MOST_POINTS,
        complete=stairs.complete,
        steps=tuple(FrontierStep(**short(space, point.column), limit_s=point.limit_s) for point in stairs.points),
    )
