"""The design over time, as a report says it."""

from optimizer.deliver.console import render
from optimizer.outcome import (
    FailureOut,
    GrowthOut,
    GrowthStep,
    LossOut,
    Outcome,
    PeriodOut,
    ProfileOut,
    VerifiedBy,
)
from requirements_specs.serving import ServingSpec
from tests.deliver.reports import assert_fits, section


def period(start: float, hours: float, replicas: int) -> PeriodOut:
    return PeriodOut(
        starts_at_hour=start,
        hours=hours,
        factor=1.0,
        request_rate_per_s=10.0,
        load=0.9,
        started_instances=1,
        replicas=replicas,
        instances=replicas,
        accelerators=replicas * 4,
        usd_per_hour=replicas * 10.0,
    )


PROFILE = ProfileOut(
    cycle_hours=24.0,
    cold_start_s=300.0,
    periods=(period(0.0, 8.0, 1), period(8.0, 16.0, 4)),
    flat_usd_per_month=29_200.0,
    autoscaled_usd_per_month=21_900.0,
    warm_pool_usd_per_month=76.25,
    idle_is_paid=False,
    verified_by=VerifiedBy.SIMULATION,
)
GROWTH = GrowthOut(
    monthly=0.04,
    months=12,
    steps=tuple(
        GrowthStep(
            month=month, request_rate_per_s=8.0, replicas=count, instances=count, accelerators=4, usd_per_hour=1.0
        )
        for month, count in ((0, 2), (5, 3), (11, 4))
    ),
    runs_out_in_month=5,
    design_lasts_months=14.62,
    usd_from_the_start=350_400.0,
    usd_as_it_grows=270_100.0,
    usd_autoscaled=201_000.0,
)
FAILURE = FailureOut(
    spare_replicas=1,
    accelerators_per_replica=4,
    one_accelerator=LossOut(replicas=1, accelerators=4, replicas_left=3, load=0.98, limits_hold=True),
    one_instance=LossOut(replicas=2, accelerators=8, replicas_left=2, load=1.47, limits_hold=False),
    one_more_spare_usd_per_hour=0.0,
)


def with_parts(outcome: Outcome, **parts: object) -> Outcome:
    return outcome.model_copy(update=parts)


def test_the_page_has_room_for_all_of_it(solved: Outcome, chat: ServingSpec) -> None:
    report = render(with_parts(solved, profile=PROFILE, growth=GROWTH, failure=FAILURE), chat, "chat.yaml").plain
    assert_fits(report)
    for label in ("Periods", "Growth", "Failure", "Walls", "Next best", "Proof", "Otherwise", "Warning", "Next"):
        assert f"\n{label} " in report
    assert "candidates" in section(report, "Proof")


def test_nothing_of_it_is_said_where_nothing_changes(solved: Outcome, chat: ServingSpec) -> None:
    report = render(solved, chat, "chat.yaml").plain
    assert not {"Periods", "Growth", "Failure"} & {line.split(" ")[0] for line in report.split("\n")}


def test_the_bill_stands_beside_the_flat_one(solved: Outcome, chat: ServingSpec) -> None:
    text = section(render(with_parts(solved, profile=PROFILE), chat, "x").plain, "Periods")
    assert "autoscaled $21,900.00, 25 % less than $29,200.00/month;" in text
    assert "replicas 1 (8 h), 4 (16 h); $76.25 for starting 5 min ahead" in text


def test_what_the_bill_lacks_is_said(solved: Outcome, chat: ServingSpec) -> None:
    laws = PROFILE.model_copy(update={"verified_by": VerifiedBy.NONE, "cold_start_s": None})
    cold = laws.model_copy(update={"warm_pool_usd_per_month": None})
    text = section(render(with_parts(solved, profile=cold, growth=GROWTH), chat, "x").plain, "Periods")
    assert "less than $29,200.00/month, in month 12;" in text
    assert "4 (16 h) by the laws alone; " in text
    assert "cold starts not priced" in text


def test_owned_machines_save_nothing(solved: Outcome, chat: ServingSpec) -> None:
    own = PROFILE.model_copy(update={"idle_is_paid": True, "autoscaled_usd_per_month": 29_200.0})
    text = section(render(with_parts(solved, profile=own), chat, "x").plain, "Periods")
    assert "$29,200.00/month whatever runs: owned machines cost the same idle" in text
    assert "starting" not in text


def test_a_bill_that_scaling_does_not_change_is_said_once(solved: Outcome, chat: ServingSpec) -> None:
    even = PROFILE.model_copy(update={"autoscaled_usd_per_month": 29_200.0, "warm_pool_usd_per_month": 0.0})
    text = section(render(with_parts(solved, profile=even), chat, "x").plain, "Periods")
    assert "$29,200.00/month, autoscaled or not; replicas" in text


def test_many_periods_are_a_range(solved: Outcome, chat: ServingSpec) -> None:
    hourly = PROFILE.model_copy(update={"periods": tuple(period(hour, 1.0, 1 + hour // 6) for hour in range(24))})
    assert "1 to 4 replicas in 24 periods" in section(
        render(with_parts(solved, profile=hourly), chat, "x").plain, "Periods"
    )


def test_growth_says_when_to_add_and_what_that_saves(solved: Outcome, chat: ServingSpec) -> None:
    text = section(render(with_parts(solved, growth=GROWTH), chat, "x").plain, "Growth")
    assert "2 replicas today, 3 from month 5, 4 from month 11; this design lasts 14.6 months;" in text
    assert "$350,400.00 in 12 months, $270,100.00 bought as it grows, $201,000.00 autoscaled" in text
    steady = GROWTH.model_copy(update={"steps": GROWTH.steps[:1], "usd_autoscaled": None})
    assert "2 replicas today last to the end" in section(
        render(with_parts(solved, growth=steady), chat, "x").plain, "Growth"
    )


def test_a_failure_takes_whole_replicas(solved: Outcome, chat: ServingSpec) -> None:
    text = section(render(with_parts(solved, failure=FAILURE), chat, "x").plain, "Failure")
    assert "an accelerator takes its replica of 4: 3 left, load 98 %, limits hold" in text
    assert "an instance takes 2: 2 left, load 147 %, limits broken" in text
    assert "one more spare +$0.00/h" in text
    none = LossOut(replicas=1, accelerators=1, replicas_left=0, load=None, limits_hold=False)
    alone = FAILURE.model_copy(
        update={"one_accelerator": none, "one_instance": none, "one_more_spare_usd_per_hour": None}
    )
    text = section(render(with_parts(solved, failure=alone), chat, "x").plain, "Failure")
    assert text == "an accelerator is a replica: none is left; the caps leave no room for a spare"
