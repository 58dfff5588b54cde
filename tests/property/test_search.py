"""The answer of the search is the answer of trying everything."""

import pytest
from hypothesis import Phase, event, given, settings

from optimizer.question import Nothing, pose
from optimizer.search.refine import Refinement
from optimizer.solve import DESIGNS_REPORTED, search
from optimizer.errors import VerificationError
from tests.property.brute_force import best_of, tie_key_of_column
from tests.property.small_spaces import Case, cases
import collections, time
TIMES=collections.Counter()

def agree(case: Case):
    t0=time.perf_counter()
    problem = pose(case.spec, case.snapshot)
    t1=time.perf_counter()
    found = None if isinstance(problem, Nothing) else search(problem, DESIGNS_REPORTED)
    t2=time.perf_counter()
    best = best_of(case)
    t3=time.perf_counter()
    TIMES['pose']+=t1-t0; TIMES['search']+=t2-t1; TIMES['brute']+=t3-t2; TIMES['n']+=1
    if isinstance(problem,Nothing): TIMES['nothing']+=1
    if best is None:
        assert found is None or isinstance(found, Refinement)
        TIMES['none']+=1
        return best
    assert found is not None
    assert not isinstance(found, Refinement)
    assert tie_key_of_column(problem.space, found.design) == best.key
    TIMES['units%d'%min(found.design.units,20)]+=1
    TIMES['tied']+=best.equally_cheap>1
    TIMES['cap']+=case.spec.inventory.max_accelerators is not None
    return best

@given(cases())
def test_it(case):
    agree(case)

def test_print():
    print(TIMES)
    assert 0, TIMES
