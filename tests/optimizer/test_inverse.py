from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from catalog.offers import Offer
from catalog.parts import Evidence, LinkKind
from catalog.read import Snapshot, load
from optimizer.answers import Answer
from optimizer.bottleneck.part_numbers import part_numbers
from optimizer.inverse import Inverse, Rental, invert, machines_for_rent
from optimizer.outcome import MinimumHardware
from optimizer.report import outcome_of
from optimizer.report.inverse_part import with_inverse
from optimizer.solve import answer
from optimizer.topology.layouts import Illegal
from optimizer.topology.machines import machine_of
from requirements_specs.lengths import LengthDistribution
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from requirements_specs.serving import Inventory, Objective, ServingSpec
from requirements_specs.workload import LEAST_REQUEST_RATE_PER_S, Workload

# Offered and measured, offered and estimated, measured and not offered, without bf16.
PARTS = ("a100-sxm-80gb", "h100-sxm-80gb", "h200-sxm-141gb", "l40s-48gb", "l4-24gb", "gb300-288gb", "t4-16gb")
SPEC = ServingSpec(
    name="inverse",
    model="llama-3.1-8b",
    workload=Workload(
        request_rate_per_s=12.0,
        prompt_tokens=LengthDistribution.constant(1000.0),
        output_tokens=LengthDistribution.constant(200.0),
    ),
    slo=(
        LatencyLimit(metric=Metric.TTFT, statistic=Statistic.P99, limit_s=0.4),
        LatencyLimit(metric=Metric.TPOT, statistic=Statistic.P99, limit_s=0.03),
    ),
)


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    whole = load()
    return whole.model_copy(
        update={
            "accelerators": {name: whole.accelerators[name] for name in PARTS},
            "offers": tuple(offer for offer in whole.offers if offer.accelerator in PARTS),
        }
    )


@pytest.fixture(scope="module")
def found(snapshot: Snapshot) -> Answer:
    found = answer(SPEC, snapshot)
    assert isinstance(found, Answer)
    return found


@pytest.fixture(scope="module")
def inverse(found: Answer, snapshot: Snapshot) -> Inverse:
    return invert(SPEC, found, snapshot)


@pytest.fixture(scope="module")
def hardware(found: Answer, inverse: Inverse, snapshot: Snapshot) -> MinimumHardware:
    outcome = outcome_of(SPEC, found, snapshot, date(2026, 11, 24))
    full = with_inverse(outcome, found, inverse).minimum_hardware
    assert full is not None
    return full


def at_price(snapshot: Snapshot, found: Answer, rental: Rental, factor: float) -> Snapshot:
    """The offers of the chosen part, and every machine of the rival at a multiple of its break-even price."""
    chosen = found.problem.space.keys[found.design.key].accelerator.id
    part = snapshot.accelerators[rental.machine.accelerator]
    priced = tuple(
        machine.model_copy(
            update={
                "usd_micro_per_hour": round(factor * rental.break_even_usd_micro * machine.accelerators),
                "price_date": date(2026, 9, 1),
                "tier": found.problem.space.offers[found.design.offer].tier,
            }
        )
        for machine in machines_for_rent(part, snapshot.offers)
    )
    own = tuple(offer for offer in snapshot.offers if offer.accelerator == chosen)
    return snapshot.model_copy(update={"offers": (*own, *priced)})


def test_every_other_part_is_held_against_the_answer(found: Answer, inverse: Inverse) -> None:
    chosen = found.problem.space.keys[found.design.key].accelerator.id
    assert {rival.part.id for rival in inverse.rivals} == set(PARTS) - {chosen}


def test_below_its_break_even_price_a_part_wins_and_above_it_does_not(
    found: Answer, inverse: Inverse, snapshot: Snapshot
) -> None:
    rentals = [rival.rental for rival in inverse.rivals if rival.rental is not None]
    assert len(rentals) >= 4
    allowed = SPEC.inventory.model_copy(update={"estimated_parts": True})
    spec = SPEC.model_copy(update={"inventory": allowed})
    for rental in rentals:
        cheaper, dearer = (answer(spec, at_price(snapshot, found, rental, factor)) for factor in (0.999, 1.001))
        assert isinstance(cheaper, Answer)
        assert isinstance(dearer, Answer)
        assert dearer.design.usd_micro_per_hour == found.design.usd_micro_per_hour
        part = cheaper.problem.space.keys[cheaper.design.key].accelerator.id
        assert part == rental.machine.accelerator
        assert cheaper.design.accelerators == rental.column.accelerators
        assert cheaper.design.usd_micro_per_hour == pytest.approx(
            0.999 * found.design.usd_micro_per_hour, abs=cheaper.design.instances
        )  # prices are whole micro-dollars per instance


def test_no_admitted_price_is_below_break_even(inverse: Inverse) -> None:
    """Else the optimum would not be one."""
    listed = [
        rival.rental
        for rival in inverse.rivals
        if rival.rental is not None
        and rival.rental.listed_usd_micro is not None
        and rival.part.evidence is not Evidence.ESTIMATED
    ]
    assert listed
    for rental in listed:
        assert rental.listed_usd_micro is not None
        assert rental.listed_usd_micro >= rental.break_even_usd_micro * rental.machine.accelerators


def test_what_has_no_number_below_a_joint_point_covers_what_is_needed(found: Answer, inverse: Inverse) -> None:
    has = part_numbers(found.problem.space.keys[found.design.key])
    needs = np.stack([minimum.point for minimum in inverse.joint]) * has
    compared = [rival for rival in inverse.rivals if rival.numbers is not None]
    assert {rival.covers for rival in compared} == {True, False}
    for rival in compared:
        assert rival.numbers is not None
        enough = np.all(np.nan_to_num(rival.numbers / needs, nan=1.0) >= 1.0, axis=1)
        assert rival.covers or not enough.any()
        assert rival.covers or np.nanmin(rival.numbers / needs, axis=1).max() < 1.0
        assert rival.meets or not rival.covers or rival.part.evidence is Evidence.ESTIMATED


def test_a_part_without_the_formats_says_so(inverse: Inverse) -> None:
    (t4,) = (rival for rival in inverse.rivals if rival.part.id == "t4-16gb")
    assert (t4.illegal, t4.rental, t4.numbers, t4.meets) == (Illegal.FORMAT, None, None, False)


def test_machines_for_rent_cost_a_dollar_per_accelerator(snapshot: Snapshot) -> None:
    part = snapshot.accelerators["h100-sxm-80gb"]
    machines = machines_for_rent(part, snapshot.offers)
    wirings = {machine_of(offer, part) for offer in snapshot.offers if offer.accelerator == part.id}
    assert {machine_of(offer, part) for offer in machines} == wirings
    assert len(machines) == len(wirings)
    assert all(offer.usd_micro_per_hour == 1_000_000 * offer.accelerators for offer in machines)


def test_a_part_that_nobody_offers_comes_in_boards_of_its_own_link(snapshot: Snapshot) -> None:
    boards = machines_for_rent(snapshot.accelerators["gb300-288gb"], ())

    def wiring(offer: Offer) -> tuple[int, LinkKind, int]:
        return offer.accelerators, offer.scale_up, offer.scale_up_domain

    assert [wiring(offer) for offer in boards] == [
        (1, LinkKind.PCIE, 1),
        (2, LinkKind.NVLINK, 2),
        (4, LinkKind.NVLINK, 4),
        (8, LinkKind.NVLINK, 8),
    ]


def test_the_report_has_the_same_numbers(found: Answer, inverse: Inverse, hardware: MinimumHardware) -> None:
    assert len(hardware.joint) == len(inverse.joint)
    assert hardware.joint[0].least is None
    assert hardware.joint[0].needs.memory_bytes == pytest.approx(inverse.joint[0].point[0] * hardware.part.memory_bytes)
    assert hardware.best_count[-1].accelerators == hardware.accelerators == found.design.accelerators
    optimum = found.design.usd_micro_per_hour / 1e6
    for part in hardware.parts:
        assert (part.rented is None) == (part.refusal is not None)
        if part.rented is not None:
            each = part.rented.break_even_usd_per_hour_per_instance
            assert each * part.rented.instances == pytest.approx(optimum)
        assert bool(part.lacks) == (part.numbers is not None and not part.covers)
        assert all(lack.has < lack.needs for lack in part.lacks)


def test_without_a_design_there_is_no_hardware(snapshot: Snapshot, found: Answer, inverse: Inverse) -> None:
    tight = (LatencyLimit(metric=Metric.TPOT, statistic=Statistic.P99, limit_s=0.0001),)
    impossible = SPEC.model_copy(update={"slo": tight})
    outcome = outcome_of(impossible, answer(impossible, snapshot), snapshot, date(2026, 11, 24))
    assert outcome.minimum_hardware is None
    assert with_inverse(outcome, replace(found), inverse) is outcome


def test_where_the_most_requests_are_sought_other_parts_must_carry_as_many(snapshot: Snapshot) -> None:
    """What is stated is no rate at all; the parts are held against the rate that the design carries."""
    capped = Inventory(accelerators=("h100-sxm-80gb",), max_accelerators=2)
    free = SPEC.workload.model_copy(update={"request_rate_per_s": LEAST_REQUEST_RATE_PER_S})
    most = SPEC.model_copy(update={"objective": Objective.MOST_REQUESTS, "inventory": capped, "workload": free})
    best = answer(most, snapshot)
    assert isinstance(best, Answer)
    stated = SPEC.workload.model_copy(update={"request_rate_per_s": best.problem.demand.rate_per_s})
    same = answer(SPEC.model_copy(update={"inventory": capped, "workload": stated}), snapshot)
    assert isinstance(same, Answer)
    assert same.design.accelerators == best.design.accelerators

    def rented(found: Answer, spec: ServingSpec) -> dict[str, int | None]:
        rivals = invert(spec, found, snapshot).rivals
        return {rival.part.id: rival.rental and rival.rental.column.accelerators for rival in rivals}

    assert rented(best, most) == rented(same, SPEC.model_copy(update={"inventory": capped, "workload": stated}))
