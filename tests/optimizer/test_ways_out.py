from functools import cache
from pathlib import Path

import pytest

from catalog.read import load
from optimizer.answers import Answer, NoAnswer
from optimizer.errors import VerificationError
from optimizer.names import known_names
from optimizer.question import pose
from optimizer.solve import answer
from optimizer.ways_out import WaysOut, ways_out
from requirements_specs.paths import with_values
from requirements_specs.read import read_spec, spec_from_text
from requirements_specs.serving import ServingSpec

EXAMPLES = Path(__file__).parents[2] / "examples"
CHAT = """
kind: serving
model: llama-3.1-8b
workload: {request_rate: 20 req/s, prompt_tokens: 500 tokens, output_tokens: 200 tokens}
"""


@cache
def spec_of(rest: str) -> ServingSpec:
    return spec_from_text(CHAT + rest, "spec.yaml", known_names(load()))


@cache
def ways_of(spec: ServingSpec) -> WaysOut:
    found = answer(spec, load())
    assert isinstance(found, NoAnswer)
    return found.ways_out


def ends(ways: WaysOut) -> list[tuple[dict[str, object], int]]:
    return [
        ({each.requirement: each.allowed for each in way.changes}, way.usd_micro_per_hour) for way in ways.relaxations
    ]


def test_the_example_is_in_conflict_with_its_pin_and_either_its_part_or_its_format() -> None:
    ways = ways_of(read_spec(EXAMPLES / "infeasible_tpot.yaml", known_names(load())))
    assert ways.conflicts == (
        ("slo.tpot.mean", "inventory.accelerators", "layout.accelerators_per_replica"),
        ("slo.tpot.mean", "formats.weights", "layout.accelerators_per_replica"),
    )
    sets = [tuple(each.requirement for each in way.changes) for way in ways.relaxations]
    assert set(sets) == {
        ("slo.tpot.mean",),
        ("inventory.accelerators", "formats.weights"),
        ("layout.accelerators_per_replica",),
    }
    costs = [way.usd_micro_per_hour for way in ways.relaxations]
    assert costs == sorted(costs)


def test_looser_limits_cost_less_in_a_staircase() -> None:
    steps = [end for end in ends(ways_of(spec_of("slo: {tpot: {p99: 1 ms}}\n"))) if "risk" not in end[0]]
    limits = [float(str(changes["slo.tpot.p99"])) for changes, _ in steps]
    costs = [cost for _, cost in steps]
    assert len(steps) >= 3
    assert limits == sorted(limits, reverse=True)
    assert costs == sorted(set(costs))


def test_where_money_is_relaxed_too_the_cheapest_design_comes_first() -> None:
    """An accelerator that is too slow for the limit at any price, and a budget that buys none."""
    spec = spec_of("slo: {tpot: {p99: 1 ms}}\nbudget: {usd_per_hour: $0.01/h}\ninventory: {accelerators: [L40S]}\n")
    both = [end for end in ends(ways_of(spec)) if end[0].keys() == {"slo.tpot.p99", "budget.usd_per_hour"}]
    assert len(both) >= 2
    free = answer(with_values(spec, {"slo.tpot.p99": None, "budget.usd_per_hour": None}), load())
    assert isinstance(free, Answer)
    assert both[0][1] == free.design.usd_micro_per_hour
    limits = [float(str(changes["slo.tpot.p99"])) for changes, _ in both]
    assert limits == sorted(limits, reverse=True)
    assert all(changes["budget.usd_per_hour"] == cost / 1e6 for changes, cost in both)


def test_an_assumption_that_alone_would_help_is_a_way_out_but_in_no_conflict() -> None:
    """The only offer has no price date, and undated prices are assumed not to be wanted."""
    snapshot = load()
    offer = next(each for each in snapshot.offers if each.accelerator == "h100-sxm-80gb" and each.price_date)
    undated = offer.model_copy(update={"price_date": None})
    spec = spec_of("inventory: {accelerators: [H100 SXM]}\n")
    found = answer(spec, snapshot.model_copy(update={"offers": (undated,)}))
    assert isinstance(found, NoAnswer)
    assert found.ways_out.conflicts == ((),)
    assert [changes for changes, _ in ends(found.ways_out)] == [{"inventory.undated": True}]


def test_the_empty_conflict_says_that_nothing_stated_is_in_the_way() -> None:
    snapshot = load()
    small = tuple(each for each in snapshot.offers if each.accelerator == "v100-sxm2-16gb")[:1]
    found = answer(spec_of("slo: {tpot: {p99: 50 ms}}\n"), snapshot.model_copy(update={"offers": small}))
    assert isinstance(found, NoAnswer)
    assert found.ways_out == WaysOut(((),), ())


def test_a_relaxation_that_does_not_solve_again_is_a_bug() -> None:
    spec = spec_of("slo: {tpot: {p99: 1 ms}}\n")
    with pytest.raises(VerificationError, match=r"slo\.tpot\.p99"):
        ways_out(spec, load(), pose(spec, load()), lambda _: None)


def test_ways_out_are_the_same_every_time() -> None:
    spec = spec_of("slo: {tpot: {p99: 1 ms}, ttft: {mean: 40 ms}}\nbudget: {usd_per_hour: $2/h}\n")
    assert ways_of(spec) == ways_of.__wrapped__(spec)


@pytest.mark.parametrize("objective", ["fastest", "most_requests"])
def test_whatever_the_objective_the_cheapest_way_out_is_priced(objective: str) -> None:
    rest = "slo: {tpot: {p99: 1 ms}}\nbudget: {usd_per_hour: $9/h}\n"
    assert ways_of(spec_of(f"objective: {objective}\n{rest}")) == ways_of(spec_of(rest))
