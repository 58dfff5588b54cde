import pytest

from optimizer.search.ledger import Ledger


def test_a_ledger_that_closes() -> None:
    ledger = Ledger(candidates=21, illegal=1, bounded=2, refused=3, dominated=4, optimal=5, tied=6)
    assert ledger.candidates == 21


@pytest.mark.parametrize("field", ["candidates", "illegal", "bounded", "refused", "dominated", "optimal", "tied"])
@pytest.mark.parametrize("change", [-1, 1])
def test_a_ledger_that_does_not_close_is_refused(field: str, change: int) -> None:
    counts = {"candidates": 21, "illegal": 1, "bounded": 2, "refused": 3, "dominated": 4, "optimal": 5, "tied": 6}
    with pytest.raises(ValueError, match="does not close"):
        Ledger(**{**counts, field: counts[field] + change})
