"""Better hardware at the same price never costs more."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given

from tests.property.parts import Scaled, scaled_network, scaled_part
from tests.property.small_spaces import Case, critical_cases, split_cases, with_offers, with_parts
from tests.property.solved import NOTHING, cost_of


def on_better_parts(case: Case, what: Scaled, factor: float) -> Case:
    """The case with every part of its offers scaled; the network between instances is a link too."""
    parts = {offer.accelerator: case.snapshot.accelerators[offer.accelerator] for offer in case.snapshot.offers}
    better = {name: scaled_part(part, what, factor) for name, part in parts.items()}
    snapshot = with_parts(case.snapshot, better)
    if what is Scaled.LINKS:
        snapshot = with_offers(tuple(scaled_network(offer, factor) for offer in snapshot.offers), snapshot)
    return replace(case, snapshot=snapshot)


@pytest.mark.parametrize("what", list(Scaled))
def test_twice_the_resource_never_costs_more(what: Scaled) -> None:
    tally: Counter[str] = Counter()

    @given(critical_cases(split_cases() if what is Scaled.LINKS else None))
    def hold(case: Case) -> None:
        before, after = cost_of(case), cost_of(on_better_parts(case, what, 2))
        tally["examples"] += 1
        tally["feasible"] += before < NOTHING
        tally["cheaper"] += after < before
        assert after <= before

    hold()
    assert tally["feasible"] >= 0.3 * tally["examples"], tally
    assert tally["cheaper"] > 0, tally
