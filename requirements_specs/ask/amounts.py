"""Numbers as people write them: `8k`, `1.5M`, `1,000`, `three`."""

import re

NOTHING_BEFORE = r"(?<![\w.-])(?<!\d,)"
"""Where a number may begin: not inside a word, a range or another number."""
AMOUNT = NOTHING_BEFORE + r"-?\d+(?:,\d{3})*(?:\.\d+)?(?:\s?(?:k|m|b|thousand|million|billion)(?![a-z0-9]))?"
"""A number with an optional prefix; one that is glued to a word or a range is none."""

_WORDS = {
    "a single": 1,
    "single": 1,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "twelve": 12,
    "sixteen": 16,
    "thirty-two": 32,
}
NUMERAL = r"(?:\d{1,3}(?:,\d{3})+|\d{1,9}|\b(?:" + "|".join(_WORDS) + r"))"
"""A whole number in digits or as a word; what stands before it may be glued to it."""
COUNT = rf"(?:{NOTHING_BEFORE}{NUMERAL})"
"""A whole number that nothing is glued to from before."""

_PREFIXES = {"k": "k", "thousand": "k", "m": "M", "million": "M", "b": "B", "billion": "B"}
_PARTS = re.compile(r"(-?[\d,.]+)\s?([a-z]*)")


def prefixed(text: str) -> str:
    """Return an `AMOUNT` as a quantity begins: `8 thousand` -> `8k`, `1,000` -> `1000`."""
    found = _PARTS.fullmatch(text)
    assert found is not None, "only what AMOUNT matches comes here"
    return found[1].replace(",", "") + _PREFIXES.get(found[2], "")


def count(text: str) -> int:
    """Return the integer that a `COUNT` says."""
    return _WORDS[text] if text in _WORDS else int(text.replace(",", ""))
