"""Steps are those of the tables that the laws read."""

import numpy as np
import pytest

from optimizer.evaluate import StepSpread, prepare, scenario_tables, tabulate
from optimizer.traffic.simulate import Router, pipeline_steps, serve
from optimizer.traffic.step_tables import SEQUENCES, prefill_chunks
from optimizer.traffic.workload_bins import bin_workload
from requirements_specs.lengths import LengthDistribution
from tests.optimizer.traffic.linear_steps import linear_steps
from tests.optimizer.traffic.simulate.made import chat, limits, requests_of, steps_for

SLOTS = 128


@pytest.mark.parametrize("budget", [256, 2048, 32768])
@pytest.mark.parametrize("deviations", [0.0, 1.5])
def test_a_prompt_alone_beside_any_number_of_sequences_takes_its_hold(budget: int, deviations: float) -> None:
    bins = bin_workload(chat())
    physics = prepare(
        linear_steps(
            fixed_s=10e-3,
            per_sequence_s=3e-5,
            per_token_s=5e-5,
            per_pair_s=1e-9,
            prefill_factor=1.2,
            prefill_event_s=2e-3,
        ),
        bins,
        StepSpread.alike(np.array([0.2])),
    )
    candidates = tabulate(physics, np.array([0]), np.array([float(budget)]), np.array([float(SLOTS)]))
    tables = scenario_tables(candidates, deviations)
    steps = pipeline_steps(tables, bins, float(budget), SLOTS)
    chunks = prefill_chunks(bins, np.array([float(budget)]), np.maximum(SEQUENCES, 1.0)[None, :])[0]
    for node, number in enumerate(SEQUENCES.astype(int)):
        if number <= SLOTS:
            assert steps.decode_s[number] == pytest.approx(tables.decode_s[0, node])
            whole_s = chunks[node] * steps.decode_s[number] + steps.alone_s[number, :-1]
            np.testing.assert_allclose(whole_s, tables.hold_s[0, node])
    np.testing.assert_allclose(steps.beside(bins.new_tokens[0]), tables.added_s[0])


def test_the_engine_takes_the_hold_for_a_prompt_in_chunks() -> None:
    workload = chat().model_copy(update={"prompt_tokens": LengthDistribution.constant(1000)})
    bins = bin_workload(workload)
    physics = prepare(linear_steps(fixed_s=10e-3, per_token_s=5e-5, per_pair_s=1e-9), bins, StepSpread.none(1))
    candidates = tabulate(physics, np.array([0]), np.array([256.0]), np.array([8.0]))
    tables = scenario_tables(candidates, 0.0)
    served = serve(
        pipeline_steps(tables, bins, 256.0, 8),
        limits(token_budget=256, slots=8),
        1,
        requests_of((2.0, 1000, 1)),
        Router.ROUND_ROBIN,
        np.inf,
    )
    assert served.first_s[0] - 2.0 == pytest.approx(tables.hold_s[0, 0, 0])


def test_one_prompt_is_priced_as_many_are() -> None:
    steps = steps_for(chat())
    nodes = steps.new_tokens
    tokens = np.sort(np.append(nodes, np.geomspace(1.0, 2.0 * nodes[-1], 50)))
    place, share = steps.between_nodes(tokens)
    priced_place, priced_share, priced_s = zip(*(steps.price(float(each)) for each in tokens), strict=True)
    np.testing.assert_array_equal(priced_place, place)
    np.testing.assert_allclose(priced_share, share, atol=1e-12)
    np.testing.assert_allclose(priced_s, steps.beside(tokens))
