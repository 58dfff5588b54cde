"""Latency limits: a time, the latency it limits and the statistic, in whatever order they stand."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from requirements_specs.ask.amounts import AMOUNT, prefixed
from requirements_specs.ask.reading import Reading
from requirements_specs.keys import EXPLAINED, STATISTICS
from requirements_specs.requirement import Metric, Statistic

_METRICS: Sequence[tuple[Metric | None, str]] = (
    # None: refused, with the explanation of keys.EXPLAINED.
    (None, r"itl|tbt|inter[- _]token(?:[- _]latency)?|time between tokens"),
    (Metric.TTFT, r"ttft|(?:time to )?(?:the )?first[- ]token(?: latency| time)?"),
    (
        Metric.TPOT,
        r"tpot|(?:time )?(?:per|an|each) (?:output )?token(?: latency)?|per[- ]token(?: latency)?"
        r"|/ ?(?:output )?tok(?:en)?",
    ),
    (Metric.E2E, r"e2e(?:l)?(?: latency)?|end[- ]to[- ]end(?: latency)?|(?:total|response|request) (?:latency|time)"),
)
_STATISTICS: Sequence[tuple[Statistic | None, str]] = (
    (Statistic.P50, r"p50|median|50th percentile|50 ?%"),
    (Statistic.P90, r"p90|90th percentile|90 ?%"),
    (Statistic.P95, r"p95|95th percentile|95 ?%"),
    (Statistic.P99, r"p99(?![.\d])|99th percentile|99 ?%"),
    (Statistic.MEAN, r"mean|average|avg"),
    (None, r"p\d{1,3}(?:\.\d+)?|\d+(?:\.\d+)?(?:th|st|nd|rd) percentile"),
)
_OF_REQUESTS = r"(?: of (?:all |the )?(?:requests|queries|users|the time))?"
_TIME = re.compile(
    rf"(?:(?:under|below|within|less than|at most|no more than|max(?:imum)?|limit(?: of)?|<=?|≤|of|is|=|:|in) ?)?"
    rf"(?P<amount>{AMOUNT}) ?(?P<unit>ms|msec|milliseconds?|us|µs|microseconds?|s|secs?|seconds?|min|minutes?)(?![\w])"
)
_METRIC = re.compile("|".join(rf"(?P<m{i}>(?<!\w)(?:{pattern})(?!\w))" for i, (_, pattern) in enumerate(_METRICS)))
_STATISTIC = re.compile(
    "|".join(rf"(?P<s{i}>(?<!\w)(?:{pattern}){_OF_REQUESTS}(?!\w|\.\d))" for i, (_, pattern) in enumerate(_STATISTICS))
)
_CLAUSE_ENDS = re.compile(r"[,;?!&]|\. |\band\b|\bwith\b|\bplus\b")


@dataclass(frozen=True)
class Limit:
    """`statistic` of `metric` must not exceed `time`, as a spec writes it."""

    metric: Metric
    statistic: Statistic
    time: str


@dataclass(frozen=True)
class _Word:
    """A metric or a statistic and its place; `meaning` None: one that is refused."""

    start: int
    end: int
    meaning: Metric | Statistic | None
    is_metric: bool


def read_limits(reading: Reading) -> tuple[Limit, ...]:
    """Read every time as a limit; a limit without a metric means ttft, one without a statistic p99, both noted."""
    words = _words(reading.left)
    used: set[_Word] = set()
    limits: dict[tuple[Metric, Statistic], Limit] = {}
    times = [*_TIME.finditer(reading.left)]
    for index, time in enumerate(times):
        low, high = _clause(reading.left, time.start(), time.end())
        low = max(low, times[index - 1].end()) if index else low
        high = min(high, times[index + 1].start()) if index + 1 < len(times) else high
        near = [word for word in words if word not in used and low <= word.start and word.end <= high]
        metric, statistic = _belonging(near, time)
        used |= {word for word in (metric, statistic) if word is not None}
        reading.claim(time.start(), time.end())
        if (metric and metric.meaning is None) or (statistic and statistic.meaning is None):
            continue
        limit = _limit(reading, time, metric, statistic)
        if limits.setdefault((limit.metric, limit.statistic), limit) != limit:
            first = limits[limit.metric, limit.statistic].time
            key = f"slo.{limit.metric}.{limit.statistic}"
            reading.refuse(time.start(), key, "another limit than before", read=f"{first} and {limit.time}")
    for word in words:
        reading.claim(word.start, word.end)
        if word.meaning is None:
            _refuse(reading, word)
    return tuple(limits.values())


def _words(text: str) -> list[_Word]:
    found = []
    for pattern, meanings, is_metric in ((_METRIC, _METRICS, True), (_STATISTIC, _STATISTICS, False)):
        for match in pattern.finditer(text):
            assert match.lastgroup is not None, "every branch is a group"
            meaning: Metric | Statistic | None = meanings[int(match.lastgroup[1:])][0]
            found.append(_Word(match.start(), match.end(), meaning, is_metric))
    return sorted(found, key=lambda word: word.start)


def _clause(text: str, start: int, end: int) -> tuple[int, int]:
    """The places of the clause around a time."""
    low = max((match.end() for match in _CLAUSE_ENDS.finditer(text, 0, start)), default=0)
    after = _CLAUSE_ENDS.search(text, end)
    return low, len(text) if after is None else after.start()


def _belonging(near: list[_Word], time: re.Match[str]) -> tuple[_Word | None, _Word | None]:
    """The metric and the statistic of a time: those before it, then those behind it."""
    chosen: list[_Word | None] = []
    for is_metric in (True, False):
        before = [word for word in near if word.is_metric is is_metric and word.end <= time.start()]
        behind = [word for word in near if word.is_metric is is_metric and word.start >= time.end()]
        chosen.append(before[-1] if before else behind[0] if behind else None)
    return chosen[0], chosen[1]


def _limit(reading: Reading, time: re.Match[str], metric: _Word | None, statistic: _Word | None) -> Limit:
    written = f"{prefixed(time['amount'])} {time['unit']}"
    named = Metric(metric.meaning) if metric is not None and isinstance(metric.meaning, Metric) else Metric.TTFT
    percentile = (
        Statistic(statistic.meaning)
        if statistic is not None and isinstance(statistic.meaning, Statistic)
        else Statistic.P99
    )
    key = f"slo.{named}.{percentile}"
    if metric is None and statistic is None:
        reading.note("slo", key, "a latency without a name or percentile means the time to first token, at p99")
    elif metric is None:
        reading.note(f"slo.{percentile}", key, "a latency without a name means the time to first token")
    elif statistic is None:
        reading.note(f"slo.{named}", key, "a limit without a percentile must hold for 99 of 100 requests")
    return Limit(named, percentile, written)


def _refuse(reading: Reading, word: _Word) -> None:
    read = reading.text[word.start : word.end]
    if word.is_metric:
        why, instead = EXPLAINED["slo.itl"]
        reading.refuse(word.start, "slo.itl", why, read=read, allowed=", ".join(Metric), fix=instead)
    else:
        reading.refuse(
            word.start, "slo", "no limit can be set on this percentile", read=read, allowed=", ".join(STATISTICS)
        )
