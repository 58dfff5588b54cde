import math
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from requirements_specs.requirement import BudgetMetric, LatencyLimit, Metric, Requirement, Statistic
from requirements_specs.serving import Budget, IntegerChoice, Inventory, ServingSpec


def test_statistics_know_their_probability() -> None:
    assert [statistic.probability for statistic in Statistic] == [None, 0.5, 0.9, 0.95, 0.99]


def test_limits_are_requirements_with_their_path() -> None:
    limit = LatencyLimit(metric=Metric.TTFT, statistic=Statistic.P99, limit_s=0.2)
    assert limit.requirement == Requirement(id="slo.ttft.p99", metric=Metric.TTFT, statistic=Statistic.P99, limit=0.2)
    assert Budget(usd_per_hour=60.0).requirements == (
        Requirement(id="budget.usd_per_hour", metric=BudgetMetric.USD_PER_HOUR, limit=60.0),
    )


def test_a_budget_is_floored_to_whole_micro_dollars_an_hour() -> None:
    assert Budget().usd_micro_per_hour is None
    assert Budget(usd_per_hour=12.34).usd_micro_per_hour == 12_340_000
    assert Budget(usd_per_month=7300.0).usd_micro_per_hour == 10_000_000
    assert Budget(usd_per_month=1000.0).usd_micro_per_hour == 1_369_863
    assert Budget(usd_per_hour=2.0, usd_per_month=1000.0).usd_micro_per_hour == 1_369_863


def test_choices_allow_pins_lists_and_ranges() -> None:
    assert [n for n in range(1, 10) if IntegerChoice(values=(4,)).allows(n)] == [4]
    assert [n for n in range(1, 10) if IntegerChoice(values=(1, 4)).allows(n)] == [1, 4]
    assert [n for n in range(1, 10) if IntegerChoice(least=2, greatest=4).allows(n)] == [2, 3, 4]
    assert [n for n in range(1, 10) if IntegerChoice(least=8).allows(n)] == [8, 9]
    with pytest.raises(ValidationError, match="no integer lies between 4 and 2"):
        IntegerChoice(least=4, greatest=2)


def test_entities_are_frozen_and_refuse_what_cannot_be(read: Callable[[str], ServingSpec], minimal: str) -> None:
    spec = read(minimal)
    with pytest.raises(ValidationError):
        spec.risk = 0.2  # type: ignore[misc]
    with pytest.raises(ValidationError):
        LatencyLimit(metric=Metric.TTFT, statistic=Statistic.P99, limit_s=math.nan)
    with pytest.raises(ValidationError):
        Inventory(providers=())
    assert hash(spec) == hash(read(minimal))
    assert ServingSpec.model_validate_json(spec.model_dump_json()) == spec
