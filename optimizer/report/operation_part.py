"""The design over time, in whole units of itself: the periods of a profile, growth, and failures."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, log1p
from typing import TypedDict

import numpy as np

from catalog.offers import PriceKind
from optimizer.answers import Answer
from optimizer.arithmetic.arrays import Floats, Integers
from optimizer.arithmetic.cycle import cycle_of
from optimizer.arithmetic.money import HOURS_PER_MONTH, SECONDS_PER_HOUR, usd_per_hour, usd_per_month
from optimizer.outcome import FailureOut, GrowthOut, GrowthStep, LossOut, PeriodOut, ProfileOut, VerifiedBy
from optimizer.search.bounds import most_units, unit_prices
from optimizer.search.sizing import Sizing
from requirements_specs.serving import ServingSpec


class OfUnits(TypedDict):
    """The fields of `Fleet`."""

    replicas: int
    instances: int
    accelerators: int
    usd_per_hour: float


@dataclass(frozen=True)
class Operated:
    """A design as it is operated: what one unit of it is, and how many of them other rates need.

    idle_is_paid: whether a unit that does not run costs the same.
    """

    found: Answer
    sizing: Sizing
    instances: int
    accelerators: int
    usd_micro_per_hour: int
    idle_is_paid: bool

    def units(self, count: int) -> OfUnits:
        """So many units."""
        return OfUnits(
            replicas=count * self.sizing.replicas_per_unit,
            instances=count * self.instances,
            accelerators=count * self.accelerators,
            usd_per_hour=usd_per_hour(count * self.usd_micro_per_hour),
        )

    def saved_usd(self, unit_hours: float) -> float:
        """Dollars that are saved where units do not run for so many hours in all."""
        return 0.0 if self.idle_is_paid else usd_per_hour(self.usd_micro_per_hour) * unit_hours


def operated(found: Answer, sizing: Sizing) -> Operated:
    """The design of an answer."""
    design = found.design
    return Operated(
        found=found,
        sizing=sizing,
        instances=design.instances // design.units,
        accelerators=design.accelerators // design.units,
        usd_micro_per_hour=design.usd_micro_per_hour // design.units,
        idle_is_paid=found.problem.space.offers[design.offer].price_kind is PriceKind.OWNED,
    )


def profile(spec: ServingSpec, design: Operated) -> ProfileOut | None:
    """The periods, and the bill of a fleet that follows them; None without a profile."""
    workload, cold_start_s = spec.workload, spec.availability.cold_start_s
    if not workload.profile:
        return None
    rates, verified = _rates(spec, design), design.found.period_units
    units = design.sizing.units(rates) if verified is None else np.array(verified)
    loads = design.sizing.load(rates, units * design.sizing.replicas_per_unit - design.sizing.spare_replicas)
    started = np.maximum(units - np.roll(units, 1), 0) * design.instances
    ends = np.cumsum([period.hours for period in workload.profile])
    flat = usd_per_month(design.found.design.usd_micro_per_hour)
    saved = design.saved_usd(float(_idle_unit_hours(spec, units, cold_start_s or 0.0)))
    at_once = design.saved_usd(float(_idle_unit_hours(spec, units, 0.0)))
    return ProfileOut(
        cycle_hours=workload.cycle_hours,
        cold_start_s=cold_start_s,
        periods=tuple(
            PeriodOut(
                **design.units(int(units[index])),
                starts_at_hour=float(ends[index]) - period.hours,
                hours=period.hours,
                factor=period.factor,
                request_rate_per_s=float(rates[index]),
                load=float(loads[index]),
                started_instances=int(started[index]),
            )
            for index, period in enumerate(workload.profile)
        ),
        flat_usd_per_month=flat,
        autoscaled_usd_per_month=flat - saved,
        warm_pool_usd_per_month=None if cold_start_s is None else max(at_once - saved, 0.0),
        idle_is_paid=design.idle_is_paid,
        verified_by=VerifiedBy.NONE if verified is None else VerifiedBy.SIMULATION,
    )


def growth(spec: ServingSpec, design: Operated) -> GrowthOut | None:
    """A fleet that grows with the rate; None without growth."""
    growing = spec.workload.growth
    if growing is None:
        return None
    months = np.arange(growing.months + 1)
    shares = np.array([growing.factor(month - growing.months) for month in months.tolist()])
    peaks = design.found.problem.demand.rate_per_s * shares
    units = design.sizing.units(peaks)
    steps = [0, *(np.flatnonzero(np.diff(units)) + 1).tolist()]
    load = design.found.problem.demand.rate_per_s / _carried_per_s(design)
    flat = usd_per_month(design.found.design.usd_micro_per_hour) * growing.months
    bought = flat - design.saved_usd(float((units[-1] - units[1:]).sum()) * HOURS_PER_MONTH)
    autoscaled: float | None = None
    if spec.workload.profile:
        by_period = design.sizing.units(shares[1:, None] * _rates(spec, design))
        idle = _idle_unit_hours(spec, by_period, spec.availability.cold_start_s or 0.0)
        autoscaled = bought - design.saved_usd(float(idle.sum()))
    return GrowthOut(
        monthly=growing.monthly,
        months=growing.months,
        steps=tuple(
            GrowthStep(**design.units(int(units[month])), month=month, request_rate_per_s=float(peaks[month]))
            for month in steps
        ),
        runs_out_in_month=steps[1] if len(steps) > 1 else None,
        design_lasts_months=growing.months - log(load) / log1p(growing.monthly),
        usd_from_the_start=flat,
        usd_as_it_grows=bought,
        usd_autoscaled=autoscaled,
    )


def failure(design: Operated) -> FailureOut:
    """What an accelerator or an instance takes with it, and what one more spare costs."""
    problem, column = design.found.problem, design.found.design
    per_replica = problem.space.layouts[column.key].accelerators
    on_instance = max(1, design.sizing.replicas_per_unit // design.instances)
    spares = problem.demand.spare_replicas + 1
    more = int(design.sizing.units(np.array([problem.demand.rate_per_s]), spares)[0])
    most = most_units(
        problem.space, problem.demand, unit_prices(problem.space), problem.demand.most_usd_micro_per_hour
    )[column.placement]
    return FailureOut(
        spare_replicas=problem.demand.spare_replicas,
        accelerators_per_replica=per_replica,
        one_accelerator=_loss(design, 1, per_replica),
        one_instance=_loss(
            design, on_instance, max(on_instance * per_replica, design.accelerators // design.instances)
        ),
        one_more_spare_usd_per_hour=None
        if more > most
        else usd_per_hour((more - column.units) * design.usd_micro_per_hour),
    )


def _loss(design: Operated, replicas: int, accelerators: int) -> LossOut:
    left = design.found.design.replicas - replicas
    rate = np.array([design.found.problem.demand.rate_per_s])
    load = float(design.sizing.load(rate, np.array([left]))[0]) if left else None
    return LossOut(
        replicas=replicas,
        accelerators=accelerators,
        replicas_left=left,
        load=load,
        limits_hold=load is not None and load <= 1.0,
    )


def _carried_per_s(design: Operated) -> float:
    """The rate that the working replicas carry together."""
    working = np.array([design.found.design.replicas - design.sizing.spare_replicas])
    return float((design.sizing.rate_of_one(working) * working)[0])


def _rates(spec: ServingSpec, design: Operated) -> Floats:
    """The rate of each period, (P,) per second, at the end of the growth; the highest is the demand, to the bit."""
    rates: Floats = design.found.problem.demand.rate_per_s * np.array(spec.workload.shares_of_peak)
    return rates


def _idle_unit_hours(spec: ServingSpec, units: Integers, lead_s: float) -> Floats:
    """Hours of a month in which units of the busiest period do not run, (…,) for the units of periods, (…, P)."""
    workload = spec.workload
    cycle = cycle_of(np.array([period.hours for period in workload.profile]), lead_s / SECONDS_PER_HOUR)
    hours: Floats = cycle.idle_unit_hours(units) * (HOURS_PER_MONTH / workload.cycle_hours)
    return hours
