from collections.abc import Sequence

import pytest

from catalog.parts import Evidence
from catalog.read import Snapshot, load
from optimizer.errors import QuestionError
from optimizer.evaluate import Question
from optimizer.inventory import admitted_offers
from optimizer.question import Nothing, Problem, demand_of, job_of, more_allowed, pose, question_at, without_caps
from optimizer.search.bounds import Demand
from optimizer.search.jobs import Job
from requirements_specs.lengths import LengthDistribution
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from requirements_specs.serving import (
    Availability,
    Budget,
    Formats,
    Inventory,
    Objective,
    ServingSpec,
    Spot,
)
from requirements_specs.workload import Offline, Workload


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return load()


def spec(
    *,
    model: str = "llama-3.1-8b",
    rate: float = 10.0,
    output: float = 200.0,
    peak: float = 1.0,
    risk: float = 0.1,
    slo: Sequence[LatencyLimit] = (),
    **more: object,
) -> ServingSpec:
    return ServingSpec(
        name="question",
        model=model,
        risk=risk,
        slo=tuple(slo),
        workload=Workload(
            request_rate_per_s=rate,
            prompt_tokens=LengthDistribution.constant(500.0),
            output_tokens=LengthDistribution.constant(output),
            peak_factor=peak,
        ),
        **more,  # type: ignore[arg-type]
    )


def problem_of(asked: ServingSpec, snapshot: Snapshot) -> Problem:
    problem = pose(asked, snapshot)
    assert isinstance(problem, Problem)
    return problem


def test_half_a_risk_is_the_point_prediction() -> None:
    limits = (LatencyLimit(metric=Metric.TTFT, statistic=Statistic.P99, limit_s=0.2),)
    asked = spec(slo=limits, availability=Availability(load_cap=0.7))
    question = question_at(asked, 0.5)
    assert (question.deviations, question.limits, question.load_cap) == (0.0, limits, 0.7)
    assert question_at(asked, 0.01).deviations > question_at(asked, 0.1).deviations > 0.0


@pytest.mark.parametrize(
    ("budget", "most"),
    [
        (Budget(), None),
        (Budget(usd_per_hour=12.5), 12_500_000),
        (Budget(usd_per_month=730.0), 1_000_000),
        (Budget(usd_per_month=1.0), 1_369),  # 1,369.86 micro-dollars an hour
        (Budget(usd_per_million_output_tokens=2.0), 14_400_000),  # 7.2 million tokens an hour
        (Budget(usd_per_million_output_tokens=2.0, usd_per_hour=14.0), 14_000_000),
        (Budget(usd_per_million_output_tokens=1.0, usd_per_hour=14.0), 7_200_000),
    ],
)
def test_budgets_become_micro_dollars_per_hour(budget: Budget, most: int | None) -> None:
    assert demand_of(spec(budget=budget)).most_usd_micro_per_hour == most


def test_a_budget_per_token_counts_the_mean_rate_and_the_design_the_peak() -> None:
    demand = demand_of(spec(peak=3.0, budget=Budget(usd_per_million_output_tokens=2.0)))
    assert demand.most_usd_micro_per_hour == 14_400_000
    assert demand.rate_per_s == 30.0


def test_a_job_carries_its_caps_and_its_interruptions() -> None:
    workload = Workload(
        request_rate_per_s=10.0,
        prompt_tokens=LengthDistribution.constant(500.0),
        output_tokens=LengthDistribution.constant(200.0),
        offline=Offline(requests=36_000, window_s=3600.0),
    )
    asked = spec(
        budget=Budget(usd_per_million_output_tokens=0.07, usd_per_hour=12.5),
        inventory=Inventory(
            tiers=("spot",), max_accelerators=16, spot=Spot(interruptions_per_hour=3.6, restart_s=300.0)
        ),
    ).model_copy(update={"workload": workload, "objective": Objective.SMALLEST_FLEET})
    assert job_of(asked) == Job(36_000, 3600.0, 0.001, 300.0, 16, 12_500_000, 504_000, smallest_fleet=True)
    assert question_at(asked, 0.5) == Question((), 1.0, 0.0)
    assert job_of(spec()) is None


def test_a_budget_per_token_is_exact() -> None:
    """As the other budgets: what the decimals say, not what their binary neighbours multiply to."""
    demand = demand_of(spec(rate=25.0, output=250.0, budget=Budget(usd_per_million_output_tokens=0.06)))
    assert demand.most_usd_micro_per_hour == 1_350_000


def test_demand_carries_caps_and_spares() -> None:
    asked = spec(availability=Availability(spare_replicas=2), inventory=Inventory(max_accelerators=16))
    demand = demand_of(asked)
    assert demand == Demand(10.0, 2, 16, None)
    assert without_caps(Demand(10.0, 2, 16, 5)) == Demand(10.0, 2, None, None)


def test_the_inventory_admits_by_name(snapshot: Snapshot) -> None:
    def ids(**names: object) -> set[str]:
        return {offer.id for offer in admitted_offers(Inventory(**names), snapshot)}  # type: ignore[arg-type]

    everything = {offer.id for offer in snapshot.offers}
    on_demand = {offer.id for offer in snapshot.offers if offer.tier.value == "on_demand"}
    assert ids() == on_demand < everything
    assert ids(tiers=("on_demand", "spot")) == everything
    picked = ids(providers=("lambda",), accelerators=("h100-sxm-80gb",))
    assert picked
    assert all(name.startswith("lambda/") and "h100_sxm" in name for name in picked)
    left_out = sorted(picked)[0]
    assert ids(providers=("lambda",), accelerators=("h100-sxm-80gb",), exclude_offers=(left_out,)) == picked - {
        left_out
    }
    regional = ids(regions=("us-east4",))
    assert regional
    assert all("/us-east4/" in name for name in regional)


@pytest.mark.parametrize(
    "inventory",
    [
        Inventory(providers=("lambda",), accelerators=("mi300x-192gb",)),
        Inventory(providers=("coreweave",), regions=("us-east4",)),
    ],
)
def test_an_empty_inventory_is_a_question_error_that_names_its_key(snapshot: Snapshot, inventory: Inventory) -> None:
    with pytest.raises(QuestionError, match=r"^inventory: "):
        pose(spec(inventory=inventory), snapshot)


def test_an_uncounted_model_is_refused_with_its_reason(snapshot: Snapshot) -> None:
    name, reason = next((model.id, model.uncounted) for model in snapshot.models.values() if model.uncounted)
    with pytest.raises(QuestionError) as error:
        pose(spec(model=name), snapshot)
    assert str(error.value).startswith("model: ")
    assert str(reason) in str(error.value)


def test_no_legal_placement_is_a_result_not_an_error(snapshot: Snapshot) -> None:
    found = pose(spec(inventory=Inventory(accelerators=("v100-sxm2-32gb",))), snapshot)
    assert isinstance(found, Nothing)
    assert found.space.candidates == sum(found.space.illegal.values()) > 0


def test_allowing_more_adds_only_what_was_left_out(snapshot: Snapshot) -> None:
    asked = spec(inventory=Inventory(accelerators=("h100-sxm-80gb", "mi300x-192gb")))
    wider = more_allowed(asked, snapshot, 10**12)
    assert wider is not None
    allowed, added = wider
    assert allowed.inventory.estimated_parts
    assert allowed.inventory.undated
    assert {offer.accelerator for offer in added.offers} == {"h100-sxm-80gb", "mi300x-192gb"}
    for offer in added.offers:
        estimated = snapshot.accelerators[offer.accelerator].evidence is Evidence.ESTIMATED
        assert estimated or offer.price_date is None
    cheapest = min(offer.usd_micro_per_hour for offer in added.offers)
    assert more_allowed(asked, snapshot, cheapest) is None
    everything = asked.model_copy(update={"inventory": allowed.inventory})
    assert more_allowed(everything, snapshot, 10**12) is None


def test_a_request_longer_than_the_context_cannot_be_asked(snapshot: Snapshot) -> None:
    lengths = {"prompt_tokens": LengthDistribution.constant(395_000), "output_tokens": LengthDistribution.constant(5)}
    asked = spec()
    asked = asked.model_copy(update={"workload": asked.workload.model_copy(update=lengths)})
    with pytest.raises(QuestionError, match=r"workload\.prompt_tokens.*395,005 tokens.*holds 131,072"):
        pose(asked, snapshot)


def test_formats_that_no_kernel_joins_cannot_be_asked(snapshot: Snapshot) -> None:
    asked = spec().model_copy(update={"formats": Formats(weights=("bf16",), activations=("int8",))})
    with pytest.raises(QuestionError, match=r"^formats: no kernel"):
        pose(asked, snapshot)
