from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.offers import OWNED, Offer, PriceKind, Tier
from catalog.parts import LinkKind
from catalog.read import Snapshot, load
from optimizer.additions import read_question
from optimizer.answers import Answer, NoAnswer
from optimizer.inventory import admitted_offers, at_own_price, idle_discounts, owned_offer
from optimizer.outcome import Status
from optimizer.question import Nothing, more_allowed, pose
from optimizer.report import outcome_of
from optimizer.solve import answer
from requirements_specs import owned as owned_provider
from requirements_specs.lengths import LengthDistribution
from requirements_specs.owned import OwnedMachines
from requirements_specs.prices import Discount, OfferPrice, PriceFile
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from requirements_specs.serving import Budget, Inventory, ServingSpec
from requirements_specs.workload import Offline, Workload

LAMBDA = "lambda/gpu_8x_h100_sxm5/global/on_demand"
TODAY = date(2026, 11, 24)


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return load()


def offer_of(name: str) -> Offer:
    return next(offer for offer in load().offers if offer.id == name)


def owned(**changes: object) -> OwnedMachines:
    fields: dict[str, object] = {
        "name": "rack",
        "accelerator": "h100-sxm-80gb",
        "accelerators": 8,
        "machines": 2,
        "usd_micro_per_hour": 9_200_000,
        "scale_up": "nvlink",
        "source": "chat.yaml:14",
    }
    return OwnedMachines.model_validate(fields | changes)


def price_file(*prices: OfferPrice) -> PriceFile:
    return PriceFile(file="own.csv", sha256="0" * 64, prices=prices)


def own_price(offer: str = LAMBDA, usd_micro: int = 5_000_000, day: date = date(2026, 11, 1)) -> OfferPrice:
    return OfferPrice(offer=offer, usd_micro_per_hour=usd_micro, date=day, source="own.csv:2")


def spec(inventory: Inventory, rate: float = 20.0, **changes: object) -> ServingSpec:
    fields: dict[str, object] = {
        "name": "own prices",
        "model": "llama-3.1-8b",
        "workload": Workload(
            request_rate_per_s=rate,
            prompt_tokens=LengthDistribution.constant(512),
            output_tokens=LengthDistribution.constant(200),
        ),
        "slo": (LatencyLimit(metric=Metric.TPOT, statistic=Statistic.P99, limit_s=0.05),),
        "inventory": inventory,
    }
    return ServingSpec.model_validate(fields | changes)


def test_a_price_of_the_user_takes_the_place_of_the_list_price() -> None:
    offer = at_own_price(offer_of(LAMBDA), own_price(), Discount(provider="lambda", share=0.5, source="chat.yaml:9"))
    assert (offer.usd_micro_per_hour, offer.price_kind) == (5_000_000, PriceKind.OVERRIDE)
    assert (offer.price_date, offer.price_source) == (date(2026, 11, 1), "own.csv:2")
    assert offer.model_copy(update=offer_of(LAMBDA).model_dump(include=CHANGED)) == offer_of(LAMBDA)


CHANGED = {"usd_micro_per_hour", "price_kind", "price_date", "source"}


@given(st.integers(1, 10**9), st.decimals(min_value=0, max_value=Decimal("0.9999"), places=4))
def test_a_discount_is_exact_to_the_nearest_micro_dollar_half_upwards(micro: int, share: Decimal) -> None:
    listed = offer_of(LAMBDA).model_copy(update={"usd_micro_per_hour": micro})
    offer = at_own_price(listed, None, Discount(provider="lambda", share=float(share), source="chat.yaml:9"))
    exact = (micro * (1 - share)).to_integral_value(ROUND_HALF_UP)
    assert offer.usd_micro_per_hour == max(1, exact)


def test_a_discount_keeps_the_list_price_s_day_and_names_both_sources() -> None:
    listed = offer_of(LAMBDA)
    offer = at_own_price(listed, None, Discount(provider="lambda", share=0.35, source="chat.yaml:9"))
    assert (offer.price_kind, offer.price_date) == (PriceKind.DISCOUNT, listed.price_date)
    assert offer.price_source == f"{listed.price_source} less 35 % of chat.yaml:9"


def test_a_discount_leaves_spot_and_other_providers_alone(snapshot: Snapshot) -> None:
    off = Inventory(tiers=tuple(Tier), discounts=(Discount(provider="azure", share=0.35, source="chat.yaml:9"),))
    changed = {
        before.id
        for before, after in zip(snapshot.offers, admitted_offers(off, snapshot), strict=True)
        if before != after
    }
    on_demand = {o.id for o in snapshot.offers if o.provider == "azure" and o.tier is Tier.ON_DEMAND}
    assert changed == on_demand


NO_LIST_PRICE_OF_AZURE = tuple(
    offer.id for offer in load().offers if offer.provider == "azure" and offer.tier is Tier.ON_DEMAND
)
JOB = Workload(
    request_rate_per_s=1.0,
    offline=Offline(requests=3600, window_s=3600.0),
    prompt_tokens=LengthDistribution.constant(512),
    output_tokens=LengthDistribution.constant(200),
)


@pytest.mark.parametrize(
    ("names", "changes", "status"),
    [
        ({"providers": ("lambda",)}, {}, Status.OPTIMAL),
        ({"tiers": tuple(Tier), "exclude_offers": NO_LIST_PRICE_OF_AZURE}, {}, Status.OPTIMAL),
        ({"providers": ("lambda",), "max_accelerators": 1}, {"rate": 1e5}, Status.INFEASIBLE),
        ({"providers": ("lambda",)}, {"workload": JOB, "slo": ()}, Status.OPTIMAL),
    ],
    ids=["another provider", "spot alone", "infeasible", "job"],
)
def test_a_discount_that_no_admitted_offer_carries_is_warned_of(
    snapshot: Snapshot, names: dict[str, object], changes: dict[str, Any], status: Status
) -> None:
    discounts = tuple(Discount(provider=name, share=0.3, source="chat.yaml:9") for name in ("lambda", "azure"))
    asked = spec(Inventory.model_validate({**names, "discounts": discounts}), **changes)
    outcome = outcome_of(asked, answer(asked, snapshot), snapshot, TODAY)
    assert outcome.status is status
    assert [each for each in outcome.warnings if "discount" in each] == [
        "the discount of azure (chat.yaml:9) changes no price: no admitted offer of theirs has an on-demand list price"
    ]


def test_a_price_of_the_user_leaves_a_discount_nothing_to_take_from(snapshot: Snapshot) -> None:
    discount = Discount(provider="lambda", share=0.3, source="chat.yaml:9")
    inventory = Inventory(providers=("lambda",), discounts=(discount,))
    assert idle_discounts(inventory, admitted_offers(inventory, snapshot)) == ()
    prices = price_file(*(own_price(each.id) for each in snapshot.offers if each.provider == "lambda"))
    priced = inventory.model_copy(update={"prices": prices})
    assert idle_discounts(priced, admitted_offers(priced, snapshot)) == (discount,)


def test_owned_machines_have_one_provider_in_specifications_and_in_the_catalog() -> None:
    assert owned_provider.OWNED == OWNED


def test_no_offer_of_the_catalog_says_how_many_there_are(snapshot: Snapshot) -> None:
    assert {offer.most_instances for offer in snapshot.offers} == {None}
    assert {offer.price_kind for offer in snapshot.offers} == {PriceKind.LIST}


@pytest.mark.parametrize(
    ("part", "accelerators", "scale_up", "domain", "p2p"),
    [
        ("h100-sxm-80gb", 8, "nvlink", 8, True),
        ("h100-sxm-80gb", 4, "nvlink", 4, True),
        ("h100-sxm-80gb", 16, "nvlink", 8, True),
        ("h100-sxm-80gb", 8, "pcie", 1, False),
        ("a100-pcie-80gb", 4, "nvlink_bridge", 2, False),
        ("a100-pcie-80gb", 1, "none", 1, False),
    ],
)
def test_owned_machines_are_wired_as_the_catalogs_are(
    snapshot: Snapshot, part: str, accelerators: int, scale_up: str, domain: int, *, p2p: bool
) -> None:
    machines = owned(accelerator=part, accelerators=accelerators, scale_up=scale_up)
    offer = owned_offer(machines, snapshot.accelerators[part])
    assert (offer.scale_up, offer.scale_up_domain, offer.p2p) == (LinkKind(scale_up), domain, p2p)
    assert (offer.most_instances, offer.price_kind, offer.is_undated) == (2, PriceKind.OWNED, False)
    assert offer.id == "owned/rack/on_premises/on_demand"


def test_owned_machines_stand_beside_what_is_rented(snapshot: Snapshot) -> None:
    def ids(**names: object) -> list[str]:
        inventory = Inventory.model_validate({"owned": (owned(),), **names})
        return [offer.id for offer in admitted_offers(inventory, snapshot)]

    rack = "owned/rack/on_premises/on_demand"
    assert ids(providers=("owned",)) == [rack]
    assert ids(providers=("lambda",), accelerators=("h100-sxm-80gb",), tiers=("spot",), regions=("x",)) == [rack]
    assert ids(accelerators=("h200-sxm-141gb",))[-1] != rack
    assert ids()[-1] == rack
    assert len(ids()) > 100


def test_the_answer_names_the_price_and_the_file(snapshot: Snapshot) -> None:
    asked = spec(Inventory(prices=price_file(own_price(usd_micro=500_000, day=date(2026, 5, 1)))))
    found = answer(asked, snapshot)
    outcome = outcome_of(asked, found, snapshot, TODAY)
    assert outcome.design is not None
    (pool,) = outcome.design.pools
    assert (pool.offer, pool.price_kind, pool.price_date) == (LAMBDA, "override", "2026-05-01")
    assert (pool.price_source, pool.usd_per_hour_per_instance, pool.available_instances) == ("own.csv:2", 0.5, None)
    assert outcome.prices is not None
    assert outcome.prices.model_dump() == {"file": "own.csv", "sha256": "0" * 64, "offers": 1, "admitted": 1}
    assert outcome.warnings == (f"the price of {LAMBDA} is 207 days old",)
    dearer = [each for each in outcome.alternatives if each.usd_per_hour > pool.usd_per_hour_per_instance]
    assert all(each.why_not.endswith(f"({each.price_kind} {each.price_date})") for each in dearer)


@pytest.mark.parametrize(
    ("tier", "day", "warning"),
    [
        ("on_demand", date(2026, 8, 26), None),
        ("on_demand", date(2026, 8, 25), "is 91 days old"),
        ("spot", date(2026, 11, 23), None),
        ("spot", date(2026, 11, 22), "is 2 days old"),
        ("on_demand", date(2026, 11, 25), "is of a day to come, 2026-11-25"),
    ],
)
def test_old_prices_warn_and_spot_prices_sooner(snapshot: Snapshot, tier: str, day: date, warning: str | None) -> None:
    name = f"azure/Standard_NC24ads_A100_v4/eastus/{tier}"
    prices = price_file(own_price(name, 10_000, day))
    asked = spec(Inventory(providers=("azure",), regions=("eastus",), tiers=(tier,), prices=prices), rate=1.0)
    outcome = outcome_of(asked, answer(asked, snapshot), snapshot, TODAY)
    prices_said = [each for each in outcome.warnings if each.startswith("the price")]
    assert prices_said == ([] if warning is None else [f"the price of {name} {warning}"])


def test_an_undated_offer_with_a_price_of_the_user_may_be_chosen(snapshot: Snapshot) -> None:
    undated = next(offer for offer in snapshot.offers if offer.id == "oci/BM.GPU.A100-v2.8/eu-amsterdam-1/on_demand")
    assert undated.price_date is None
    alone = Inventory(providers=("oci",), accelerators=(undated.accelerator,))
    assert isinstance(pose(spec(alone), snapshot), Nothing)
    priced = alone.model_copy(update={"prices": price_file(own_price(undated.id))})
    found = answer(spec(priced), snapshot)
    assert isinstance(found, Answer)
    assert found.problem.space.offers[found.design.offer].id == undated.id


def test_owned_machines_are_taken_up_to_their_number(snapshot: Snapshot) -> None:
    """As many as are needed are taken where there are as many, none where there is one fewer."""
    rate = 1000.0

    def found(machines: int, **names: object) -> Answer | NoAnswer:
        inventory = Inventory.model_validate({"owned": (owned(machines=machines),), **names})
        return answer(spec(inventory, rate=rate), snapshot)

    enough = found(99, providers=("owned",))
    assert isinstance(enough, Answer)
    needed = enough.design.instances
    assert needed > 1
    just = found(needed, providers=("owned",))
    assert isinstance(just, Answer)
    assert just.design.usd_micro_per_hour == enough.design.usd_micro_per_hour == needed * 9_200_000
    rented = found(needed - 1)
    assert isinstance(rented, Answer)
    assert rented.problem.space.offers[rented.design.offer].provider != "owned"
    short = found(needed - 1, providers=("owned",))
    assert isinstance(short, NoAnswer)
    outcome = outcome_of(
        spec(Inventory(providers=("owned",), owned=(owned(machines=needed - 1),)), rate=rate),
        short,
        snapshot,
        TODAY,
    )
    assert outcome.floor is not None
    assert (outcome.floor.requirement, outcome.floor.least) == ("inventory.owned.machines", needed)
    assert outcome.floor.limit == needed - 1
    assert outcome.floor.explanation == (
        f"the cheapest design takes {needed} × rack, and {needed - 1} {'is' if needed == 2 else 'are'} owned"
    )


def test_a_budget_below_owned_machines_is_the_floor_that_is_named(snapshot: Snapshot) -> None:
    asked = spec(Inventory(providers=("owned",), owned=(owned(),)), rate=1.0, budget=Budget(usd_per_hour=1.0))
    found = answer(asked, snapshot)
    outcome = outcome_of(asked, found, snapshot, TODAY)
    assert outcome.floor is not None
    assert outcome.floor.requirement == "budget.usd_per_hour"
    assert outcome.floor.least == 9.2


def test_allowing_more_keeps_the_users_prices_and_his_number_of_machines(snapshot: Snapshot) -> None:
    inventory = Inventory(
        regions=("eu-amsterdam-1",),
        tiers=("spot", "on_demand"),
        owned=(owned(accelerator="mi300x-192gb", scale_up="xgmi"),),
        discounts=(Discount(provider="oci", share=0.5, source="chat.yaml:9"),),
    )
    wider = more_allowed(spec(inventory), snapshot, 10**12)
    assert wider is not None
    asked, added = wider
    again = admitted_offers(asked.inventory, added)
    assert again == added.offers
    assert {offer.price_kind for offer in again} == {PriceKind.DISCOUNT, PriceKind.OWNED}
    assert next(offer for offer in again if offer.provider == "owned").most_instances == 2


def test_machines_of_a_part_that_the_specification_brings_may_be_owned(tmp_path: Path) -> None:
    part = Path(__file__).parents[2] / "examples" / "custom_part" / "h120.yaml"
    path = tmp_path / "own.yaml"
    path.write_text(
        "kind: serving\n"
        "model: llama-3.1-8b\n"
        "workload: {request_rate: 2 req/s, prompt_tokens: 512 tokens, output_tokens: 200 tokens}\n"
        "inventory:\n"
        f"  custom_accelerators: {part}\n"
        "  providers: [owned]\n"
        "  owned: {accelerator: h120-144gb, accelerators: 8, machines: 2, usd_per_hour: $1/h}\n",
        encoding="utf-8",
    )
    asked, extended = read_question(path, load())
    assert asked.inventory.owned[0].scale_up == "nvlink"
    found = answer(asked, extended)
    assert isinstance(found, Answer)
    assert found.problem.space.offers[found.design.offer].instance == "8x-h120-144gb"
