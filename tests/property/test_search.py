"""The answer of the search is the answer of trying everything."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import Phase, given, settings

from catalog.read import load
from optimizer.answers import DESIGNS_REPORTED
from optimizer.errors import VerificationError
from optimizer.evaluate import Candidates, Question, meets
from optimizer.question import Nothing, pose
from optimizer.search.refine import Refinement, refine
from optimizer.solve import search
from requirements_specs.lengths import LengthDistribution
from requirements_specs.serving import Availability, IntegerChoice, Layout, ServingSpec
from requirements_specs.workload import Workload
from tests.property.brute_force import best_of, tie_key_of_column
from tests.property.portions import examples, in_two
from tests.property.small_spaces import Case, critical_cases, offer_of, with_offers

LEAST_SHARE_OF_TIES = 0.2


def check_against_brute_force(case: Case, tally: Counter[str]) -> None:
    """Cost, whole tie key and infeasibility agree."""
    best = best_of(case)
    problem = pose(case.spec, case.snapshot)
    tally["examples"] += 1
    if isinstance(problem, Nothing):
        assert best is None
        return
    found = search(problem, DESIGNS_REPORTED)
    if best is None:
        assert isinstance(found, Refinement)
        return
    tally["feasible"] += 1
    tally["tied"] += best.equally_cheap > 1
    tally["several units"] += not isinstance(found, Refinement) and found.design.units > 1
    assert not isinstance(found, Refinement)
    assert found.design.usd_micro_per_hour == best.usd_micro_per_hour
    assert tie_key_of_column(problem.space, found.design) == best.key
    one = refine(problem.space, problem.physics, problem.question, problem.demand, 1)
    assert one.threshold_usd_micro == best.usd_micro_per_hour


@in_two
def test_the_search_finds_what_trying_everything_finds(portion: int) -> None:
    tally: Counter[str] = Counter()

    @examples(portion, settings.default.max_examples // 2)
    @given(critical_cases())
    def agree(case: Case) -> None:
        check_against_brute_force(case, tally)

    agree()
    assert tally["tied"] >= LEAST_SHARE_OF_TIES * tally["examples"], tally
    assert tally["several units"] >= 0.1 * tally["examples"], tally


def test_many_units_at_a_low_price_are_counted_too() -> None:
    """147 units of a machine: more of the cheaper one at the next power of two cost more than those of the dearer."""
    h100 = load().accelerators["h100-sxm-80gb"]
    machines = (
        offer_of(h100, 1, 2_999_999, region="east"),
        offer_of(h100, 1, 2_000_000, region="west"),
    )
    spec = ServingSpec(
        name="many",
        model="llama-3.1-70b",
        risk=0.5,
        workload=Workload(
            request_rate_per_s=18.8,
            peak_factor=1.5,
            prompt_tokens=LengthDistribution.constant(500),
            output_tokens=LengthDistribution.constant(100),
        ),
        layout=Layout(
            tp=IntegerChoice(values=(1,)), pp=IntegerChoice(values=(1,)), dp_attention=IntegerChoice(values=(1,))
        ),
        availability=Availability(load_cap=1.0),
    )
    tally: Counter[str] = Counter()
    check_against_brute_force(Case(with_offers(machines), spec), tally)
    assert tally["several units"] == 1


def _lenient(candidates: Candidates, rate_per_s: np.ndarray, question: Question) -> np.ndarray:
    return meets(candidates, 0.9 * rate_per_s, question)


def _severe(candidates: Candidates, rate_per_s: np.ndarray, question: Question) -> np.ndarray:
    return meets(candidates, 1.1 * rate_per_s, question)


@pytest.mark.parametrize("broken", [_lenient, _severe])
def test_a_search_with_a_wrong_wall_is_noticed(monkeypatch: pytest.MonkeyPatch, broken: object) -> None:
    monkeypatch.setattr("optimizer.search.refine.meets", broken)

    @settings(max_examples=100, phases=[Phase.generate])
    @given(critical_cases())
    def agree(case: Case) -> None:
        check_against_brute_force(case, Counter())

    with pytest.raises((AssertionError, VerificationError)):
        agree()


def test_a_search_in_another_order_of_ties_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optimizer.search.columns.tie_key", lambda _space, column: (column.usd_micro_per_hour,))

    @settings(max_examples=50, phases=[Phase.generate])
    @given(critical_cases())
    def agree(case: Case) -> None:
        check_against_brute_force(case, Counter())

    with pytest.raises(AssertionError):
        agree()
