import pytest

from optimizer.arithmetic.money import (
    idle_share,
    usd_per_hour,
    usd_per_million_tokens,
    usd_per_million_tokens_of_job,
    usd_per_month,
)


def test_dollars_of_integer_micro_dollars() -> None:
    assert usd_per_hour(2_490_000) == 2.49
    assert usd_per_month(2_490_000) == pytest.approx(2.49 * 730)


def test_cost_per_million_tokens() -> None:
    assert usd_per_million_tokens(2_000_000, 6343.0) == pytest.approx(0.0876, abs=1e-4)
    with pytest.raises(ValueError, match="positive token rate"):
        usd_per_million_tokens(1, 0.0)


def test_cost_per_million_tokens_of_a_job() -> None:
    assert usd_per_million_tokens_of_job(12_000_000, 60e6) == pytest.approx(0.2)
    with pytest.raises(ValueError, match="needs tokens"):
        usd_per_million_tokens_of_job(1, 0.0)


def test_idle_share() -> None:
    assert idle_share(8.0, 10.0) == pytest.approx(0.2)
    with pytest.raises(ValueError, match="within the capacity"):
        idle_share(11.0, 10.0)
