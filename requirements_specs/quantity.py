"""Quantities with units: "200 ms", "80 GB", "$2.50/h", "10 req/s" -> SI floats, and back.

The only place where units are parsed. Numbers are kept as exact fractions until the last step, so a float is the
nearest one to what was written and money has no rounding of its own. GB is 10^9 bytes, GiB is 2^30. A month has 730 h.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from requirements_specs.errors import QuantityError

HOURS_PER_MONTH = 730

_LONGEST_TEXT = 100
_QUANTITY = re.compile(
    r"""\s*(?P<sign>[+-]?)\s*(?P<currency>\$|US\$|USD\b)?\s*
    (?P<number>[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3}(?![0-9]))?
      |[+-]?\.[0-9]+)
    \s*(?P<unit>.*?)\s*""",
    re.VERBOSE | re.DOTALL,
)
_UNIT_CURRENCY = re.compile(r"(?:US)?\$|USD|dollars?", re.IGNORECASE)
_PREFIXES = (
    ("", 1),
    ("thousand", 10**3),
    ("million", 10**6),
    ("billion", 10**9),
    ("k", 10**3),
    ("K", 10**3),
    ("M", 10**6),
    ("B", 10**9),
)


class Dimension(StrEnum):
    """What is measured; the value names it in messages. The SI float that stands for it is given beside."""

    TIME = "a time"  # seconds
    BYTES = "an amount of memory"  # bytes
    BANDWIDTH = "a bandwidth"  # bytes per second, one direction
    REQUEST_RATE = "a request rate"  # requests per second
    TOKENS = "a number of tokens"  # tokens
    SHARE = "a share"  # 1
    MONEY_PER_HOUR = "dollars per hour"
    MONEY_PER_MONTH = "dollars per month"
    MONEY_PER_MILLION_TOKENS = "dollars per million tokens"


@dataclass(frozen=True)
class _Measure:
    """How one dimension is written.

    `units` maps a spelling, without spaces, to its size in SI; lower case unless `case_matters`.
    `shown` are the units that a value is printed in, ascending. `bare` completes a bare number in a message.
    """

    units: Mapping[str, Fraction]
    examples: str
    shown: tuple[tuple[str, Fraction], ...]
    bare: str
    case_matters: bool = False
    money: bool = False
    prefixes: bool = False


def _spellings(*rows: tuple[str, Fraction | int]) -> dict[str, Fraction]:
    return {spelling: Fraction(size) for spellings, size in rows for spelling in spellings.split()}


_MILLI = Fraction(1, 10**3)
_MICRO = Fraction(1, 10**6)
_NANO = Fraction(1, 10**9)
_TIMES = _spellings(
    ("ns nanosecond nanoseconds", _NANO),
    ("us µs μs microsecond microseconds", _MICRO),
    ("ms msec millisecond milliseconds", _MILLI),
    ("s sec secs second seconds", 1),
    ("min mins minute minutes", 60),
    ("h hr hrs hour hours", 3600),
    ("d day days", 86400),
)
_PERIODS_IN_HOURS = _spellings(
    ("h hr hour", 1), ("d day", 24), ("mo month", HOURS_PER_MONTH), ("y yr year", 12 * HOURS_PER_MONTH)
)
_TOKEN_NAMES = ("tokens", "token", "tok", "toks")
_BYTES = _spellings(
    ("B byte bytes", 1),
    ("kB KB", 10**3),
    ("MB", 10**6),
    ("GB", 10**9),
    ("TB", 10**12),
    ("PB", 10**15),
    ("KiB", 2**10),
    ("MiB", 2**20),
    ("GiB", 2**30),
    ("TiB", 2**40),
    ("PiB", 2**50),
)
_BANDWIDTHS = {f"{unit}/s": size for unit, size in _BYTES.items()} | {
    spelling: Fraction(size, 8)
    for prefix, size in (("M", 10**6), ("G", 10**9), ("T", 10**12))
    for spelling in (f"{prefix}bit/s", f"{prefix}b/s", f"{prefix}bps")
}
_RATES = {f"{name}/{period}": 1 / size for name in ("req", "request", "requests") for period, size in _TIMES.items()}
_RATES |= _spellings(("rps qps", 1), ("rpm qpm", Fraction(1, 60)))
_TOKEN_PRICES = {
    f"/{scale}{name}": Fraction(10**6, tokens)
    for scales, tokens in (("m 1m million 1million", 10**6), ("k 1k thousand 1thousand", 10**3))
    for scale in scales.split()
    for name in _TOKEN_NAMES
} | {f"/{name}": Fraction(10**6) for name in _TOKEN_NAMES}

_MEASURES: Mapping[Dimension, _Measure] = {
    Dimension.TIME: _Measure(
        units=_TIMES,
        examples="200 ms, 1.5 s, 2 min",
        shown=(("us", _MICRO), ("ms", _MILLI), ("s", Fraction(1))),
        bare=" ms",
    ),
    Dimension.BYTES: _Measure(
        units=_BYTES,
        examples="80 GB (10^9 bytes), 80 GiB (2^30 bytes)",
        shown=tuple((unit, _BYTES[unit]) for unit in ("B", "kB", "MB", "GB", "TB", "PB")),
        bare=" GB",
        case_matters=True,
    ),
    Dimension.BANDWIDTH: _Measure(
        units=_BANDWIDTHS,
        examples="400 Gbit/s, 50 GB/s",
        shown=tuple((f"{unit}/s", _BYTES[unit]) for unit in ("B", "kB", "MB", "GB", "TB", "PB")),
        bare=" GB/s",
        case_matters=True,
    ),
    Dimension.REQUEST_RATE: _Measure(
        units=_RATES,
        examples="10 req/s, 12 rps, 600 rpm",
        shown=(("req/s", Fraction(1)),),
        bare=" req/s",
        prefixes=True,
    ),
    Dimension.TOKENS: _Measure(
        units={name: Fraction(1) for name in _TOKEN_NAMES},
        examples="512 tokens, 1.5k tokens",
        shown=(("tokens", Fraction(1)),),
        bare=" tokens",
        prefixes=True,
    ),
    Dimension.SHARE: _Measure(
        units=_spellings(("% percent", Fraction(1, 100))) | {"": Fraction(1)},
        examples="35 %, 0.35",
        shown=(("%", Fraction(1, 100)),),
        bare="",
    ),
    Dimension.MONEY_PER_HOUR: _Measure(
        units={f"/{period}": 1 / hours for period, hours in _PERIODS_IN_HOURS.items()},
        examples="$2.50/h, $40k/month",
        shown=(("/h", Fraction(1)),),
        bare="/h",
        money=True,
        prefixes=True,
    ),
    Dimension.MONEY_PER_MONTH: _Measure(
        units={f"/{period}": HOURS_PER_MONTH / hours for period, hours in _PERIODS_IN_HOURS.items()},
        examples="$40k/month, $2.50/h",
        shown=(("/month", Fraction(1)),),
        bare="/month",
        money=True,
        prefixes=True,
    ),
    Dimension.MONEY_PER_MILLION_TOKENS: _Measure(
        units=_TOKEN_PRICES,
        examples="$0.60/M tokens, $0.0006/k tokens",
        shown=(("/M tokens", Fraction(1)),),
        bare="/M tokens",
        money=True,
    ),
}


def parse_quantity(text: str, dimension: Dimension) -> float:
    """Return the SI float (see `Dimension`) nearest to what `text` says; sign and range are the caller's to judge.

    Raises:
        QuantityError: no number, no unit, a unit of another dimension, another currency, or a number that no float
            holds. It names what is allowed and, where one can be guessed, the fix.
    """
    measure = _MEASURES[dimension]
    allowed = f"{dimension} such as {measure.examples}"
    found = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST_TEXT else None
    if found is None or (found["sign"] and found["number"][0] in "+-"):
        raise QuantityError(f"not {dimension}", read=text, allowed=allowed)
    number = Fraction(found["sign"] + found["number"].replace(",", ""))
    unit = re.sub(r"\s+", "", re.sub(r"\bper\b", "/", found["unit"]))
    priced = found["currency"] is not None
    size = _size(unit, measure, priced=priced)
    if size is None:
        raise _unit_error(text, found["number"], unit, dimension, priced=priced)
    try:
        value = float(number * size)
    except OverflowError:
        raise QuantityError("the number is too large", read=text, allowed=allowed) from None
    if value == 0.0 and number != 0:
        raise QuantityError("the number is too small", read=text, allowed=allowed)
    return value


def format_quantity(value: float, dimension: Dimension, digits: int | None = None) -> str:
    """`value` (SI) as people write it; `parse_quantity` gives the same float back unless `digits` rounds it.

    `digits` is the number of significant digits; None keeps all that the float has.

    Raises:
        ValueError: `value` is not finite.
    """
    if not math.isfinite(value):
        raise ValueError(f"{dimension} of {value} cannot be written")
    exact = Fraction(Decimal(repr(float(value))) if digits is None else Decimal(f"{value:.{digits - 1}e}"))
    measure = _MEASURES[dimension]
    unit, size = _shown_unit(exact, dimension, measure)
    amount = exact / size
    number = _plain(Decimal(amount.numerator) / Decimal(amount.denominator), cents=measure.money)
    if measure.money:
        return f"-${number[1:]}{unit}" if number.startswith("-") else f"${number}{unit}"
    return f"{number} {unit}"


def quantity_pattern(dimension: Dimension) -> str:
    """Return a regular expression (of JSON Schema, too) that every text of the dimension matches, and no bare number.

    It does not judge how often a currency stands there, nor the size of the number.
    """
    measure = _MEASURES[dimension]
    prefixes = _PREFIXES if measure.prefixes else ()
    prefix = "(?:" + "|".join(name for name, _ in prefixes if name) + r")?\s*" if prefixes else ""
    units = "|".join(_unit_pattern(unit, measure) for unit in measure.units)
    sign, number = r"\s*[+-]?\s*", r"(?:[0-9][0-9,]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?|\.[0-9]+)\s*"
    before = r"(?:US\$|\$|USD)?\s*" if measure.money else ""
    after = r"(?:(?:US)?\$|[uU][sS][dD]|[dD]ollars?)?\s*" if measure.money else ""
    return rf"^{sign}{before}{sign}{number}{prefix}{after}(?:{units})\s*$"


def _unit_pattern(unit: str, measure: _Measure) -> str:
    """Return a pattern of one unit: blanks between its words, `per` for a slash, and any case where it has none."""
    name = next((name for name in _TOKEN_NAMES if unit.endswith(name)), "")
    letters = (
        f"[{letter}{letter.upper()}]" if letter.islower() and letter.isascii() and not measure.case_matters else letter
        for letter in f"{unit.removesuffix(name)} {name}".strip()
    )
    return "".join({"/": r"\s*(?:/|per)\s*", " ": r"\s*"}.get(letter, letter) for letter in letters)


def floor_micro_dollars(dollars: float) -> int:
    """Return the most whole micro-dollars within `dollars`, read as the decimal that the float prints as."""
    return math.floor(Fraction(repr(dollars)) * 10**6)


def nearest_micro_dollars(dollars: Fraction) -> int:
    """Return the whole micro-dollars nearest to `dollars`, half a micro-dollar upwards."""
    return math.floor(dollars * 10**6 + Fraction(1, 2))


def _size(unit: str, measure: _Measure, *, priced: bool) -> Fraction | None:
    """Return the SI size of `unit` in `measure`, or None; `priced` says that a currency stood before the number."""
    for prefix, factor in _PREFIXES if measure.prefixes else _PREFIXES[:1]:
        if not unit.startswith(prefix):
            continue
        rest = unit[len(prefix) :]
        currency = _UNIT_CURRENCY.match(rest)
        if currency is not None:
            rest = rest[currency.end() :]
        if (priced or currency is not None) != measure.money or (priced and currency is not None):
            continue
        size = measure.units.get(rest if measure.case_matters else rest.lower())
        if size is not None:
            return size * factor
    return None


def _unit_error(text: str, number: str, unit: str, dimension: Dimension, *, priced: bool) -> QuantityError:
    """Why `unit` is no unit of `dimension`, with the likeliest fix."""
    measure = _MEASURES[dimension]
    allowed = f"{dimension} such as {measure.examples}"
    if unit in dict(_PREFIXES if measure.prefixes else _PREFIXES[:1]) and (measure.money or not priced):
        what = "no period or volume" if priced else "a bare number where a unit is needed"
        seconds = dimension is Dimension.TIME and Fraction(number.replace(",", "")) < 5
        fix = f"{'$' if measure.money else ''}{number}{unit}{' s' if seconds else measure.bare}"
        return QuantityError(what, read=text, allowed=allowed, fix=fix)
    if priced and not measure.money:
        return QuantityError(f"wrong unit: this is money, not {dimension}", read=text, allowed=allowed)
    for other, candidate in _MEASURES.items():
        if other is not dimension and _size(unit, candidate, priced=priced) is not None:
            return QuantityError(f"wrong unit: this is {other}, not {dimension}", read=text, allowed=allowed)
    if measure.money and not priced and unit.lower() in measure.units:
        return QuantityError("no currency", read=text, allowed=allowed, fix=f"${number}{unit}")
    import difflib  # here, so that a spec without errors does not pay for it

    by_lower_case = {spelling.lower(): spelling for spelling in measure.units if spelling}
    near = difflib.get_close_matches(unit.lower(), by_lower_case, n=1)
    fix_unit = None if not near else by_lower_case[near[0]]
    space = "" if measure.money else " "
    fixed = None if fix_unit is None else f"{'$' if measure.money else ''}{number}{space}{fix_unit}"
    only = " (money is in US dollars)" if measure.money else ""
    return QuantityError(f"unknown unit of {dimension}{only}", read=text, allowed=allowed, fix=fixed)


def _shown_unit(exact: Fraction, dimension: Dimension, measure: _Measure) -> tuple[str, Fraction]:
    """Return the largest unit that leaves a number of at least one; whole GiB, hours and minutes are shown as such."""
    if not exact:
        return measure.shown[-1]
    if dimension is Dimension.BYTES and abs(exact) < 2**60:
        for unit in ("TiB", "GiB", "MiB"):
            if exact % _BYTES[unit] == 0:
                return unit, _BYTES[unit]
    if dimension is Dimension.TIME and abs(exact) < 10**9:
        for unit in ("h", "min"):
            if exact % _TIMES[unit] == 0:
                return unit, _TIMES[unit]
    fitting = [row for row in measure.shown if abs(exact) >= row[1]]
    return fitting[-1] if fitting else measure.shown[0]


def _plain(number: Decimal, *, cents: bool) -> str:
    """Return `number` without an exponent and with thousands separators while it is of a size that people read."""
    if number and not -7 <= number.adjusted() <= 18:
        return str(number.normalize())
    text = f"{number:,f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if cents:
        whole, _, fraction = text.partition(".")
        text = f"{whole}.{fraction:0<2}" if fraction else whole
    return text
