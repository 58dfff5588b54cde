from itertools import chain, combinations

from hypothesis import given
from hypothesis import strategies as st

from optimizer.bottleneck.set_families import Members, minimal_hitting_sets, minimal_sets

ELEMENTS = range(6)
SUBSETS = [
    frozenset(each) for each in chain.from_iterable(combinations(ELEMENTS, size) for size in range(len(ELEMENTS) + 1))
]
families = st.lists(st.frozensets(st.sampled_from(ELEMENTS)), max_size=8)


@given(families)
def test_minimal_sets_are_those_that_hold_no_other(family: list[Members]) -> None:
    wanted = {each for each in family if not any(other < each for other in family)}
    found = minimal_sets(family)
    assert set(found) == wanted
    assert len(found) == len(wanted)


@given(families)
def test_minimal_hitting_sets_are_those_of_all_subsets(family: list[Members]) -> None:
    hitting = [each for each in SUBSETS if all(each & member for member in family)]
    wanted = {each for each in hitting if not any(other < each for other in hitting)}
    found = minimal_hitting_sets(family)
    assert set(found) == wanted
    assert len(found) == len(wanted)


@given(families)
def test_hitting_twice_gives_the_minimal_sets_back(family: list[Members]) -> None:
    assert minimal_hitting_sets(minimal_hitting_sets(family)) == minimal_sets(family)


@given(families, st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_that_of_the_family(family: list[Members], random: object) -> None:
    shuffled = list(family)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    assert minimal_hitting_sets(shuffled) == minimal_hitting_sets(family)
    sizes = [len(each) for each in minimal_hitting_sets(family)]
    assert sizes == sorted(sizes)


def test_the_ends() -> None:
    assert minimal_hitting_sets([]) == (frozenset(),)
    assert minimal_hitting_sets([frozenset()]) == ()
    assert minimal_sets([]) == ()
