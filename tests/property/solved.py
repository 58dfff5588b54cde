"""What the search says of a case, and the changes of a case whose effect on the cost is known beforehand."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from optimizer.answers import DESIGNS_REPORTED
from optimizer.errors import QuestionError
from optimizer.question import Nothing, pose
from optimizer.search.refine import Refinement
from optimizer.solve import search
from requirements_specs.serving import ServingSpec
from tests.property.brute_force import TieKey, cost_in, tie_key_of_column
from tests.property.small_spaces import Case, with_offers

NOTHING = float("inf")


def found_in(case: Case) -> tuple[TieKey, str] | None:
    """Tie key and offer of the optimum; None where nothing meets the specification."""
    try:
        problem = pose(case.spec, case.snapshot)
    except QuestionError:
        return None
    if isinstance(problem, Nothing):
        return None
    found = search(problem, DESIGNS_REPORTED)
    if isinstance(found, Refinement):
        return None
    return tie_key_of_column(problem.space, found.design), problem.space.offers[found.design.offer].id


def cost_of(case: Case) -> float:
    """Micro-dollars per hour of the optimum; infinite where nothing meets the specification."""
    found = found_in(case)
    return NOTHING if found is None else cost_in(found[0])


def changed(case: Case, part: str | None = None, **update: Any) -> Case:
    """The case with fields of its specification, or of one part of it, replaced."""
    spec: ServingSpec = case.spec
    if part is None:
        return replace(case, spec=spec.model_copy(update=update))
    return replace(case, spec=spec.model_copy(update={part: getattr(spec, part).model_copy(update=update)}))


def with_more_offers(case: Case, others: Sequence[Any]) -> Case:
    """The case with further offers; one that has the id of an offer that is there already is left out."""
    known = {offer.id for offer in case.snapshot.offers}
    more = tuple(offer for offer in others if offer.id not in known)
    return replace(case, snapshot=with_offers((*case.snapshot.offers, *more), case.snapshot))


def priced(case: Case, factor: int) -> Case:
    """The case with every price times an integer."""
    dearer = tuple(
        offer.model_copy(update={"usd_micro_per_hour": offer.usd_micro_per_hour * factor})
        for offer in case.snapshot.offers
    )
    return replace(case, snapshot=with_offers(dearer, case.snapshot))
