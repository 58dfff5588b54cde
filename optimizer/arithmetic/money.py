"""Dollars of a plan: per hour, per month and per million tokens.

Prices enter as integer micro-dollars per hour and leave as dollars.
"""

HOURS_PER_MONTH = 730
SECONDS_PER_HOUR = 3600
MICRO_DOLLARS = 1_000_000
TOKENS_PER_UNIT = 1e6


def usd_per_hour(usd_micro_per_hour: int) -> float:
    """Dollars per hour of integer micro-dollars per hour."""
    return usd_micro_per_hour / MICRO_DOLLARS


def usd_per_month(usd_micro_per_hour: int) -> float:
    """Dollars per month of 730 hours."""
    return usd_micro_per_hour * HOURS_PER_MONTH / MICRO_DOLLARS


def usd_per_million_tokens(usd_micro_per_hour: int, tokens_per_s: float) -> float:
    """Dollars per million tokens when the whole cost is divided by `tokens_per_s` served tokens of one kind.

    Raises ValueError if no tokens are served.
    """
    if tokens_per_s <= 0:
        raise ValueError(f"a cost per token needs a positive token rate, not {tokens_per_s}")
    return usd_micro_per_hour / MICRO_DOLLARS / (tokens_per_s * SECONDS_PER_HOUR) * TOKENS_PER_UNIT


def usd_per_million_tokens_of_job(usd_micro: int, tokens: float) -> float:
    """Dollars per million tokens when the cost of a whole job is divided by its tokens of one kind.

    Raises ValueError if there are none.
    """
    if tokens <= 0:
        raise ValueError(f"a cost per token needs tokens, not {tokens}")
    return usd_micro / MICRO_DOLLARS / tokens * TOKENS_PER_UNIT


def idle_share(request_rate_per_s: float, capacity_per_s: float) -> float:
    """Share of the rented capacity that the load does not use: 1 − rate/capacity.

    Raises ValueError if the capacity is not positive or the rate exceeds it.
    """
    if not 0 < request_rate_per_s <= capacity_per_s:
        raise ValueError(f"rate {request_rate_per_s} must be positive and within the capacity {capacity_per_s}")
    return 1 - request_rate_per_s / capacity_per_s
