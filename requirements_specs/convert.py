"""From the text of one value to what it means; each converter raises ValueProblem for a text that is not allowed."""

import re
from collections.abc import Callable
from datetime import date as Date  # noqa: N812 - `date` is a converter here
from enum import StrEnum
from fractions import Fraction
from math import ceil
from typing import TypeVar

from requirements_specs.errors import QuantityError, ValueProblem
from requirements_specs.keys import PLANNED_KINDS
from requirements_specs.known import nearest
from requirements_specs.quantile_curve import LONGEST_TOKENS, SHORTEST_TOKENS
from requirements_specs.quantity import Dimension, format_quantity, parse_quantity
from requirements_specs.section import NOT_IN_THIS_VERSION

Choice = TypeVar("Choice", bound=StrEnum)

MOST_REQUESTS = 10**12
HIGHEST_REQUEST_RATE_PER_S = 1e7
_LONGEST_NAME = 200


def quantity(
    dimension: Dimension,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> Callable[[str], float]:
    """Make a converter to SI that refuses what is outside the range."""
    bounds = (("more than", above), ("at least", at_least), ("less than", below), ("at most", at_most))
    allowed = ", ".join(f"{words} {format_quantity(bound, dimension)}" for words, bound in bounds if bound is not None)

    def convert(text: str) -> float:
        value = parse_quantity(text, dimension)
        inside = (
            (above is None or value > above)
            and (at_least is None or value >= at_least)
            and (below is None or value < below)
            and (at_most is None or value <= at_most)
        )
        if not inside:
            what = "must be positive" if above == 0 and value <= 0 else "out of range"
            raise QuantityError(what, read=text, allowed=allowed)
        return value

    return convert


latency = quantity(Dimension.TIME, above=0.0, at_most=1e6)
"""A converter to seconds, more than none and at most 10⁶."""

length = quantity(Dimension.TOKENS, at_least=SHORTEST_TOKENS, at_most=LONGEST_TOKENS)
"""A converter to a number of tokens of one request."""


request_rate = quantity(Dimension.REQUEST_RATE, above=0.0, at_most=HIGHEST_REQUEST_RATE_PER_S)
"""A converter to requests per second, more than none and at most 10⁷."""


def token_count(text: str) -> float:
    """As `length`, but a bare number is read: for a key that is the unit itself (`tokens: 512`)."""
    return length(f"{text} tokens" if re.fullmatch(r"[0-9]+", text) else text)


def factor(at_least: float, at_most: float, noun: str = "factor") -> Callable[[str], float]:
    """Make a converter to a plain number without a unit, in a range; `noun` names it in messages."""

    def convert(text: str) -> float:
        written = re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,17})?", text)
        if written is None or not at_least <= float(text) <= at_most:
            raise ValueProblem(
                f"not a possible {noun}", read=text, allowed=f"a number from {at_least:g} to {at_most:g}"
            )
        return float(text)

    return convert


def whole_number(least: int, most: int = 999_999_999) -> Callable[[str], int]:
    """Make a converter to an integer of at most nine digits, from `least` to `most`."""

    def convert(text: str) -> int:
        if re.fullmatch(r"\+?[0-9]{1,9}", text) is None or not least <= int(text) <= most:
            end = f" and at most {most:,}" if most < 999_999_999 else ""
            raise ValueProblem("not a possible count", read=text, allowed=f"a whole number, at least {least}{end}")
        return int(text)

    return convert


def request_count(text: str) -> int:
    """Return a number of requests: `2000000`, `2,000,000`, `2 M`, with or without the noun."""
    allowed = "a whole number of requests such as 2,000,000 or 2 M"
    noun = re.sub(r"\s*\brequests?$", "", text)
    try:
        count = Fraction(parse_quantity(f"{noun} tokens", Dimension.TOKENS))
    except QuantityError:
        raise ValueProblem("not a number of requests", read=text, allowed=allowed) from None
    if count < 1 or count > MOST_REQUESTS or count.denominator != 1:
        what = "a request is done whole" if count > 0 else "must be positive"
        raise ValueProblem(what, read=text, allowed=f"{allowed}, at most {MOST_REQUESTS:,}", fix=_whole(count))
    return int(count)


def _whole(count: Fraction) -> str | None:
    """The nearest number of requests that there can be; None for less than none."""
    return f"{min(ceil(count), MOST_REQUESTS):,}" if count > 0 else None


def truth(text: str) -> bool:
    """Return `true` or `false`; YAML's other spellings are not read."""
    if text in ("true", "false"):
        return text == "true"
    fix = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(text.lower())
    raise ValueProblem("neither true nor false", read=text, allowed="true, false", fix=fix)


def date(text: str) -> Date:
    """Return a day; only the form YYYY-MM-DD is read."""
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return Date.fromisoformat(text)
    except ValueError:
        pass
    what = "not a date" if text else "a price without a date"
    raise ValueProblem(what, read=text, allowed="the day of the price as YYYY-MM-DD")


def name(text: str) -> str:
    """Return a name for reports: printable, not empty, at most 200 characters."""
    if not text.strip() or not text.isprintable() or len(text) > _LONGEST_NAME:
        raise ValueProblem("not a name", read=text, allowed=f"1 to {_LONGEST_NAME} printable characters")
    return text


def choice(kind: type[Choice], noun: str) -> Callable[[str], Choice]:
    """Make a converter to a member of an enum; what is not a member may be one in a later version."""

    def convert(text: str) -> Choice:
        try:
            return kind(text)
        except ValueError:
            raise ValueProblem(f"{noun} is not in this version", read=text, allowed=", ".join(kind)) from None

    return convert


def spec_kind(text: str) -> str:
    """Return `serving`; the kinds of later versions are told apart from unknown ones."""
    if text == "serving":
        return text
    if text in PLANNED_KINDS:
        raise ValueProblem(f"kind {text} is {NOT_IN_THIS_VERSION}", read=text, allowed="serving")
    fix = " or ".join(nearest(text, ("serving", *PLANNED_KINDS), count=1)) or None
    raise ValueProblem("unknown kind", read=text, allowed="serving", fix=fix)
