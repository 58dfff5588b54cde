"""Rates that change: what is read of a profile, of growth and of a cold start, and what is refused."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from requirements_specs.known import KnownNames
from requirements_specs.lengths import LengthDistribution
from requirements_specs.profile import Growth, Period
from requirements_specs.read import spec_from_text
from requirements_specs.restate import restate
from requirements_specs.serving import ServingSpec
from requirements_specs.source import parse
from requirements_specs.workload import Workload
from requirements_specs.write import spec_text, value_of

Read = Callable[[str], ServingSpec]
Refused = Callable[[str], str]
DAY = """\
kind: serving
model: llama-3.1-8b
workload:
  request_rate: 10 req/s
  prompt_tokens: 512 tokens
  output_tokens: 200 tokens
  profile: [{hours: 8, factor: 0.5}, {hours: 16, factor: 1.25}]
  growth: {monthly: 10 %, months: 2}
availability: {cold_start: 5 min}
"""


def test_a_profile_is_read(read: Read) -> None:
    spec = read(DAY)
    workload = spec.workload
    assert workload.profile == (Period(hours=8.0, factor=0.5), Period(hours=16.0, factor=1.25))
    assert workload.growth == Growth(monthly=0.1, months=2)
    assert spec.availability.cold_start_s == 300.0
    assert workload.request_rate_per_s == 10.0
    assert workload.mean_request_rate_per_s == pytest.approx(10.0 * (8 * 0.5 + 16 * 1.25) / 24 * 1.21)
    assert workload.peak_request_rate_per_s == pytest.approx(10.0 * 1.25 * 1.21)
    told = "; ".join(restate(spec))
    assert "10 req/s Poisson; times 0.5 (8 h), 1.25 (16 h); 10 % more each month for 2 months" in told
    assumed = {each.key: each.value for each in spec.assumed}
    assert not {"workload.peak_factor", "availability.cold_start"} & assumed.keys()
    assert assumed["billing"] == "by the second"


def test_without_a_profile_rates_are_as_stated(read: Read) -> None:
    plain = read(DAY.split("  profile")[0]).workload
    assert plain.mean_request_rate_per_s == plain.peak_request_rate_per_s == plain.request_rate_per_s == 10.0
    assert plain.model_copy(update={"peak_factor": 1.5}).peak_request_rate_per_s == 15.0


def test_growth_multiplies_the_peak_factor_too(read: Read) -> None:
    growing = read(DAY.split("  profile")[0] + "  peak_factor: 1.5\n  growth: {monthly: 100 %, months: 3}\n").workload
    assert growing.peak_request_rate_per_s == 10.0 * 1.5 * 8.0
    assert growing.mean_request_rate_per_s == 10.0 * 8.0


def test_many_periods_are_told_by_their_range(read: Read) -> None:
    hours = ", ".join(f"{{hours: 1, factor: {1 + hour / 10:g}}}" for hour in range(24))
    spec = read(DAY.replace("{hours: 8, factor: 0.5}, {hours: 16, factor: 1.25}", hours))
    assert "times 1 to 3.3 in 24 periods" in "; ".join(restate(spec))


def test_what_is_not_known_of_a_start_is_said(read: Read) -> None:
    assumed = {each.key: each for each in read(DAY.split("availability")[0]).assumed}
    assert assumed["availability.cold_start"].value == "not stated"
    assert "no warm pool" in assumed["availability.cold_start"].why


@pytest.mark.parametrize("hours", ["84, factor: 1}, {hours: 84", "0.1, factor: 1}, {hours: 23.9"])
def test_hours_of_a_day_or_a_week_are_taken_as_written(read: Read, hours: str) -> None:
    spec = read(DAY.replace("8, factor: 0.5}, {hours: 16", hours))
    assert spec.workload.cycle_hours == pytest.approx(168.0 if "84" in hours else 24.0)


PERIODS = "[{hours: 8, factor: 0.5}, {hours: 16, factor: 1.25}]"
REFUSED = [
    (
        "hours: 16",
        "hours: 18",
        "7:3: workload.profile: the hours of the periods are not",
        "hours: 16 in the last period",
    ),
    ("hours: 16", "hours: 12", "read: 20 h in all", "hours: 16 in the last period"),
    ("hours: 8", "hours: 32", "read: 48 h in all", "hours: 136 in the last period"),
    ("hours: 16", "hours: 0", "7:46: workload.profile[1].hours: not a possible number of hours", "0.01 to 168"),
    ("hours: 16", "hours: 16 h", "workload.profile[1].hours: not a possible number of hours", "0.01 to 168"),
    ("factor: 0.5", "factor: 0", "workload.profile[0].factor: not a possible factor", "a number from 0.001 to 1000"),
    ("factor: 0.5", "factor: -1", "workload.profile[0].factor: not a possible factor", "a number from 0.001 to 1000"),
    (", factor: 0.5", "", "7:13: workload.profile[0].factor: this key is missing", "factor: 1.5"),
    ("factor: 0.5", "faktor: 0.5", "workload.profile[0].faktor: unknown key", "did you mean: factor"),
    (PERIODS, "8 h", "7:3: workload.profile: a list of periods is needed", "profile: [{hours: 8"),
    (PERIODS, "[]", "7:3: workload.profile: a list of periods is needed", "profile: [{hours: 8"),
    (PERIODS, "[8, 16]", "workload.profile[0]: keys of a period are needed", "{hours: 8, factor: 1.5}"),
    (PERIODS, f"[{', '.join(['{hours: 0.1, factor: 1}'] * 169)}]", "workload.profile: too many periods", "at most 168"),
    (
        "  growth",
        "  peak_factor: 2\n  growth",
        "8:3: workload.peak_factor: the peak of a profile",
        "one of peak_factor",
    ),
    ("monthly: 10 %", "monthly: 10", "8:21: workload.growth.monthly: a bare number", "did you mean: 10 %"),
    ("monthly: 10 %", "monthly: 1", "workload.growth.monthly: a bare number", "did you mean: 1 %"),
    ("monthly: 10 %", "monthly: 400 %", "workload.growth.monthly: out of range", "at most 100 %"),
    ("monthly: 10 %", "monthly: 0 %", "workload.growth.monthly: must be positive", "more than 0 %"),
    ("monthly: 10 %", "monthly: -4 %", "workload.growth.monthly: must be positive", "more than 0 %"),
    (", months: 2", "", "workload.growth.months: this key is missing", "months: 12"),
    ("months: 2", "months: 0", "workload.growth.months: not a possible count", "at least 1 and at most 120"),
    ("months: 2", "months: 121", "workload.growth.months: not a possible count", "at most 120"),
    ("growth: {monthly: 10 %, months: 2}", "growth: 4 %", "workload.growth: keys are needed below", "monthly, months"),
    (
        "  profile",
        "  offline: {requests: 2 M, window: 8 h}\n  profile",
        "workload.profile: a job has no periods",
        "window",
    ),
    (
        "  request_rate: 10 req/s",
        "  offline: {requests: 2 M, window: 8 h}",
        "workload.growth: a job does not",
        "each job",
    ),
    ("kind", "objective: fastest\nbudget: {usd_per_hour: $9/h}\nkind", "9:3: workload.profile: the fewest", "cheapest"),
    ("cold_start: 5 min", "cold_start: 5", "availability.cold_start: a bare number where a unit is needed", "5 s"),
    ("cold_start: 5 min", "cold_start: 0 s", "availability.cold_start: must be positive", "more than 0 s"),
    (f"  profile: {PERIODS}\n", "", "8:16: availability.cold_start: instances start and stop", "with workload.profile"),
]


@pytest.mark.parametrize(("old", "new", "first", "detail"), REFUSED)
def test_bad_rates_name_their_place(refused: Refused, old: str, new: str, first: str, detail: str) -> None:
    assert old in DAY
    message = refused(DAY.replace(old, new, 1))
    assert first in message
    assert detail in message


@pytest.mark.parametrize(
    "fields",
    [
        {"profile": (Period(hours=8.0, factor=1.0),)},
        {"profile": (Period(hours=24.0, factor=1.0),), "peak_factor": 2.0},
    ],
)
def test_a_workload_holds_no_profile_that_makes_no_sense(fields: dict[str, object]) -> None:
    lengths = LengthDistribution.constant(100.0)
    with pytest.raises(ValidationError):
        Workload(request_rate_per_s=1.0, prompt_tokens=lengths, output_tokens=lengths, **fields)


@given(
    hours=st.lists(st.integers(1, 23), min_size=1, max_size=6),
    factors=st.lists(st.integers(1, 10**6), min_size=7, max_size=7),
    monthly=st.integers(1, 1000),
    months=st.integers(1, 120),
)
def test_what_is_written_is_read_again(
    names: KnownNames, hours: list[int], factors: list[int], monthly: int, months: int
) -> None:
    cycle = [*hours, 168 - sum(hours)]
    periods = [{"hours": f"{each}", "factor": f"{factor / 1000}"} for each, factor in zip(cycle, factors, strict=False)]
    growth = {"monthly": f"{monthly / 10} %", "months": f"{months}"}
    lengths = {"request_rate": "3 rps", "prompt_tokens": "512 tokens", "output_tokens": "200 tokens"}
    text = spec_text(
        {"kind": "serving", "model": "llama-3.1-8b", "workload": {**lengths, "profile": periods, "growth": growth}}
    )
    spec = spec_from_text(text, "chat.yaml", names)
    assert [(each.hours, each.factor) for each in spec.workload.profile] == [
        (float(each["hours"]), float(each["factor"])) for each in periods
    ]
    assert spec.workload.growth is not None
    assert spec.workload.growth.monthly == pytest.approx(monthly / 1000)
    assert spec.workload.growth.months == months
    again = value_of(parse(text, "chat.yaml"))
    assert isinstance(again, dict)
    assert spec_from_text(spec_text(again), "chat.yaml", names) == spec
