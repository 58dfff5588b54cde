"""The scanner: every slot of a sentence, what was taken for what, and how much was understood."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from requirements_specs.ask.coverage import LEAST_COVERAGE, Missed, coverage
from requirements_specs.ask.hardware import Hardware, read_hardware
from requirements_specs.ask.intent import Kind, read_kind, read_objectives
from requirements_specs.ask.latency import Limit, read_limits
from requirements_specs.ask.lengths import Lengths, read_lengths
from requirements_specs.ask.money import Money, read_money
from requirements_specs.ask.names import read_accelerators, read_models
from requirements_specs.ask.pins import Pins, read_pins
from requirements_specs.ask.precision import Precision, read_precision
from requirements_specs.ask.reading import BLANK, LONGEST_QUESTION, MODEL, NEGATION, PART, Reading
from requirements_specs.ask.service import Service, read_service
from requirements_specs.ask.traffic import Traffic, read_traffic
from requirements_specs.ask.vocabulary import Vocabulary
from requirements_specs.ask.where import Where, read_where
from requirements_specs.errors import Problem
from requirements_specs.serving import Assumption, Objective

_LONGEST_SHOWN = 30
_MORE = r"(?!(?:exceed(?:ing)?|more|over|above|less|fewer|later|slower)\b)"
_NOT = rf"(?<!\w){NEGATION}"
_LEAST = re.compile(
    rf"(?P<not>{_NOT}(?: [a-z]+)? )?(?:(?<!\w)(?:at least|more than|over|above|exceeding|minimum(?: of)?)(?!\w)"
    r"|(?<![-=<])>=?|≥) ?(?!\w)"
)
_OR_MORE = re.compile(
    rf"(?<={BLANK}) (?:(?:or (?:more|higher|above|over|longer)|and (?:up|more|above))(?!\w)"
    r"|(?:minimum|at least) *(?=[,.;]|$))"
)
_A_SHARE = re.compile(r"p?\d+(?:\.\d+)? ?(?:%|th|st|nd|rd)|p\d")
_UNREAD_NOT = re.compile(
    rf"{_NOT}(?: {_MORE}[a-z]+)? ?(?=[{BLANK}{PART}{MODEL}])"
    r"|(?<!\w)(?:not|isn't|aren't) (?:an option|allowed|ok|okay|fine|wanted|acceptable|possible)(?!\w)"
    r"|(?<!\w)(?:excluded|forbidden|ruled out)(?!\w)"
    rf"|{_NOT} (?:any )?(?:(?:tensor|pipeline|expert|data)[- _])?parallel(?:ism)?(?!\w)"
    rf"|{_NOT} (?:any )?quanti[sz]"
)


@dataclass(frozen=True)
class Slots:
    """What a sentence says; empty or None where it says nothing."""

    kind: Kind
    objectives: tuple[Objective, ...]
    models: tuple[str, ...]
    hardware: Hardware
    pins: Pins
    where: Where
    precision: Precision
    traffic: Traffic
    lengths: Lengths
    limits: tuple[Limit, ...]
    money: Money
    service: Service


@dataclass(frozen=True)
class Scan:
    """The slots, and how sure they are.

    `notes` say what was taken for what, `problems` what cannot be meant; `coverage` is the share of content words that
    were understood, `missed` the others.
    """

    question: str
    slots: Slots
    notes: tuple[Assumption, ...]
    problems: tuple[Problem, ...]
    coverage: float
    missed: tuple[str, ...]

    @property
    def understood(self) -> bool:
        """Whether enough of the sentence was understood to answer it."""
        return self.coverage >= LEAST_COVERAGE


def scan(question: str, vocabulary: Vocabulary) -> Scan:
    """Read a sentence; nothing that it says raises, what is wrong with it is among the problems."""
    whole = question if len(question) <= LONGEST_QUESTION else question[:LONGEST_QUESTION].rpartition(" ")[0]
    reading = Reading(whole)
    if whole != question:
        read, allowed = f"{len(question):,} characters", f"at most {LONGEST_QUESTION:,}"
        reading.refuse(len(whole), "", "the question is too long", read=read, allowed=allowed)
    money = read_money(reading)
    models = read_models(reading, vocabulary)
    if len(models) > 1:
        reading.refuse(
            0, "model", f"{len(models)} models in one question", read=", ".join(models), allowed="one", fix=models[0]
        )
    accelerators = read_accelerators(reading, vocabulary)
    where = read_where(reading, vocabulary)
    precision = read_precision(reading, vocabulary)
    pins = read_pins(reading)
    hardware = read_hardware(reading, accelerators)
    bounded = [*reading.read]
    objectives = read_objectives(reading)
    traffic = read_traffic(reading)
    service = read_service(reading)
    if Objective.MOST_REQUESTS in objectives and (traffic.rates or traffic.concurrency is not None):
        objectives = tuple(wanted for wanted in objectives if wanted is not Objective.MOST_REQUESTS)
        reading.note(
            "objective", Objective.CHEAPEST, "the traffic is stated, so the cheapest design that carries it is meant"
        )
    before = len(reading.read)
    limits = read_limits(reading)
    _refuse_lower_bounds(reading, [*bounded, *reading.read[before:]])
    lengths = read_lengths(reading)
    kind = read_kind(reading, pools=pins.pools)
    share, missed = coverage(reading)
    _refuse_what_is_ruled_out(reading, missed)
    _refuse_numbers_that_mean_nothing(reading, missed)
    slots = Slots(
        kind=kind,
        objectives=objectives,
        models=models,
        hardware=hardware,
        pins=pins,
        where=where,
        precision=precision,
        traffic=traffic,
        lengths=lengths,
        limits=limits,
        money=money,
        service=service,
    )
    return Scan(
        question=question,
        slots=slots,
        notes=tuple(Assumption(key=key, value=value, why=why) for key, value, why in reading.notes),
        problems=tuple(sorted(reading.problems, key=_column)),
        coverage=share,
        missed=tuple(dict.fromkeys(each.word for each in missed)),
    )


def _column(problem: Problem) -> int:
    return 0 if problem.mark is None else problem.mark.column or 0


def _refuse_what_is_ruled_out(reading: Reading, missed: Sequence[Missed]) -> None:
    """Refuse a `not` before a word that matters: as if it were not there, the answer would be wrong."""
    unknown = "|".join(re.escape(each.word) for each in missed)
    ruled_out = [*_UNREAD_NOT.finditer(reading.left)]
    if unknown:
        ruled_out += re.finditer(rf"{_NOT} (?=(?:{unknown})(?!\w))", reading.text)
    for match in {match.start(): match for match in ruled_out}.values():
        read = f"{reading.text[match.start() :].strip()[:_LONGEST_SHOWN]} …"
        what, allowed = "only providers and spot can be ruled out", "what may be used"
        reading.refuse(match.start(), "", what, read=read, allowed=allowed)


def _refuse_lower_bounds(reading: Reading, bounded: Sequence[tuple[int, int]]) -> None:
    """Refuse `at least` and its like at a number that a spec has as an upper limit only; traffic may have it."""
    starts, ends = ({place[side] for place in bounded} for side in (0, 1))
    found = [
        match
        for match in _LEAST.finditer(reading.left)
        if not match["not"] and match.end() in starts and not _A_SHARE.match(reading.text, match.end())
    ]
    found += [match for match in _OR_MORE.finditer(reading.left) if match.start() in ends]
    for match in found:
        read = f"{reading.text[match.start() :].strip()[:_LONGEST_SHOWN]} …"
        what, allowed = "this is no lower limit", "at most 8 H100, ttft p99 under 200 ms, within $60/h"
        reading.refuse(match.start(), "", what, read=read, allowed=allowed)


def _refuse_numbers_that_mean_nothing(reading: Reading, missed: Sequence[Missed]) -> None:
    """Refuse each number that no slot took: it was said for a reason."""
    for each in missed:
        if any(character.isdigit() for character in each.word):
            allowed = "a number with its unit, as 10 req/s, 8k prompts, p99 200 ms, $60/h, 8xH100, tp=4"
            reading.refuse(each.start, "", "what is this a number of", read=each.word, allowed=allowed)
