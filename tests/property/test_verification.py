"""The rounds of search and simulation end with the cheapest design that both accept, whatever the simulation is."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from zlib import crc32

from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.answers import DESIGNS_REPORTED, Found, Judgement
from optimizer.question import Nothing, Problem, pose
from optimizer.search.bounds import MOST_UNITS, most_units, unit_prices
from optimizer.search.columns import Column, place
from optimizer.search.cuts import NO_CUTS, Cuts
from optimizer.search.proof import count_rows
from optimizer.search.refine import Refinement, refine
from optimizer.solve import search
from optimizer.topology.layouts import TOKEN_BUDGETS
from optimizer.verification import MOST_REFUSALS, Verified, verified, with_units
from tests.property.portions import examples, in_two
from tests.property.small_spaces import Case, critical_cases

Least = Callable[[int, int], int]


def least_replicas(key: int, token_budget: int, *, lawful: int, harsh: bool) -> int:
    """How many replicas the stub asks of a candidate, where the design by the laws alone has `lawful`."""
    if harsh:  # every token budget of a key needs as many, so that the next candidate is not as cheap
        return lawful + crc32(f"{key}".encode()) % 5
    drawn = crc32(f"{key} {token_budget}".encode()) % 100
    return 1 if drawn < 40 else MOST_UNITS if drawn > 97 else 1 + drawn % 3


def judgement(column: Column, *, accepted: bool) -> Judgement:
    return Judgement(column, accepted, (1,), 1, 1, 1.0, (), 0.0, 0)


def cheapest_of_both(problem: Problem, least: Least) -> Column | None:
    """Every candidate at its fewest units by the laws, then unit by unit until the stub accepts it."""
    space, demand = problem.space, problem.demand
    prices = unit_prices(space)
    cap = most_units(space, demand, prices, demand.most_usd_micro_per_hour)
    everything = 10**6  # no threshold: nothing is left out
    units = refine(space, problem.physics, problem.question, demand, everything).units
    best: list[tuple[int, int, int, int]] = []
    for placement in range(len(units)):
        for budget, token_budget in enumerate(TOKEN_BUDGETS.astype(int).tolist()):
            fewest = int(units[placement, budget])
            if fewest <= 0:
                continue
            per_unit = int(space.replicas_per_unit[placement])
            needed = least(int(space.placement_key[placement]), token_budget)
            fewest = max(fewest, -(-needed // per_unit))
            if fewest <= cap[placement]:
                best.append((int(prices[placement]) * fewest, placement, token_budget, fewest))
    if not best:
        return None
    cost = min(each[0] for each in best)
    columns = [column for each in best if each[0] == cost for column in columns_at(problem, *each[1:])]
    return min(columns, key=lambda column: place(space, column))


def columns_at(problem: Problem, placement: int, token_budget: int, units: int) -> list[Column]:
    """The candidate of a placement on each of its cheapest offers."""
    space = problem.space
    offers = space.offers_of_machine[space.placement_machine[placement]]
    cheapest = space.offers[offers[0]].usd_micro_per_hour
    return [
        with_units(problem, column_on(placement, offer, token_budget), units)
        for offer in offers
        if space.offers[offer].usd_micro_per_hour == cheapest
    ]


def column_on(placement: int, offer: int, token_budget: int) -> Column:
    return Column(placement, offer, 0, token_budget, 0, 0, 0, 0, 0, 0, 0.0)


def check(case: Case, tally: Counter[str], *, harsh: bool) -> None:
    problem = pose(case.spec, case.snapshot)
    if isinstance(problem, Nothing):
        return

    find = partial(search, problem, DESIGNS_REPORTED)
    by_laws = find(cuts=NO_CUTS)
    lawful = 1 if isinstance(by_laws, Refinement) else by_laws.design.replicas

    def least(key: int, token_budget: int) -> int:
        return least_replicas(key, token_budget, lawful=lawful, harsh=harsh)

    def judge(column: Column) -> Judgement:
        return judgement(column, accepted=column.replicas >= least(column.key, column.token_budget))

    ended = verified(problem, lambda cuts: find(cuts=cuts), judge)
    best = cheapest_of_both(problem, least)
    if isinstance(ended, Refinement):
        assert best is None
        return
    tally["examples"] += 1
    verification, found = ended.verification, ended.found
    for refusal in verification.refusals:
        assert refusal.column.replicas < least(refusal.column.key, refusal.column.token_budget)
    count_rows(problem.space, found.refinement, found.columns)  # closes, or raises
    if len(verification.refusals) >= MOST_REFUSALS and verification.judgement is not None:
        tally["stopped"] += 1
        assert best is not None
        assert found.solution.cost.bound is not None
        assert found.solution.cost.bound <= best.usd_micro_per_hour <= found.design.usd_micro_per_hour
        return
    if best is None:
        assert verification.judgement is None
        assert not found.solution.proved
        tally["nothing"] += 1
        return
    assert found.design == best
    assert found.solution.proved
    assert verification.judgement is not None
    assert verification.judgement.column == best
    assert verification.analytic.usd_micro_per_hour <= best.usd_micro_per_hour
    tally["refused"] += verification.rounds > 1
    tally["dearer"] += best.usd_micro_per_hour > verification.analytic.usd_micro_per_hour


@in_two
def test_the_rounds_find_the_cheapest_that_laws_and_stub_accept(portion: int) -> None:
    tally: Counter[str] = Counter()

    @examples(portion, settings.default.max_examples // 2)
    @given(critical_cases(), st.booleans())
    def agree(case: Case, harsh: bool) -> None:
        check(case, tally, harsh=harsh)

    agree()
    assert tally["refused"] >= 0.2 * tally["examples"], tally
    assert tally["dearer"] >= 0.1 * tally["examples"], tally
    assert tally["nothing"] > 0, tally
    assert tally["stopped"] <= 0.1 * tally["examples"], tally


def test_a_stub_that_accepts_everything_changes_nothing() -> None:
    @settings(max_examples=20)
    @given(critical_cases())
    def same(case: Case) -> None:
        problem = pose(case.spec, case.snapshot)
        if isinstance(problem, Nothing):
            return
        found = search(problem, DESIGNS_REPORTED)

        def find(cuts: Cuts) -> Found | Refinement:
            return search(problem, DESIGNS_REPORTED, cuts=cuts)

        ended = verified(problem, find, lambda column: judgement(column, accepted=True))
        if isinstance(found, Refinement):
            assert isinstance(ended, Refinement)
            return
        assert isinstance(ended, Verified)
        assert ended.verification.rounds == 1
        assert (ended.found.columns, ended.found.solution) == (found.columns, found.solution)

    same()
