"""Numbers as people read them: three significant digits, money with cents, the unit beside."""

from optimizer.outcome import ObjectiveMetric
from requirements_specs.quantity import Dimension, format_quantity

DIGITS = 3
BAR_CELLS = 20
GIB = 2**30
SECONDS_PER_HOUR, SECONDS_PER_MINUTE = 3600, 60
_FULL, _EMPTY = "█", "·"


def duration(seconds: float) -> str:
    """`0.1874` -> `187 ms`."""
    return format_quantity(seconds, Dimension.TIME, DIGITS)


def long_duration(seconds: float) -> str:
    """`37044` -> `10.3 h`, `330` -> `5.5 min`; below a minute as `duration`."""
    for size, unit in ((SECONDS_PER_HOUR, "h"), (SECONDS_PER_MINUTE, "min")):
        if seconds >= size:
            return f"{float(f'{seconds / size:.{DIGITS}g}'):,g} {unit}"
    return duration(seconds)


def data(number_of_bytes: float) -> str:
    """`7.12e10` -> `71.2 GB`; whole GiB, as memory is built, stay exact: `80 GiB`."""
    return format_quantity(number_of_bytes, Dimension.BYTES, None if number_of_bytes % GIB == 0 else DIGITS)


def gigabytes(number_of_bytes: float) -> str:
    """`1.93273528e11` -> `193 GB`: decimal, so that figures beside each other compare."""
    return format_quantity(number_of_bytes, Dimension.BYTES, DIGITS)


def flops(per_second: float) -> str:
    """`3.52e15` -> `3.52 PFLOP/s`."""
    prefixes = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1.0, ""))
    size, prefix = next((each for each in prefixes if per_second >= each[0]), prefixes[-1])
    return f"{per_second / size:.{DIGITS}g} {prefix}FLOP/s"


def request_rate(per_second: float) -> str:
    """`13.072` -> `13.1 req/s`."""
    return format_quantity(per_second, Dimension.REQUEST_RATE, DIGITS)


def dollars(value: float) -> str:
    """`17461.6` -> `$17,461.60`; below a dollar three significant digits, so that a token's price does not vanish."""
    if 0 < abs(value) < 1:
        return format_quantity(value, Dimension.MONEY_PER_HOUR, DIGITS).removesuffix("/h")
    return f"-${-value:,.2f}" if value < 0 else f"${value:,.2f}"


def objective_text(metric: ObjectiveMetric, value: float) -> str:
    """A value of an objective with its unit, in all the digits that tell two designs apart."""
    match metric:
        case ObjectiveMetric.E2E_MEAN_S:
            return format_quantity(value, Dimension.TIME)
        case ObjectiveMetric.REQUESTS_PER_S:
            return format_quantity(value, Dimension.REQUEST_RATE)
        case ObjectiveMetric.ACCELERATORS:
            return f"{value:,.0f} accelerators"
        case ObjectiveMetric.USD:
            return dollars(value)
        case ObjectiveMetric.USD_PER_HOUR:
            return f"{dollars(value)}/h"


def percent(share: float) -> str:
    """`0.834` -> `83 %`, `0.061` -> `6.1 %`."""
    hundredths = 100 * share
    return f"{hundredths:.0f} %" if abs(hundredths) >= 9.95 else f"{hundredths:.1f} %"


def signed_percent(share: float) -> str:
    """`0.061` -> `+6.1 %`, `-0.2` -> `−20 %`; what is shown as nothing is not below it."""
    shown = percent(abs(share))
    return f"{'−' if share < 0 and shown != percent(0.0) else '+'}{shown}"


def bar(share: float) -> str:
    """A bar of `BAR_CELLS` cells, filled to `share`; what is not nothing shows at least one cell."""
    filled = min(BAR_CELLS, round(BAR_CELLS * share))
    if share > 0:
        filled = max(1, filled)
    return _FULL * filled + _EMPTY * (BAR_CELLS - filled)
