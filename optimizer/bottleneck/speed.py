"""The wall that keeps a design from being faster: the resource of which a tenth more shortens the mean E2E most."""

from __future__ import annotations

import numpy as np

from catalog.walls import WallFamily
from optimizer.bottleneck.binding import MORE, Binding, resources_that_bind
from optimizer.bottleneck.hypothetical import FAMILY, RESOURCES, one_at_a_time, with_resources
from optimizer.evaluate import Physics, Question, e2e_mean_s, highest_rate
from optimizer.search.bounds import Demand
from optimizer.search.columns import Column
from optimizer.topology.layouts import MAX_NUM_SEQS


def speed_wall(physics: Physics, question: Question, demand: Demand, column: Column) -> Binding:
    """As `binding_wall`, with gains of speed, E2E before over E2E after, in the place of gains of the rate.

    The latency floor binds where no resource counts: what is left is launches, host and hops.
    """
    copies = with_resources(physics, column.key, one_at_a_time(MORE), column.token_budget, MAX_NUM_SEQS[-1])
    working = column.replicas - demand.spare_replicas
    rate, question = demand.rate_per_s / working, question.among(working)
    seconds = e2e_mean_s(copies, np.full(len(copies), rate), question)
    gains = {
        FAMILY[resource]: float(seconds[0] / after - 1.0)
        for resource, after in zip(RESOURCES, seconds[1:], strict=True)
    }
    walls = resources_that_bind(gains) or (WallFamily.LATENCY_FLOOR,)
    carried = float(highest_rate(copies.take(np.array([0])), question, rate)[0])
    return Binding(walls[0], walls[1:], carried, gains)
