import math
import subprocess
import sys
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from requirements_specs.errors import QuantityError
from requirements_specs.quantity import (
    Dimension,
    floor_micro_dollars,
    format_quantity,
    nearest_micro_dollars,
    parse_quantity,
)


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("200 ms", Dimension.TIME, 0.2),
        ("200ms", Dimension.TIME, 0.2),
        ("1.5 s", Dimension.TIME, 1.5),
        ("2 MIN", Dimension.TIME, 120.0),
        ("80 µs", Dimension.TIME, 80e-6),
        ("-3 s", Dimension.TIME, -3.0),
        ("1e-3 s", Dimension.TIME, 1e-3),
        ("80 GB", Dimension.BYTES, 80e9),
        ("80 GiB", Dimension.BYTES, 80.0 * 2**30),
        ("50 GB/s", Dimension.BANDWIDTH, 50e9),
        ("1 GiB/s", Dimension.BANDWIDTH, 2.0**30),
        ("400 Gbit/s", Dimension.BANDWIDTH, 50e9),
        ("3.2 Tb/s", Dimension.BANDWIDTH, 400e9),
        ("100 Gbps", Dimension.BANDWIDTH, 12.5e9),
        ("10 req/s", Dimension.REQUEST_RATE, 10.0),
        ("12 rps", Dimension.REQUEST_RATE, 12.0),
        ("600 rpm", Dimension.REQUEST_RATE, 10.0),
        ("2 requests per second", Dimension.REQUEST_RATE, 2.0),
        ("1.2k req/min", Dimension.REQUEST_RATE, 20.0),
        ("512 tokens", Dimension.TOKENS, 512.0),
        ("1,500 tokens", Dimension.TOKENS, 1500.0),
        ("1.5k tokens", Dimension.TOKENS, 1500.0),
        ("128k tokens", Dimension.TOKENS, 128000.0),
        ("35 %", Dimension.SHARE, 0.35),
        ("0.35", Dimension.SHARE, 0.35),
        ("$2.50/h", Dimension.MONEY_PER_HOUR, 2.5),
        ("2.50 USD/h", Dimension.MONEY_PER_HOUR, 2.5),
        ("US$ 2.50 per hour", Dimension.MONEY_PER_HOUR, 2.5),
        ("$40k/month", Dimension.MONEY_PER_MONTH, 40000.0),
        ("$7,300/month", Dimension.MONEY_PER_HOUR, 10.0),
        ("$10/h", Dimension.MONEY_PER_MONTH, 7300.0),
        ("$24/day", Dimension.MONEY_PER_HOUR, 1.0),
        ("$0.60/M tokens", Dimension.MONEY_PER_MILLION_TOKENS, 0.6),
        ("$0.60 per million tokens", Dimension.MONEY_PER_MILLION_TOKENS, 0.6),
        ("$0.0006/1k tokens", Dimension.MONEY_PER_MILLION_TOKENS, 0.6),
    ],
)
def test_units_are_read(text: str, dimension: Dimension, value: float) -> None:
    assert parse_quantity(text, dimension) == value


@pytest.mark.parametrize(
    ("text", "dimension", "what", "fix"),
    [
        ("200", Dimension.TIME, "bare number", "200 ms"),
        ("0.2", Dimension.TIME, "bare number", "0.2 s"),
        ("512", Dimension.TOKENS, "bare number", "512 tokens"),
        ("128k", Dimension.TOKENS, "bare number", "128k tokens"),
        ("10", Dimension.REQUEST_RATE, "bare number", "10 req/s"),
        ("60", Dimension.MONEY_PER_HOUR, "bare number", "$60/h"),
        ("40k", Dimension.MONEY_PER_MONTH, "bare number", "$40k/month"),
        ("$60", Dimension.MONEY_PER_HOUR, "no period", "$60/h"),
        ("60/h", Dimension.MONEY_PER_HOUR, "no currency", "$60/h"),
        ("200 GB", Dimension.TIME, "an amount of memory, not a time", None),
        ("$5/h", Dimension.TIME, "money, not a time", None),
        ("10 s", Dimension.REQUEST_RATE, "a time, not a request rate", None),
        ("200 mss", Dimension.TIME, "unknown unit", "200 ms"),
        ("80 gb", Dimension.BYTES, "unknown unit", "80 GB"),
        ("60 EUR/h", Dimension.MONEY_PER_HOUR, "money is in US dollars", None),
        ("€60/h", Dimension.MONEY_PER_HOUR, "not dollars per hour", None),
        ("nan s", Dimension.TIME, "not a time", None),
        ("inf s", Dimension.TIME, "not a time", None),
        ("--5 s", Dimension.TIME, "not a time", None),
        ("", Dimension.TIME, "not a time", None),
        ("1,50 s", Dimension.TIME, "unknown unit", None),
        ("1e999 s", Dimension.TIME, "too large", None),
        ("1e-999 s", Dimension.TIME, "too small", None),
        ("1e9999999999 s", Dimension.TIME, "unknown unit", None),
        ("9" * 200 + " s", Dimension.TIME, "not a time", None),
    ],
)
def test_what_is_not_a_quantity_is_refused_with_the_fix(
    text: str, dimension: Dimension, what: str, fix: str | None
) -> None:
    with pytest.raises(QuantityError) as error:
        parse_quantity(text, dimension)
    assert what in error.value.what
    assert error.value.read == text
    assert str(dimension) in (error.value.allowed or "")
    assert error.value.fix == fix


@pytest.mark.parametrize(
    ("value", "dimension", "text"),
    [
        (0.2, Dimension.TIME, "200 ms"),
        (90.0, Dimension.TIME, "90 s"),
        (7200.0, Dimension.TIME, "2 h"),
        (0.0, Dimension.TIME, "0 s"),
        (80e9, Dimension.BYTES, "80 GB"),
        (80.0 * 2**30, Dimension.BYTES, "80 GiB"),
        (3.35e12, Dimension.BANDWIDTH, "3.35 TB/s"),
        (1500.0, Dimension.TOKENS, "1,500 tokens"),
        (0.35, Dimension.SHARE, "35 %"),
        (2.5, Dimension.MONEY_PER_HOUR, "$2.50/h"),
        (-2.5, Dimension.MONEY_PER_HOUR, "-$2.50/h"),
        (40000.0, Dimension.MONEY_PER_MONTH, "$40,000/month"),
        (0.6, Dimension.MONEY_PER_MILLION_TOKENS, "$0.60/M tokens"),
    ],
)
def test_values_are_written_as_people_write_them(value: float, dimension: Dimension, text: str) -> None:
    assert format_quantity(value, dimension) == text


def test_digits_round() -> None:
    assert format_quantity(1 / 3, Dimension.TIME, digits=3) == "333 ms"
    assert format_quantity(12.3456, Dimension.MONEY_PER_HOUR, digits=4) == "$12.35/h"


def test_nothing_but_finite_numbers_is_written() -> None:
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="cannot be written"):
            format_quantity(value, Dimension.TIME)


@settings(max_examples=400)
@given(st.sampled_from(Dimension), st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_written_reads_back_to_the_same_float(dimension: Dimension, value: float) -> None:
    text = format_quantity(value, dimension)
    try:
        back = parse_quantity(text, dimension)
    except QuantityError as error:
        # 10^308 in a unit below 1, or a subnormal in a unit above it, leaves what a float holds.
        assert error.what in ("the number is too large", "the number is too small")  # noqa: PT017
        assert not 1e-300 < abs(value) < 1e300
    else:
        assert back == value


@settings(max_examples=200)
@given(st.text(max_size=40), st.sampled_from(Dimension))
def test_any_text_is_a_quantity_or_refused(text: str, dimension: Dimension) -> None:
    try:
        assert math.isfinite(parse_quantity(text, dimension))
    except QuantityError as error:
        assert error.allowed  # noqa: PT017 - most texts are no quantity, some are


PINT: "pint.UnitRegistry[float]" = pint.UnitRegistry()


@settings(max_examples=200)
@given(
    st.decimals(min_value="0.001", max_value="1000000", places=3),
    st.sampled_from(
        ["ns", "us", "ms", "s", "min", "h", "day", "B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"]
    ),
)
def test_time_and_memory_agree_with_pint(number: object, unit: str) -> None:
    is_memory = unit.endswith("B")
    dimension = Dimension.BYTES if is_memory else Dimension.TIME
    expected = PINT.Quantity(float(str(number)), unit).to("byte" if is_memory else "second").magnitude
    assert parse_quantity(f"{number} {unit}", dimension) == pytest.approx(expected, rel=1e-14)


def test_micro_dollars_are_exact() -> None:
    assert floor_micro_dollars(12.34) == 12_340_000
    assert floor_micro_dollars(0.29) == 290_000
    assert floor_micro_dollars(1e-7) == 0


def test_importing_it_is_light() -> None:
    code = (
        "import sys, requirements_specs.quantity; print(*{'pydantic', 'numpy', 'yaml', 'difflib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@given(st.decimals(min_value=0, max_value=10**6, places=9))
def test_micro_dollars_are_rounded_half_upwards(dollars: Decimal) -> None:
    expected = (dollars * 10**6).to_integral_value(ROUND_HALF_UP)
    assert nearest_micro_dollars(Fraction(dollars)) == expected
