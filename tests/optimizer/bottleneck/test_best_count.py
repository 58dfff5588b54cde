from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from catalog.read import Snapshot
from optimizer.answers import Answer
from optimizer.bottleneck.best_count import best_counts
from optimizer.bottleneck.inverse_roofline import task_of
from optimizer.bottleneck.part_numbers import part_numbers
from optimizer.solve import answer
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from requirements_specs.serving import Availability, Layout, ServingSpec

SpecOf = Callable[..., ServingSpec]
TTFT = LatencyLimit(metric=Metric.TTFT, statistic=Statistic.P99, limit_s=0.5)


def answered(spec: ServingSpec, snapshot: Snapshot) -> Answer:
    found = answer(spec, snapshot)
    assert isinstance(found, Answer)
    return found


@pytest.fixture(scope="module")
def two_ranks(snapshot: Snapshot, spec_of: SpecOf) -> Answer:
    """A design of eight accelerators as replicas of two; the layout is free otherwise."""
    spec = spec_of(model="qwen3-32b", rate=20.0, slo=[TTFT], tp=2)
    found = answered(spec, snapshot)
    free = answered(spec.model_copy(update={"layout": Layout()}), snapshot)
    return replace(free, design=replace(free.design, **_same(free, found)))


def _same(free: Answer, found: Answer) -> dict[str, int]:
    """The pinned design as a column of the free space."""
    pinned = found.problem.space.keys[found.design.key]
    key = next(index for index, row in enumerate(free.problem.space.keys) if row == pinned)
    design = found.design
    return {
        "key": key,
        "replicas": design.replicas,
        "accelerators": design.accelerators,
        "token_budget": design.token_budget,
    }


def test_more_accelerators_ask_less_of_each(two_ranks: Answer) -> None:
    problem = two_ranks.problem
    minima = best_counts(problem.space, problem.physics, problem.question, problem.demand, two_ranks.design)
    counts = [minimum.accelerators for minimum in minima]
    assert counts == sorted(set(counts))
    assert counts[-1] == two_ranks.design.accelerators
    assert len(counts) > 1
    needs = [np.nan_to_num(part_numbers(problem.space.keys[each.key]) * each.point) for each in minima]
    for index, need in enumerate(needs):
        assert not any(np.all(need >= fewer) for fewer in needs[:index])


def test_no_layout_asks_less(two_ranks: Answer) -> None:
    """Every other layout of the part, put to the winner's multiple of the whole part less 2 %, fails."""
    problem, design = two_ranks.problem, two_ranks.design
    space = problem.space
    minima = best_counts(space, problem.physics, problem.question, problem.demand, design)
    chosen = space.keys[design.key]
    for minimum in minima:
        layout = space.layouts[minimum.key]
        assert minimum.replicas * layout.accelerators == minimum.accelerators
        multiple = float(np.max(minimum.point))
        for key, row in enumerate(space.keys):
            same = (row.accelerator.id, row.engine.id) == (chosen.accelerator.id, chosen.engine.id)
            if not same or space.formats[key] != space.formats[design.key]:
                continue
            replicas, rest = divmod(minimum.accelerators, space.layouts[key].accelerators)
            if rest or not replicas:
                continue
            other = replace(design, key=key, replicas=replicas)
            task = task_of(problem.physics, problem.question, problem.demand, other)
            assert not task.hold(np.full((1, 4), 0.98 * multiple))[0], (minimum, space.layouts[key])
        own = replace(design, key=minimum.key, replicas=minimum.replicas)
        assert task_of(problem.physics, problem.question, problem.demand, own).hold(minimum.point[None, :])[0]


def test_spares_carry_nothing(snapshot: Snapshot, spec_of: SpecOf) -> None:
    spec = spec_of(rate=30.0, slo=[TTFT]).model_copy(update={"availability": Availability(spare_replicas=1)})
    found = answered(spec, snapshot)
    problem = found.problem
    minima = best_counts(problem.space, problem.physics, problem.question, problem.demand, found.design)
    assert all(minimum.replicas > 1 for minimum in minima)
