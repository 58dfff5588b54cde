"""What comes back is feasible, proved, accounted for and the same every time."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.answers import Answer, NoAnswer
from optimizer.evaluate import meets, tabulate
from optimizer.solve import answer
from requirements_specs.serving import Budget
from tests.property.brute_force import affordable
from tests.property.portions import examples, in_four
from tests.property.small_spaces import Case, critical_cases
from tests.property.solved import changed


def check_design(case: Case, found: Answer) -> None:
    """The design alone, in a batch of one, with its printed limits and the caps of the specification."""
    design, problem = found.design, found.problem
    spec, space = case.spec, problem.space
    offer, layout = space.offers[design.offer], space.layouts[design.key]
    working = design.replicas - spec.availability.spare_replicas
    assert working > 0
    alone = tabulate(
        problem.physics,
        np.array([design.key]),
        np.array([float(design.token_budget)]),
        np.array([float(design.max_num_seqs)]),
    )
    rate = spec.workload.request_rate_per_s * spec.workload.peak_factor / working
    assert meets(alone, np.array([rate]), problem.question).all()
    assert design.usd_micro_per_hour == design.instances * offer.usd_micro_per_hour
    assert design.accelerators == design.instances * offer.accelerators
    assert design.replicas * layout.tp * layout.pp <= design.accelerators
    assert affordable(spec, design.usd_micro_per_hour, design.accelerators)


def check_ledger(found: Answer | NoAnswer) -> None:
    """Every row ended in exactly one way."""
    ledger = found.ledger
    ends = (ledger.illegal, ledger.bounded, ledger.refused, ledger.dominated, ledger.optimal, ledger.tied)
    assert sum(ends) == ledger.candidates
    assert min(ends) >= 0
    assert ledger.optimal == isinstance(found, Answer)


@in_four
def test_every_design_is_feasible_proved_accounted_for_and_repeated(portion: int) -> None:
    tally: Counter[str] = Counter()

    @examples(portion, settings.default.max_examples // 4)
    @given(critical_cases(), st.booleans())
    def hold(case: Case, without_caps: bool) -> None:
        if without_caps:  # of the others most have no answer
            case = changed(case, slo=(), budget=Budget())
        found, again = answer(case.spec, case.snapshot), answer(case.spec, case.snapshot)
        check_ledger(found)
        assert found.ledger == again.ledger
        tally[type(found).__name__] += 1
        if isinstance(found, NoAnswer):
            assert isinstance(again, NoAnswer)
            assert (found.impossible, found.uncapped) == (again.impossible, again.uncapped)
            return
        check_design(case, found)
        assert isinstance(again, Answer)
        assert found.solution == again.solution
        assert found.solution.cost.objective == found.solution.cost.bound == found.design.usd_micro_per_hour
        assert found.solution.rank.objective == found.solution.rank.bound
        assert found.columns == again.columns
        assert found.design == again.design == found.columns[0]
        assert found.alternatives == again.alternatives
        assert all(other.usd_micro_per_hour >= found.design.usd_micro_per_hour for other in found.columns)
        assert (found.binding, found.point_usd_micro, found.allowed_usd_micro) == (
            again.binding,
            again.point_usd_micro,
            again.allowed_usd_micro,
        )
        if found.point_usd_micro is not None:
            assert found.point_usd_micro <= found.design.usd_micro_per_hour

    hold()
    assert tally["Answer"] >= 0.3 * tally.total(), tally
