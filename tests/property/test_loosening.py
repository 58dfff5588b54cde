"""Asking for less, or allowing more, never costs more."""

from collections import Counter
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from requirements_specs.requirement import LatencyLimit
from requirements_specs.serving import Budget
from tests.property.brute_force import cost_in
from tests.property.portions import examples, in_two
from tests.property.small_spaces import PROVIDERS, REGIONS, Case, cases, critical_cases, offers
from tests.property.solved import NOTHING, changed, cost_of, found_in, priced, with_more_offers

FACTORS = st.sampled_from((1.001, 1.1, 2.0))


def _run(check: Callable[[Case, st.DataObject], bool], portion: int) -> None:
    """Put a check to a portion of the examples of the profile; it says whether the case had anything to loosen."""
    applied: Counter[str] = Counter()

    @examples(portion, settings.default.max_examples // 2)
    @given(critical_cases(), st.data())
    def hold(case: Case, data: st.DataObject) -> None:
        applied["yes" if check(case, data) else "no"] += 1

    hold()
    assert applied["yes"] >= 0.3 * applied.total(), applied


@in_two
def test_a_looser_latency_limit_never_costs_more(portion: int) -> None:
    def check(case: Case, data: st.DataObject) -> bool:
        limits = case.spec.slo
        if not limits:
            return False
        chosen = data.draw(st.integers(0, len(limits) - 1))
        looser: tuple[LatencyLimit, ...] = ()
        if data.draw(st.booleans()):
            seconds = limits[chosen].limit_s * data.draw(FACTORS)
            looser = (limits[chosen].model_copy(update={"limit_s": seconds}),)
        loosened = changed(case, slo=(*limits[:chosen], *looser, *limits[chosen + 1 :]))
        assert cost_of(loosened) <= cost_of(case)
        return True

    _run(check, portion)


@in_two
def test_a_larger_budget_or_accelerator_cap_never_costs_more(portion: int) -> None:
    def check(case: Case, data: st.DataObject) -> bool:
        capped = changed(
            case,
            "inventory",
            max_accelerators=data.draw(st.sampled_from((1, 2, 4, 8, 16))),
        )
        if case.spec.budget == Budget():
            capped = changed(capped, budget=Budget(usd_per_hour=data.draw(st.sampled_from((1.0, 4.0, 8.0, 32.0)))))
        cost = cost_of(capped)
        factor = data.draw(FACTORS)
        budget = {name: value * factor for name, value in capped.spec.budget if value is not None}
        more = (capped.spec.inventory.max_accelerators or 0) + data.draw(st.integers(1, 8))
        wider = (
            changed(capped, "budget", **budget),
            changed(capped, budget=Budget()),
            changed(capped, "inventory", max_accelerators=more),
            changed(capped, "inventory", max_accelerators=None),
        )
        assert cost_of(data.draw(st.sampled_from(wider))) <= cost
        return True

    _run(check, portion)


@in_two
def test_a_larger_inventory_never_costs_more(portion: int) -> None:
    def check(case: Case, data: st.DataObject) -> bool:
        narrow = changed(
            case,
            "inventory",
            providers=(data.draw(st.sampled_from(PROVIDERS)),),
            regions=(data.draw(st.sampled_from(REGIONS)),),
            estimated_parts=False,
            undated=False,
        )
        wider: tuple[dict[str, object], ...] = (
            {"providers": None},
            {"regions": REGIONS},
            {"estimated_parts": True},
            {"undated": True},
        )
        assert cost_of(changed(narrow, "inventory", **data.draw(st.sampled_from(wider)))) <= cost_of(narrow)
        whole = cost_of(case)
        assert cost_of(with_more_offers(case, data.draw(offers(most=3)))) <= whole
        return whole < NOTHING

    _run(check, portion)


@in_two
def test_less_to_carry_never_costs_more(portion: int) -> None:
    def check(case: Case, data: st.DataObject) -> bool:
        # at a lower rate the same dollars are more per million tokens, so that budget is another requirement
        budget = case.spec.budget.model_copy(update={"usd_per_million_output_tokens": None})
        same = changed(case, budget=budget)
        cost = cost_of(same)
        fewer = data.draw(st.integers(0, same.spec.availability.spare_replicas))
        less = (
            changed(same, "workload", request_rate_per_s=same.spec.workload.request_rate_per_s / data.draw(FACTORS)),
            changed(same, "workload", peak_factor=1.0),
            changed(same, "availability", spare_replicas=fewer),
            changed(same, "availability", load_cap=1.0),
            changed(same, risk=0.5),
        )
        assert cost_of(less[0]) <= cost
        assert cost_of(data.draw(st.sampled_from(less[1:]))) <= cost
        return cost < NOTHING

    _run(check, portion)


@in_two
def test_without_the_chosen_offer_nothing_is_cheaper(portion: int) -> None:
    def check(case: Case, _data: st.DataObject) -> bool:
        found = found_in(case)
        if found is None:
            return False
        key, offer = found
        assert cost_of(changed(case, "inventory", exclude_offers=(offer,))) >= cost_in(key)
        return True

    _run(check, portion)


def test_prices_times_an_integer_are_the_cost_times_it() -> None:
    applied: Counter[str] = Counter()

    @given(cases(), st.sampled_from((2, 3, 7, 1000)))
    def hold(case: Case, factor: int) -> None:
        case = changed(case, budget=Budget())
        found, dearer = found_in(case), found_in(priced(case, factor))
        applied["yes" if found is not None else "no"] += 1
        if found is None:
            assert dearer is None
            return
        assert dearer is not None
        assert cost_in(dearer[0]) == factor * cost_in(found[0])
        assert dearer[0][1:] == found[0][1:]

    hold()
    assert applied["yes"] >= 0.3 * applied.total(), applied
