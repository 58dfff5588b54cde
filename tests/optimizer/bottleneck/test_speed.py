import numpy as np
import pytest

from catalog.walls import WallFamily
from optimizer.bottleneck.binding import Binding
from optimizer.bottleneck.speed import speed_wall
from optimizer.evaluate import Question, StepSpread, prepare
from optimizer.search.bounds import Demand
from optimizer.search.columns import Column
from optimizer.traffic.workload_bins import constant_lengths
from tests.optimizer.traffic.linear_steps import linear_steps

OUTPUT = 200.0


def bound_by(**steps: float) -> Binding:
    """What binds one of two replicas whose requests come one at a time."""
    bins = constant_lengths(np.array([1000.0]), np.array([OUTPUT]), np.zeros(1))
    physics = prepare(linear_steps(1, **steps), bins, StepSpread.none(1))
    column = Column(0, 0, 0, 32768, 1024, 2, 2, 2, 2, 2, 0.5)
    return speed_wall(physics, Question((), 1.0, 0.0), Demand(1e-3, 0, None, None), column)


def test_the_resource_that_most_of_the_time_goes_to_binds() -> None:
    streamed = bound_by(fixed_s=1e-3, per_sequence_s=9e-3)
    assert streamed.wall is WallFamily.MEMORY_BANDWIDTH
    # nine tenths of every step are streamed
    assert streamed.gains[WallFamily.MEMORY_BANDWIDTH] == pytest.approx(1 / (0.1 + 0.9 / 1.1) - 1, rel=0.02)
    assert streamed.gains[WallFamily.MEMORY_CAPACITY] == 0.0
    assert streamed.highest_rate_per_s > 1e-3


def test_the_floor_binds_where_only_fixed_time_is_left() -> None:
    fixed = bound_by(fixed_s=9e-3)
    assert fixed.wall is WallFamily.LATENCY_FLOOR
    assert fixed.also == ()
