"""A design through the periods of a profile and the months of growth, held against its own evaluation."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.answers import Answer
from optimizer.evaluate import meets
from optimizer.outcome import GrowthOut, ProfileOut
from optimizer.report.operation_part import Operated, failure, growth, operated, profile
from optimizer.search.columns import candidates_of
from optimizer.solve import answer
from requirements_specs.profile import Growth, Period
from requirements_specs.serving import ServingSpec
from tests.property.small_spaces import Case, cases
from tests.property.solved import changed, cost_of, found_in

# Each is solved whole.
CASES = settings().max_examples // 8
# The highest rate of a replica is known to two parts in 10⁵.
UNRESOLVED = 1e-4


@st.composite
def profiles(draw: st.DrawFn) -> tuple[Period, ...]:
    """Up to five periods of a day."""
    cuts = sorted(draw(st.sets(st.integers(1, 23), max_size=4)))
    factors = st.sampled_from((0.05, 0.2, 0.5, 0.9, 1.0, 1.0, 1.7))
    return tuple(Period(hours=float(hours), factor=draw(factors)) for hours in np.diff([0, *cuts, 24]).tolist())


@st.composite
def operated_cases(draw: st.DrawFn) -> Case:
    """A problem of many replicas with a profile, half of them with growth and most with a cold start."""
    case = changed(draw(cases(capped=False)), "workload", peak_factor=1.0, profile=draw(profiles()))
    case = changed(case, "workload", request_rate_per_s=20.0 * case.spec.workload.request_rate_per_s)
    if draw(st.booleans()):
        monthly = draw(st.sampled_from((0.01, 0.1, 0.5)))
        case = changed(case, "workload", growth=Growth(monthly=monthly, months=draw(st.integers(1, 6))))
    return changed(case, "availability", cold_start_s=draw(st.sampled_from((None, 300.0, 3600.0, 20_000.0))))


def check_periods(found: Answer, part: ProfileOut) -> None:
    """Every period meets every requirement with its replicas, and would not with one unit fewer."""
    design, problem = found.design, found.problem
    per_unit = design.replicas // design.units
    for period in part.periods:
        rate = problem.demand.rate_per_s * period.factor / max(each.factor for each in part.periods)
        assert period.request_rate_per_s == pytest.approx(rate, rel=1e-12)
        working = period.replicas - problem.demand.spare_replicas
        alone = candidates_of(problem.physics, design)
        assert meets(alone, np.array([period.request_rate_per_s / working]), problem.question).all()
        fewer = working - per_unit
        more = np.array([(1.0 + UNRESOLVED) * period.request_rate_per_s / max(fewer, 1)])
        assert fewer < 1 or not meets(alone, more, problem.question).any()
        units = period.replicas // per_unit
        assert period.instances == units * design.instances // design.units
        assert period.usd_per_hour == pytest.approx(units * design.usd_micro_per_hour / design.units / 1e6)
        assert period.load <= 1.0
    busiest = max(part.periods, key=lambda each: each.request_rate_per_s)
    assert (busiest.replicas, busiest.instances) == (design.replicas, design.instances)
    by_rate = sorted(part.periods, key=lambda each: each.request_rate_per_s)
    assert [each.replicas for each in by_rate] == sorted(each.replicas for each in by_rate)


def check_bill(spec: ServingSpec, design: Operated, part: ProfileOut) -> None:
    """The bill lies between units that could be bought in parts at the mean rate and the design all the time."""
    assert part.autoscaled_usd_per_month <= part.flat_usd_per_month
    sizing, replicas = design.sizing, design.found.design.replicas
    mean = spec.workload.mean_request_rate_per_s / sizing.highest_rates_per_s[-1] + sizing.spare_replicas
    assert part.autoscaled_usd_per_month >= part.flat_usd_per_month * mean / replicas * (1.0 - 1e-9)
    bills = []
    for cold_start_s in (None, 60.0, 3600.0, 20_000.0, 86_400.0):
        changed_spec = spec.model_copy(
            update={"availability": spec.availability.model_copy(update={"cold_start_s": cold_start_s})}
        )
        again = profile(changed_spec, design)
        assert again is not None
        bills.append(again.autoscaled_usd_per_month)
        if again.warm_pool_usd_per_month is not None:
            assert again.warm_pool_usd_per_month == pytest.approx(bills[-1] - bills[0], abs=1e-6)
    assert np.all(np.diff(bills) >= -1e-9 * bills[-1]), "a longer cold start never costs less"
    assert bills[-1] == pytest.approx(part.flat_usd_per_month), "who needs a day to start never stops"


def check_growth(found: Answer, growth: GrowthOut) -> None:
    assert [step.month for step in growth.steps] == sorted({step.month for step in growth.steps})
    replicas = [step.replicas for step in growth.steps]
    assert replicas == sorted(set(replicas))
    assert replicas[-1] == found.design.replicas
    assert growth.runs_out_in_month == (None if len(growth.steps) == 1 else growth.steps[1].month)
    assert growth.design_lasts_months >= growth.months
    assert growth.usd_as_it_grows <= growth.usd_from_the_start
    assert growth.usd_autoscaled is not None
    assert growth.usd_autoscaled <= growth.usd_as_it_grows
    assert growth.usd_from_the_start == pytest.approx(found.design.usd_micro_per_hour / 1e6 * 730 * growth.months)


def test_units_follow_the_rate_and_the_bill_follows_the_units() -> None:
    tally: Counter[str] = Counter()

    @settings(max_examples=CASES)
    @given(operated_cases())
    def hold(case: Case) -> None:
        found = answer(case.spec, case.snapshot)
        tally[type(found).__name__] += 1
        if not isinstance(found, Answer):
            return
        assert found.sizing is not None
        design = operated(found, found.sizing)
        part = profile(case.spec, design)
        assert part is not None
        check_periods(found, part)
        check_bill(case.spec, design, part)
        tally["saves"] += part.autoscaled_usd_per_month < part.flat_usd_per_month
        grown = growth(case.spec, design)
        assert (grown is None) == (case.spec.workload.growth is None)
        if grown is not None:
            check_growth(found, grown)
            tally["grows"] += 1
        even = tuple(period.model_copy(update={"factor": 1.0}) for period in case.spec.workload.profile)
        same = profile(changed(case, "workload", profile=even).spec, design)
        own = profile(case.spec, replace(design, idle_is_paid=True))
        assert same is not None
        assert own is not None
        assert same.autoscaled_usd_per_month == same.flat_usd_per_month
        assert own.autoscaled_usd_per_month == own.flat_usd_per_month, "owned machines cost the same idle"

    hold()
    assert min(tally["saves"], tally["grows"]) >= 0.1 * tally["Answer"] > 0, tally


@settings(max_examples=CASES)
@given(cases(), profiles())
def test_a_profile_is_sized_as_its_peak_is(case: Case, periods: tuple[Period, ...]) -> None:
    if case.spec.budget.usd_per_million_output_tokens is not None:
        return  # such a budget is of the mean rate
    highest = max(period.factor for period in periods)
    rate = case.spec.workload.request_rate_per_s * highest
    with_profile = changed(case, "workload", peak_factor=1.0, profile=periods)
    bare = changed(case, "workload", peak_factor=1.0, request_rate_per_s=rate)
    assert found_in(with_profile) == found_in(bare)


@settings(max_examples=CASES)
@given(cases())
def test_a_failure_takes_whole_replicas(case: Case) -> None:
    spares = max(case.spec.availability.spare_replicas, 1)
    case = changed(case, "availability", spare_replicas=spares)
    found = answer(case.spec, case.snapshot)
    if not isinstance(found, Answer):
        return
    assert found.sizing is not None
    part, design, problem = failure(operated(found, found.sizing)), found.design, found.problem
    layout = problem.space.layouts[design.key]
    assert part.one_accelerator.replicas == 1
    assert part.one_accelerator.accelerators == part.accelerators_per_replica == layout.tp * layout.pp
    assert part.one_accelerator.limits_hold, "a spare replica stands in for it"
    assert part.one_instance.replicas * design.instances >= design.replicas
    for loss in (part.one_accelerator, part.one_instance):
        left = design.replicas - loss.replicas
        assert loss.replicas_left == left
        assert (loss.load is None) == (left == 0)
        if loss.load is not None and abs(loss.load - 1.0) > UNRESOLVED:
            rate = np.array([problem.demand.rate_per_s / left])
            assert loss.limits_hold == meets(candidates_of(problem.physics, design), rate, problem.question).all()
    if part.one_more_spare_usd_per_hour is not None:
        cost = cost_of(changed(case, "availability", spare_replicas=spares + 1))
        assert cost <= design.usd_micro_per_hour + 1e6 * part.one_more_spare_usd_per_hour * (1.0 + 1e-9)
