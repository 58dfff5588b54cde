"""Every step of the frontier costs what a solve at its limit costs, and nothing lies between two of them."""

from collections import Counter
from decimal import Context, Decimal
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.errors import QuestionError
from optimizer.question import Nothing, pose
from optimizer.search.frontier import LIMIT_DIGITS, MOST_POINTS, Staircase
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from tests.property.portions import examples, in_two
from tests.property.small_spaces import Case, wide_cases
from tests.property.solved import NOTHING, changed, cost_of

GRID = Context(prec=LIMIT_DIGITS)


def cost_at(case: Case, metric: Metric, statistic: Statistic, limit_s: float | None) -> float:
    """Cost of the optimum with the limit moved, or removed."""
    kept = tuple(each for each in case.spec.slo if (each.metric, each.statistic) != (metric, statistic))
    moved = () if limit_s is None else (LatencyLimit(metric=metric, statistic=statistic, limit_s=limit_s),)
    return cost_of(changed(case, slo=(*kept, *moved)))


def below(limit_s: float) -> float:
    """The next tighter limit."""
    return float(Decimal(repr(limit_s)).next_minus(GRID))


def check_frontier(case: Case, metric: Metric, statistic: Statistic, tally: Counter[str]) -> None:
    """The staircase against single solves."""
    try:
        problem = pose(case.spec, case.snapshot)
    except QuestionError:
        return
    if isinstance(problem, Nothing):
        return
    found = Staircase(problem.space, problem.physics, problem.question, problem.demand, metric, statistic).frontier()
    tally["examples"] += 1
    tally["several steps"] += len(found.points) > 2
    loose = cost_at(case, metric, statistic, None)
    if not found.points:
        assert loose == NOTHING
        return
    assert found.points[-1].column.usd_micro_per_hour == loose
    few = [*found.points[:3], *found.points[3:][-3:]]
    for point in few:
        assert cost_at(case, metric, statistic, point.limit_s) == point.column.usd_micro_per_hour
    for tighter, looser in pairwise(found.points):
        assert tighter.limit_s < looser.limit_s
        assert tighter.column.usd_micro_per_hour > looser.column.usd_micro_per_hour
        middle = min((tighter.limit_s + looser.limit_s) / 2, below(looser.limit_s))
        if looser in few:
            assert cost_at(case, metric, statistic, middle) == tighter.column.usd_micro_per_hour
            assert cost_at(case, metric, statistic, below(looser.limit_s)) == tighter.column.usd_micro_per_hour
    if found.complete:
        assert cost_at(case, metric, statistic, below(found.points[0].limit_s)) == NOTHING
    else:
        assert len(found.points) == MOST_POINTS


@in_two
def test_the_frontier_is_the_staircase_of_single_solves(portion: int) -> None:
    tally: Counter[str] = Counter()

    @examples(portion, settings.default.max_examples // 32)
    @given(wide_cases(), st.sampled_from(tuple(Metric)), st.sampled_from(tuple(Statistic)))
    def hold(case: Case, metric: Metric, statistic: Statistic) -> None:
        check_frontier(case, metric, statistic, tally)

    hold()
    assert tally["several steps"] >= 0.2 * tally["examples"], tally
