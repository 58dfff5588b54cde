from collections.abc import Callable

import numpy as np
import pytest

from catalog.read import Snapshot
from catalog.walls import WallFamily
from optimizer.answers import Answer
from optimizer.bottleneck.walls import HEADLINE_FAMILY, HEADLINE_WALLS, ServingWall, memory_in_use, step_shares
from optimizer.evaluate import Question, StepSpread, mean_state, prepare, tabulate
from optimizer.search.columns import Column, candidates_of, rate_of
from optimizer.solve import answer
from optimizer.traffic.workload_bins import constant_lengths
from requirements_specs.serving import ServingSpec
from tests.optimizer.traffic.linear_steps import linear_steps


def test_walls_of_a_report_are_serving_walls_of_the_catalog(snapshot: Snapshot) -> None:
    serving = {wall.id for wall in snapshot.walls if "serving" in wall.applies_to}
    assert {wall.value for wall in ServingWall} <= serving


def test_every_family_has_the_headline_wall_of_its_own_family(snapshot: Snapshot) -> None:
    family = {wall.id: wall.family for wall in snapshot.walls}
    assert set(HEADLINE_WALLS) == set(WallFamily)
    for headline, wall in HEADLINE_WALLS.items():
        assert family[wall.value] is headline
        assert HEADLINE_FAMILY[wall] is headline


def test_shares_of_a_step_in_closed_form() -> None:
    """At N sequences: f + n of launches and transfers, b·N of decoding and κ·s·N/o of prompts."""
    steps = linear_steps(1, fixed_s=1e-3, network_s=2e-3, per_sequence_s=4e-5, per_token_s=2e-6)
    physics = prepare(steps, constant_lengths(np.array([1000.0]), np.array([200.0]), np.zeros(1)), StepSpread.none(1))
    candidates = tabulate(physics, np.zeros(1, dtype=np.int64), np.array([32768.0]), np.array([1024.0]))
    state = mean_state(candidates, np.array([50.0]), Question((), 1.0, 0.0))
    sequences = 50.0 * 200.0 * 3e-3 / (1.0 - 50.0 * (2e-3 + 200.0 * 4e-5))
    assert state.point.sequences[0] == pytest.approx(sequences, rel=1e-6)
    whole = 3e-3 + sequences * (4e-5 + 1e-5)
    column = Column(0, 0, 0, 32768, 1024, 1, 1, 1, 1, 1, 0.5)
    shares = step_shares(physics, column, state)
    assert shares.fixed == pytest.approx(1e-3 / whole, rel=1e-4)
    assert shares.network == pytest.approx(2e-3 / whole, rel=1e-4)
    assert shares.memory_bandwidth == pytest.approx(4e-5 * sequences / whole, rel=1e-4)
    assert shares.compute == pytest.approx(1e-5 * sequences / whole, rel=1e-4)


def test_memory_in_use_is_weights_overhead_and_the_needed_cache(
    snapshot: Snapshot, spec_of: Callable[..., ServingSpec]
) -> None:
    """8B in bf16 on one H100: two bytes a weight, 2.5 GB, 32 layers × 2 × 8 × 128 × 2 bytes a cached token."""
    found = answer(spec_of(rate=20.0, risk=0.5), snapshot)
    assert isinstance(found, Answer)
    candidates = candidates_of(found.problem.physics, found.design)
    state = mean_state(candidates, rate_of(found.problem.demand, found.design), found.problem.question)
    used, has = memory_in_use(candidates, state, 0)
    weights = 2 * 8_030_261_248
    assert used == pytest.approx(weights + 2.5e9 + 131_072 * state.kv_tokens_needed[0], rel=1e-4)
    assert has == 80 * 2**30
