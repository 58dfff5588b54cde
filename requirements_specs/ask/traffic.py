"""How much arrives: rates, users, concurrency, tokens per time, a batch with its window."""

import re
from dataclasses import dataclass

from requirements_specs.ask.amounts import AMOUNT, COUNT, count, prefixed
from requirements_specs.ask.reading import Reading
from requirements_specs.errors import QuantityError
from requirements_specs.quantity import HOURS_PER_MONTH, Dimension, format_quantity, parse_quantity

_REQUESTS = r"(?:req(?:uest)?s?|quer(?:y|ies)|calls?|prompts?|messages?|completions?|chats?|conversations?)"
_PERIODS = {
    **dict.fromkeys(("s", "sec", "second"), "s"),
    **dict.fromkeys(("min", "minute"), "min"),
    **dict.fromkeys(("h", "hr", "hour"), "h"),
    **dict.fromkeys(("d", "day"), "day"),
    **dict.fromkeys(("week",), "week"),
    **dict.fromkeys(("mo", "month"), "month"),
}
_PERIOD = rf"(?:{'|'.join(sorted(_PERIODS, key=len, reverse=True))})"
_ONE_OF_MANY = r"user|client|person|session|developer|customer|agent|employee|seat"
_MACHINE = r"gpu|card|accelerator|chip|replica|node|instance|machine|server"
_DAYS = {"week": 7.0, "month": HOURS_PER_MONTH / 24}
_PER = r"(?: ?/ ?| (?:per|an?|each|every) )"
_RATE = re.compile(
    rf"(?P<amount>{AMOUNT}) ?(?:{_REQUESTS}{_PER}(?P<period>{_PERIOD})|(?P<short>[rq]p[sm]))"
    rf"(?:(?P<each>(?: from)? each|{_PER}(?:{_ONE_OF_MANY}))|(?P<part>{_PER}(?:{_MACHINE})))?(?!\w)"
)
_DAILY = re.compile(rf"(?P<amount>{AMOUNT}) (?:daily {_REQUESTS}|{_REQUESTS} daily)(?!\w)")
_TOKENS = re.compile(
    rf"(?P<amount>{AMOUNT}) ?(?:(?P<kind>output|generated|input|prompt|total) )?(?:tokens?|toks?|t)"
    rf"{_PER}(?P<period>{_PERIOD})"
    rf"(?:(?P<each>{_PER}(?:{_ONE_OF_MANY}|request|stream|sequence))|(?P<part>{_PER}(?:{_MACHINE})))?(?!\w)"
)
_PEOPLE = r"(?:users?|people|persons?|clients?|sessions?|developers?|customers?|agents?|employees|seats?)"
_AT_ONCE = r"(?:concurrent(?:ly)?|simultaneous(?:ly)?|parallel|active|in[- ]flight)"
_USERS = re.compile(rf"(?P<count>{COUNT}k?) (?:{_AT_ONCE} )?{_PEOPLE}(?: {_AT_ONCE}| at (?:once|the same time))?(?!\w)")
_CONCURRENT = re.compile(
    rf"(?P<count>{COUNT}k?) {_AT_ONCE}(?: (?:{_REQUESTS}|streams?|sequences))?(?!\w)"
    rf"|(?:max(?:imum)? )?concurrency ?(?:of|=|:|is|at)? ?(?P<after>\d{{1,9}}k?)(?![\w.])"
)
_VOLUME = rf"(?P<amount>{AMOUNT}) (?:{_REQUESTS}|documents?|items?|files?|pages?)"
_WINDOW = rf"(?:in|within|under|over) (?P<window>{AMOUNT}) ?(?P<unit>hours?|hrs?|h|minutes?|min|days?)(?!\w)"
_BATCH = re.compile(f"{_VOLUME} {_WINDOW}")
# The same with something between them, as the lengths of the requests; a volume is no rate and no length.
_BATCH_VOLUME = re.compile(rf"{_VOLUME}(?!\w)(?! ?/| (?:per|an?|each|every|daily|tokens?|toks?)\b)")
_BATCH_WINDOW = re.compile(_WINDOW)


@dataclass(frozen=True)
class Traffic:
    """Rates as a spec writes them (`10 req/s`), in the order of the sentence; None or empty where nothing is said.

    `rate_each` is the rate of one user, `tokens_each_per_s` the speed of one stream. `tokens_per_s` is of all users,
    `tokens_kind` (`input`, `output`, `total`) says of what. `batch` is a number of requests and the window for them.
    """

    rates: tuple[str, ...] = ()
    rate_each: str | None = None
    concurrency: int | None = None
    tokens_per_s: float | None = None
    tokens_kind: str = ""
    tokens_each_per_s: float | None = None
    batch: tuple[str, str] | None = None


def read_traffic(reading: Reading) -> Traffic:
    """Read everything that says how much arrives; two numbers of one kind, and the share of one machine, are refused.

    Several rates are left to the draft, which may have another from an option.
    """
    batches = [(match, (prefixed(match["amount"]), _window(match))) for match in reading.take(_BATCH)]
    rates: list[str] = []
    rates_each: list[tuple[re.Match[str], str]] = []
    for match in list(reading.take(_RATE)):
        if match["part"]:
            _refuse_share(reading, match)
        elif match["each"]:
            rates_each.append((match, _rate(match)))
        else:
            rates.append(_rate(match))
    rates += [f"{prefixed(match['amount'])} req/day" for match in reading.take(_DAILY)]
    volumes, windows = (pattern.findall(reading.left) for pattern in (_BATCH_VOLUME, _BATCH_WINDOW))
    if not (batches or rates or rates_each) and len(volumes) == len(windows) == 1:
        (volume,), (window,) = list(reading.take(_BATCH_VOLUME)), list(reading.take(_BATCH_WINDOW))
        batches = [(volume, (prefixed(volume["amount"]), _window(window)))]
    tokens: list[tuple[re.Match[str], tuple[float, str]]] = []
    tokens_each: list[tuple[re.Match[str], float]] = []
    for match in list(reading.take(_TOKENS)):
        if match["part"]:
            _refuse_share(reading, match)
        elif match["each"]:
            tokens_each.append((match, _per_second(match)))
        else:
            tokens.append((match, (_per_second(match), _kind(reading, match))))
    per_s, kind = reading.one("workload.request_rate", "number of tokens", tokens) or (None, "")
    return Traffic(
        rates=tuple(dict.fromkeys(rates)),
        rate_each=reading.one("workload.request_rate", "rate of one user", rates_each),
        concurrency=_concurrency(reading),
        tokens_per_s=per_s,
        tokens_kind=kind,
        tokens_each_per_s=reading.one("slo.tpot", "speed of one user", tokens_each),
        batch=reading.one("workload.offline", "batch", batches),
    )


def _window(match: re.Match[str]) -> str:
    return f"{prefixed(match['window'])} {match['unit']}"


def _concurrency(reading: Reading) -> int | None:
    """How many are served at once; None where nobody says."""
    users: list[int] = []
    for pattern in (_USERS, _CONCURRENT):
        for match in list(reading.take(pattern)):
            users.append(_users(match["count"] or match.groupdict().get("after") or ""))
            if users[-1] != users[0]:
                read = f"{users[0]} and {users[-1]}"
                reading.refuse(match.start(), "concurrency", "another number of users", read=read)
    return users[0] if users else None


def _kind(reading: Reading, match: re.Match[str]) -> str:
    """Which tokens are meant; where nobody says, those of a second are output and those of a longer time all."""
    if match["kind"]:
        return {"generated": "output", "prompt": "input"}.get(match["kind"], match["kind"])
    kind = "output" if _PERIODS[match["period"]] in ("s", "min") else "total"
    reading.note("workload.request_rate", f"{kind} tokens", f"{match[0]} does not say which tokens")
    return kind


def _refuse_share(reading: Reading, match: re.Match[str]) -> None:
    what, allowed = "traffic is that of the whole service", "10 req/s, 5M tokens per day"
    reading.refuse(match.start(), "workload.request_rate", what, read=match[0], allowed=allowed)


def _rate(match: re.Match[str]) -> str:
    amount = prefixed(match["amount"])
    if match["short"]:
        return f"{amount} req/{'s' if match['short'][-1] == 's' else 'min'}"
    period = _PERIODS[match["period"]]
    if period not in _DAYS:
        return f"{amount} req/{period}"
    try:
        per_s = parse_quantity(f"{amount} req/day", Dimension.REQUEST_RATE) / _DAYS[period]
    except QuantityError:
        return f"{amount} req/{period}"  # the reader says what is wrong with it
    return format_quantity(per_s, Dimension.REQUEST_RATE, digits=6)


def _per_second(match: re.Match[str]) -> float:
    period = _PERIODS[match["period"]]
    per = period if period not in _DAYS else "day"
    try:
        return parse_quantity(f"{prefixed(match['amount'])} req/{per}", Dimension.REQUEST_RATE) / _DAYS.get(period, 1.0)
    except QuantityError:
        return 0.0


def _users(text: str) -> int:
    return 1000 * count(text[:-1]) if text.endswith("k") and text[:-1].replace(",", "").isdigit() else count(text)
