"""Budgets in dollars."""

import re
from dataclasses import dataclass

from requirements_specs.ask.amounts import AMOUNT, NOTHING_BEFORE, prefixed
from requirements_specs.ask.reading import Reading
from requirements_specs.requirement import BudgetMetric

_NUMBER = AMOUNT.removeprefix(NOTHING_BEFORE)
_MONEY = rf"(?<![a-z])(?:us)?\$ ?(?P<first>{_NUMBER})|(?P<last>{AMOUNT}) ?(?:\$|usd|us dollars?|dollars?|bucks)"
_TOKENS = (
    r"(?:(?:1 ?)?(?:m|million|mtok)|(?P<thousand>(?:1 ?)?(?:k|thousand)))? ?"
    r"(?P<kind>input |output |generated |prompt |total )?(?:tokens?|toks?|tok)?"
)
_PERIODS = {
    **dict.fromkeys(("h", "hr", "hour"), "h"),
    **dict.fromkeys(("d", "day"), "day"),
    **dict.fromkeys(("mo", "month"), "month"),
    **dict.fromkeys(("y", "yr", "year"), "year"),
}
_ADVERBS = {"hourly": "h", "daily": "day", "monthly": "month", "yearly": "year", "annually": "year"}
_PERIOD = "|".join(sorted(_PERIODS, key=len, reverse=True))
_PART = r"(?: ?/ ?| (?:per|an?) )(?:gpu|card|accelerator|node|instance|machine|replica)"
_EACH = rf"(?P<each>{_PART}(?:[- ]?(?=hour|h\b))?)"
_LIMIT = r"(?:under|below|within|less than|at most|up to|max(?:imum)?|(?:a )?budget(?: of| is|:)?|<=?|≤)"
_BUDGET = re.compile(
    rf"(?:{_LIMIT} ?)*(?:{_MONEY})(?!\w)(?:{_EACH}?(?:(?: ?/ ?|-| (?:per|an?|each|every) )"
    rf"(?:(?P<period>{_PERIOD})(?!\w)|(?=[\dmkt]){_TOKENS}(?!\w))| (?P<adverb>{'|'.join(_ADVERBS)})(?!\w))"
    rf"(?P<of_one>(?:{_PART}| each)(?!\w))?)?"
)
_PRICE_WORDS = re.compile(
    r"(?:us)?\$ ?/ ?(?:1 ?)?m ?tok(?:en)?s?(?: for)?|(?:price|cost|\$) per (?:1 ?)?(?:m|million) tokens?"
    r"|(?<![\w.])1 ?m tokens?(?!\w)"
)


@dataclass(frozen=True)
class Money:
    """Budgets as a spec writes them, by what they limit; `per_token`: the price of tokens is asked for."""

    budgets: tuple[tuple[BudgetMetric, str], ...] = ()
    per_token: bool = False


def read_money(reading: Reading) -> Money:
    """Read budgets; one without a period, or per accelerator, is refused."""
    budgets: dict[BudgetMetric, str] = {}
    for match in list(reading.take(_BUDGET)):
        amount = prefixed(match["first"] or match["last"])
        found = _budget(reading, match, amount)
        if found is None:
            continue
        metric, text = found
        if budgets.setdefault(metric, text) != text:
            reading.refuse(
                match.start(), f"budget.{metric}", "another budget than before", read=f"{budgets[metric]} and {text}"
            )
    return Money(tuple(budgets.items()), per_token=bool(list(reading.take(_PRICE_WORDS))))


def _budget(reading: Reading, match: re.Match[str], amount: str) -> tuple[BudgetMetric, str] | None:
    """What is limited and the limit; None after a problem."""
    period = _ADVERBS.get(match["adverb"] or "") or _PERIODS.get(match["period"] or "")
    behind = match[0].rsplit(match["first"] or match["last"], 1)[1]
    if match["each"] or match["of_one"]:
        reading.refuse(
            match.start(),
            "budget",
            "a budget is for the whole design",
            read=match[0].strip(),
            allowed="$60/h, $40k/month",
        )
        return None
    if period in ("month", "year"):
        return BudgetMetric.USD_PER_MONTH, f"${amount}/{period}"
    if period is not None:
        return BudgetMetric.USD_PER_HOUR, f"${amount}/{period}"
    if "tok" in behind or re.search(r"(?:/|per) ?(?:1 ?)?(?:m|million|mtok)\b", behind):
        kind = (match["kind"] or "").strip()
        if kind in ("input", "prompt"):
            reading.refuse(
                match.start(),
                "budget",
                "a price of input tokens cannot be limited",
                read=match[0].strip(),
                allowed="$2 per million output tokens",
            )
            return None
        if kind not in ("output", "generated"):
            reading.note(
                "budget.usd_per_million_output_tokens", f"${amount}", "tokens that are paid for are output tokens"
            )
        return BudgetMetric.USD_PER_MILLION_OUTPUT_TOKENS, f"${amount}/{'k' if match['thousand'] else 'M'} tokens"
    reading.refuse(
        match.start(),
        "budget",
        "no period or volume",
        read=match[0].strip(),
        allowed="$60/h, $40k/month, $2 per million output tokens",
        fix=f"${amount}/h",
    )
    return None
