"""Where there are only so many machines, the answer is still that of trying everything."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from optimizer.answers import Answer, NoAnswer
from optimizer.errors import VerificationError
from optimizer.search.bounds import most_units
from optimizer.solve import answer
from optimizer.topology.layouts import CandidateSpace
from tests.property.small_spaces import Case, stocked_cases, unlimited, with_offers
from tests.property.solved import NOTHING, cost_of
from tests.property.test_search import check_against_brute_force

# Half of the profile's: each case is solved twice.
EXAMPLES = settings().max_examples // 2


def test_the_search_finds_what_trying_everything_finds_within_the_stock() -> None:
    tally: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES)
    @given(stocked_cases())
    def agree(case: Case) -> None:
        check_against_brute_force(case, tally)
        without = cost_of(unlimited(case))
        tally["stock decides"] += without != NOTHING and cost_of(case) != without

    agree()
    assert tally["stock decides"] >= 0.1 * tally["examples"], tally
    assert tally["several units"] >= 0.1 * tally["examples"], tally


def test_a_search_that_forgets_the_stock_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(space: CandidateSpace, *caps: Any) -> Any:
        return most_units(space.of_any_number(), *caps)

    monkeypatch.setattr("optimizer.search.refine.most_units", forgetful)

    @settings(max_examples=EXAMPLES, phases=[Phase.generate])
    @given(stocked_cases())
    def agree(case: Case) -> None:
        check_against_brute_force(case, Counter())

    with pytest.raises((AssertionError, VerificationError)):
        agree()


@settings(max_examples=EXAMPLES)
@given(stocked_cases(), st.data())
def test_one_machine_more_never_costs_more(case: Case, data: st.DataObject) -> None:
    offers = list(case.snapshot.offers)
    place = data.draw(st.integers(0, len(offers) - 1))
    most = offers[place].most_instances
    offers[place] = offers[place].model_copy(update={"most_instances": None if most is None else most + 1})
    assert cost_of(Case(with_offers(tuple(offers), case.snapshot), case.spec)) <= cost_of(case)


@settings(max_examples=EXAMPLES)
@given(stocked_cases())
def test_no_design_takes_more_machines_than_there_are(case: Case) -> None:
    found = answer(case.spec, case.snapshot)
    if isinstance(found, NoAnswer):
        return
    assert isinstance(found, Answer)
    offers = found.problem.space.offers
    for column in found.columns:
        most = offers[column.offer].most_instances
        assert most is None or column.instances <= most
    for offer, instances in found.solution.instances.items():
        assert instances <= (offers[offer].most_instances or instances)
