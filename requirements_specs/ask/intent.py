"""What is wanted: an objective, and the kind of question, which decides the verb that answers it."""

import re
from collections.abc import Sequence
from enum import StrEnum

from requirements_specs.ask.reading import Reading
from requirements_specs.ask.spelling import edit_distance
from requirements_specs.serving import Objective


class Kind(StrEnum):
    """The kind of a question; the value says it to people."""

    DESIGN = "which design"
    MEMORY = "how much memory"
    WHY = "why something is slower than expected"
    POOLS = "prefill and decode in pools of their own"
    BUY_OR_BUILD = "to rent machines or to buy tokens"
    TRAINING = "how to train"


_LEAST = r"(?:lowest|minimum|minimal|min|least)"
_MOST = r"(?:max(?:imum|imal)?|highest|best|most|higher|largest)"
_COUNTED = r"(?:requests|queries|users)"
_AT_ONCE = r"(?:concurrent|simultaneous|parallel)"
_OBJECTIVES: Sequence[tuple[Objective, str]] = (
    (Objective.SMALLEST_FLEET, r"smallest fleet"),
    (
        Objective.CHEAPEST,
        rf"cheapest|cheap|as cheap(?:ly)? as possible|least expensive|{_LEAST} (?:cost|price|spend)"
        r"|minimi[sz]e (?:the )?(?:cost|price|spend)|cost[- ](?:effective|efficient|optimal)",
    ),
    (
        Objective.FASTEST,
        rf"fastest|quickest|as fast as possible|(?:{_LEAST}|best) (?:latency|ttft|tpot)|minimi[sz]e (?:the )?latency",
    ),
    (
        Objective.MOST_REQUESTS,
        rf"most (?:{_COUNTED}|throughput|traffic)|as many {_COUNTED} as possible"
        rf"|{_MOST} (?:throughput|number of (?:{_AT_ONCE} )?{_COUNTED}|concurrency|load|rate|qps|rps)"
        rf"|maximi[sz]e (?:the )?(?:throughput|concurrency|{_COUNTED})"
        rf"|how many (?:{_AT_ONCE} )?(?:people|clients|{_COUNTED})",
    ),
)
_KINDS: Sequence[tuple[Kind, str]] = (
    (Kind.TRAINING, r"train(?:ing)?|pre-?train(?:ing)?|fine-?tune|mfu"),
    (
        Kind.WHY,
        r"why|slow(?:er)?|far lower|lower than|lower throughput|worse|less than expected|what i got|bottleneck"
        r"|does(?: not|n't) (?:scale|meet)",
    ),
    (
        Kind.BUY_OR_BUILD,
        r"frontier apis?|saas|buy or build|break[- ]?even"
        r"|(?:vs\.?|versus|or|than|against) (?:an? |the )?(?:[a-z]+ )?apis?",
    ),
    (
        Kind.MEMORY,
        r"(?:how much|which|what|calculate) (?:gpu )?(?:vram|memory|ram)|vram|memory (?:requirements?|footprint|usage)"
        r"|(?:--?)?gpu[- _]memory[- _]utili[sz]ation",
    ),
)
_CHEAPEST = "cheapest"
_SLIPS = 2


def read_objectives(reading: Reading) -> tuple[Objective, ...]:
    """Return the objectives that are named, each once, in the order of `Objective`; `cheapest` may be misspelt."""
    found = [
        wanted
        for wanted, pattern in _OBJECTIVES
        for _ in reading.take(re.compile(rf"(?<![\w-])(?:the )?(?:{pattern})(?![\w-])"))
    ]
    for match in list(re.finditer(r"(?<![\w-])che[a-z]{3,6}(?![\w-])", reading.left)):
        if edit_distance(match[0], _CHEAPEST) <= _SLIPS and match[0] not in ("cheaper", "cheaply"):
            reading.claim(match.start(), match.end())
            reading.note("objective", _CHEAPEST, f"{match[0]} is read as this")
            found.append(Objective.CHEAPEST)
    return tuple(wanted for wanted in Objective if wanted in found)


def read_kind(reading: Reading, *, pools: bool) -> Kind:
    """Return the first kind whose words stand in the sentence; a design where none does."""
    found = [kind for kind, pattern in _KINDS for _ in reading.take(re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])"))]
    if found and found[0] in (Kind.TRAINING, Kind.WHY):
        return found[0]
    if pools:
        return Kind.POOLS
    return found[0] if found else Kind.DESIGN
