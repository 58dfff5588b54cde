"""Quantities in authored files: a number and a unit, read exactly.

The catalog keeps its own small table because it may import neither the spec reader nor a unit library.
"""

from decimal import Decimal, InvalidOperation

from catalog.errors import CatalogError

# unit -> (dimension, factor to SI); decimal and binary prefixes are different units
UNITS: dict[str, tuple[str, Decimal]] = {
    "MB": ("bytes", Decimal(10) ** 6),
    "GB": ("bytes", Decimal(10) ** 9),
    "MiB": ("bytes", Decimal(2) ** 20),
    "GiB": ("bytes", Decimal(2) ** 30),
    "GB/s": ("bytes/s", Decimal(10) ** 9),
    "TB/s": ("bytes/s", Decimal(10) ** 12),
    "PB/s": ("bytes/s", Decimal(10) ** 15),
    "Gbit/s": ("bytes/s", Decimal(10) ** 9 / 8),
    "TFLOP/s": ("FLOP/s", Decimal(10) ** 12),
    "W": ("watts", Decimal(1)),
    "kW": ("watts", Decimal(10) ** 3),
}

# no quantity of hardware needs more in any of the units
_MOST_DIGITS = 12


def quantity(text: object, dimension: str, where: str) -> Decimal:
    """Return `text` ("3.35 TB/s") in SI units of `dimension`, exactly.

    Raises CatalogError for a bare number, an unknown unit or one of another dimension; `where` opens the message.
    """
    allowed = ", ".join(unit for unit, (kind, _) in UNITS.items() if kind == dimension)
    parts = text.split() if isinstance(text, str) else []
    if len(parts) != 2 or parts[1] not in UNITS or UNITS[parts[1]][0] != dimension:
        raise CatalogError(f"{where}: read {text!r}, expected a number and one of {allowed}")
    try:
        number = Decimal(parts[0])
    except InvalidOperation:
        raise CatalogError(f"{where}: {parts[0]!r} is not a number") from None
    if not number.is_finite() or number <= 0:
        raise CatalogError(f"{where}: {text!r} must be positive and finite")
    if abs(number.adjusted()) > _MOST_DIGITS:
        raise CatalogError(f"{where}: {text!r} is out of all bounds")
    return number * UNITS[parts[1]][1]


def whole(value: Decimal, where: str) -> int:
    """Return `value` as an integer; raises CatalogError where it is not one."""
    if value != value.to_integral_value():
        raise CatalogError(f"{where}: {value} is not a whole number")
    return int(value)
